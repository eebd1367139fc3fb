"""How far the pinned images are behind, and until when their lines are mended.

Takes the registries' own lists of tags, and endoflife.date or config/support.yaml. What cannot be asked is said, and
never taken for "nothing new".
"""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

import httpx

from config.support import Support
from config.versions import Version, version_of
from images import endoflife, registry
from images.catalogue import Wanted
from images.endoflife import EndOfLifeError, Line
from images.registry import RegistryError

State = Literal["current", "unknown", "patch", "ends soon", "ended", "unpublished"]
_AT_ONCE = 4
_TIMEOUT = 20.0


@dataclass
class Finding:
    """What is known of one image.

    `patch`: the newest release of its line; `newest`: of all lines (both None where the registry could not be asked).
    `supported`: whether its line is still mended (None: not known), `until` which day (None: not known, or no day is
    set), and by which `source`. `published`: whether the registry has the pinned tag. `problems`: what could not be
    asked, and where the table is wrong.
    """

    key: str
    image: str
    pinned: Version | None
    patch: Version | None = None
    newest: Version | None = None
    published: bool | None = None
    supported: bool | None = None
    until: date | None = None
    source: str = ""
    problems: list[str] = field(default_factory=list)

    def state(self, today: date, soon: timedelta) -> State:
        """The worst that can be said of it."""
        if self.published is False:
            return "unpublished"
        if self.supported is False:
            return "ended"
        if self.until and self.until - today <= soon:
            return "ends soon"
        if self.pinned and self.patch and self.patch.order > self.pinned.order:
            return "patch"
        return "unknown" if self.problems or self.supported is None else "current"

    def as_dict(self, today: date, soon: timedelta) -> dict[str, Any]:
        """For JSON; days are in ISO 8601."""
        return {
            "key": self.key,
            "image": self.image,
            "state": self.state(today, soon),
            "pinned": str(self.pinned) if self.pinned else None,
            "newest_patch": str(self.patch) if self.patch else None,
            "newest": str(self.newest) if self.newest else None,
            "line": self.pinned.line if self.pinned else None,
            "supported": self.supported,
            "supported_until": self.until.isoformat() if self.until else None,
            "source": self.source,
            "problems": self.problems,
        }


def outdated(
    images: Collection[Wanted],
    table: Mapping[str, Support],
    today: date,
    address: str = endoflife.ADDRESS,
    timeout: float = _TIMEOUT,
) -> list[Finding]:
    """A finding for each image that comes from a registry, in their order.

    `table` is config/support.yaml, `address` endoflife.date's, `timeout` the seconds that one request may take.
    """
    pinned = [image for image in images if not image.build]
    products = sorted({table[image.key].product for image in pinned if image.key in table and table[image.key].product})
    with httpx.Client(timeout=timeout) as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        lists = pool.map(lambda image: _tags(image, client), pinned)
        known = dict(zip(products, pool.map(lambda name: _lines(name, client, address), products), strict=True))
        return [
            _finding(image, tags, table.get(image.key), known, today) for image, tags in zip(pinned, lists, strict=True)
        ]


def _tags(image: Wanted, client: httpx.Client) -> list[str] | RegistryError:
    try:
        return registry.tags(image.reference, client)
    except RegistryError as error:
        return error


def _lines(product: str, client: httpx.Client, address: str) -> dict[str, Line] | EndOfLifeError:
    try:
        return endoflife.lines(product, client, address)
    except EndOfLifeError as error:
        return error


def _finding(
    image: Wanted,
    tags: list[str] | RegistryError,
    support: Support | None,
    known: Mapping[str, dict[str, Line] | EndOfLifeError],
    today: date,
) -> Finding:
    """Put together what the registry, endoflife.date and the table say."""
    found = Finding(image.key, image.reference.tagged, version_of(image.reference.tag))
    if not found.pinned:
        found.problems.append(f"the tag {image.reference.tag!r} names no version")
        return found
    likes: list[Version] = []
    if isinstance(tags, RegistryError):
        found.problems.append(str(tags))
    else:
        found.published = image.reference.tag in tags
        likes = [version for version in map(version_of, tags) if version and version.is_like(found.pinned)]
        likes = [*likes, found.pinned]
        found.newest = max(likes, key=lambda version: version.order)
        found.patch = max((v for v in likes if v.line == found.pinned.line), key=lambda version: version.order)
    if support is None:
        found.problems.append(f"config/support.yaml has no {image.key}")
        return found
    if support.product:
        _by_endoflife(found, found.pinned.line, support, known[support.product], today)
    if found.supported is None:
        _by_table(found, found.pinned.line, support, likes, today)
    return found


def _by_endoflife(
    found: Finding, line: str, support: Support, known: dict[str, Line] | EndOfLifeError, today: date
) -> None:
    """What endoflife.date says of the line, and whether the table says the same."""
    if isinstance(known, EndOfLifeError):
        found.problems.append(str(known))
        return
    if line not in known:
        found.problems.append(f"endoflife.date does not know {support.product} {line}")
        return
    found.until = known[line].until
    # Its `isEol` is as old as the page: the day is what counts.
    found.supported = today <= found.until if found.until else not known[line].ended
    found.source = f"https://endoflife.date/{support.product}"
    written = support.lines.get(line)
    if written and found.until and written != found.until:
        found.problems.append(f"config/support.yaml has {written} for {line}, endoflife.date {found.until}")


def _by_table(found: Finding, line: str, support: Support, likes: Collection[Version], today: date) -> None:
    """What config/support.yaml says of the line."""
    if support.newest:
        if likes:
            newest = sorted({version.numbers[:-1] for version in likes})[-support.newest :]
            found.supported = any(line == ".".join(map(str, numbers)) for numbers in newest)
            found.source = support.source
        return
    found.until = support.lines.get(line)
    if not found.until:
        found.problems.append(f"config/support.yaml does not know the line {line}")
        return
    found.supported = today <= found.until
    found.source = support.source
