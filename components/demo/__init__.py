"""The demo backend's components, one a file."""
