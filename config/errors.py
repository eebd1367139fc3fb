"""What is raised where a stack's configuration is wrong."""


class SettingsError(ValueError):
    """One or more settings are missing or malformed; the message has a line for each, with the way out."""
