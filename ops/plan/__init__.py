"""What an update would do, as one typed plan: read from the engine's events, told as text, Markdown or JSON."""
