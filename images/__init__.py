"""Which image, and from where."""
