"""Log lines: every source described once, and the configurations of the agents that are made from it."""
