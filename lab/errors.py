"""What goes wrong in the lab."""


class LabError(Exception):
    """Something cannot be built or started; the message says what, why, and what to do about it."""
