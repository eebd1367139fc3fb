"""What went wrong, said once and clearly."""


class OpsError(Exception):
    """Stops a command: the message says what is wrong and the way out. `code` is the exit code (2: bad input)."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code
