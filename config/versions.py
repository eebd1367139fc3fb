"""Versions as the tags of images say them."""

import re
from dataclasses import dataclass

# A leading v, numbers, Grafana's security releases (12.1.10-security-01), and which variant of the image it is
# (-alpine). Written out, and not read as PEP 440: there 12.4.0-21093783, a nightly build, comes after 12.4.0.
_TAG = re.compile(r"(?P<prefix>v?)(?P<numbers>\d+(?:\.\d+)+)(?:-security-(?P<security>\d+))?(?P<variant>-.+)?")


@dataclass(frozen=True)
class Version:
    """What a tag says: `numbers` (3, 13, 5), the number of a security release, a prefix (`v`) and a variant."""

    numbers: tuple[int, ...]
    security: int = 0
    prefix: str = ""
    variant: str = ""

    @property
    def line(self) -> str:
        """What all its patch releases have in common: 3.13 for 3.13.5, and 15 for PostgreSQL's 15.14."""
        return ".".join(map(str, self.numbers[:-1]))

    @property
    def order(self) -> tuple[tuple[int, ...], int]:
        """Sorts the releases of one project."""
        return self.numbers, self.security

    def is_like(self, other: "Version") -> bool:
        """Whether both are written alike, and so are releases of the same variant.

        A release candidate is not (`-rc.0` is another variant), nor is a tag that moves (3.13 beside 3.13.5).
        """
        return (self.prefix, self.variant, len(self.numbers)) == (other.prefix, other.variant, len(other.numbers))

    def __str__(self) -> str:
        """The version alone, without prefix and variant."""
        security = f"-security-{self.security:02}" if self.security else ""
        return ".".join(map(str, self.numbers)) + security


def version_of(tag: str) -> Version | None:
    """The version that a tag says; None for one that says none (`latest`, `main`, a digest's empty tag)."""
    found = _TAG.fullmatch(tag)
    if not found:
        return None
    numbers = tuple(int(number) for number in found["numbers"].split("."))
    return Version(numbers, int(found["security"] or 0), found["prefix"], found["variant"] or "")
