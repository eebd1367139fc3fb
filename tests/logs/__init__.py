"""Log lines on their way, in the real agents and the real Loki."""
