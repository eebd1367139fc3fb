"""What the stack is made of: its configuration keys, its settings and the files that its containers read."""
