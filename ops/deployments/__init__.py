"""What was deployed: of every stack now, of one stack in the past, the way back, and the way that was reviewed."""
