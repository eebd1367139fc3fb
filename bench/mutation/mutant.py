"""One change and whether it was noticed, and the list of those that may pass unseen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

EXCUSED = Path(__file__).parent / "excused.yaml"


@dataclass(frozen=True)
class Mutant:
    """One change of the thing `name` (an alert, a series, a route): what was changed, and whether a case noticed it."""

    file: str
    name: str
    what: str
    noticed: bool

    @property
    def key(self) -> str:
        """How excused.yaml calls it."""
        return f"{self.name}: {self.what}"


def excuses(path: Path = EXCUSED) -> dict[str, str]:
    """Key of each mutant that may survive -> the reason."""
    document: Mapping[str, list[str]] = yaml.safe_load(path.read_text()) or {}
    return {key: reason for reason, keys in document.items() for key in keys}


def unexplained(mutants: Iterable[Mutant], excused: Mapping[str, str]) -> list[Mutant]:
    """Those that survived and are on no list."""
    return [mutant for mutant in mutants if not mutant.noticed and mutant.key not in excused]
