"""The table of sources in docs/logs.md: `python -m config.logs.table` writes it anew."""

from config.logs.source import Containers, Files, Journal, Source, StatusLevel
from config.logs.sources import SOURCES
from config.pages import with_part
from config.project import ROOT

PAGE = ROOT / "docs/logs.md"


def table() -> str:
    """The table, a row a source."""
    rows = ["| source | what | found by | level from | beside the line | time |", "|---|---|---|---|---|---|"]
    return "\n".join([*rows, *(_row(source) for source in SOURCES)])


def page(text: str) -> str:
    """The page's `text` with the table as it is now."""
    return with_part(text, "sources", table())


def _row(source: Source) -> str:
    level = f"`{source.level.field}`" if source.level else ""
    if isinstance(source.level, StatusLevel):
        level += ": 4xx warn, 5xx error"
    time = "the line's" if source.timestamp else "Docker's"
    if isinstance(source.found, Journal):
        time = "the journal's"
    metadata = ", ".join(f"`{name}`" for name in source.metadata)
    return f"| `{source.name}` | {source.what} | {_found(source)} | {level} | {metadata} | {time} |"


def _found(source: Source) -> str:
    found = source.found
    if isinstance(found, Files):
        return ", ".join(f"`{path}`" for path in found.paths)
    if isinstance(found, Containers):
        own = ", ".join(found.services)
        names = f"`{found.names}`".replace("|", "\\|") if found.names else ""
        ways = [own, f"names {names}" if names else "", found.stream]
        return "; ".join(way for way in ways if way)
    return "the key `hostJournal`"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
