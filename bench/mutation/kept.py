"""What was found of each change, kept outside of the work tree: a run that was interrupted goes on where it was.

A result is known by all that it follows from, so that it holds until a rule, a case or the change itself is another.
"""

import hashlib
import json
from pathlib import Path

from lab.cache import cache


class Kept:
    """Key -> whether the change was noticed; each result is written at once."""

    def __init__(self, name: str, directory: Path | None = None) -> None:
        self._path = (directory or cache() / "mutation") / f"{name}.jsonl"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        self._known: dict[str, bool] = dict(json.loads(line) for line in lines)

    def get(self, key: str) -> bool | None:
        """Whether it was noticed; None where that is not known."""
        return self._known.get(key)

    def put(self, key: str, noticed: bool) -> None:
        """Keep a result."""
        self._known[key] = noticed
        with self._path.open("a") as file:
            file.write(json.dumps([key, noticed]) + "\n")


def key_of(*parts: object) -> str:
    """The key of what follows from these parts alone, which JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
