"""Why images cannot be had."""

from collections.abc import Mapping


class ImageError(Exception):
    """Stops a command: the message says what is wrong and the way out."""


class ImagesError(ImageError):
    """Some images cannot be had. `tried`: for each key, what was tried and why it failed; `references`: the others."""

    def __init__(self, tried: Mapping[str, list[str]], references: Mapping[str, str], message: str) -> None:
        """`message` is the whole text."""
        super().__init__(message)
        self.tried = tried
        self.references = references
