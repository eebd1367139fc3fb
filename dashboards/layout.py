"""Where panels stand: rows of lines, from left to right and from top to bottom."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import GridPos, Panel, RowPanel

WIDTH = 24


@dataclass(frozen=True)
class Line:
    """Panels side by side, `height` grid units (30 pixels) high; `widths` add up to 24."""

    height: int
    panels: tuple[Panel, ...]
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """A heading and the lines below it; a collapsed row is opened with a click."""

    title: str
    lines: tuple[Line, ...]
    collapsed: bool = False


def line(height: int, *panels: Panel, widths: Sequence[int] = ()) -> Line:
    """Panels side by side, equally wide where `widths` are not given; ValueError where they do not fill the line."""
    shares = tuple(widths) or (WIDTH // len(panels),) * len(panels)
    if len(shares) != len(panels) or sum(shares) != WIDTH:
        raise ValueError(f"widths {shares} of {len(panels)} panels do not add up to {WIDTH}")
    return Line(height, panels, shares)


def row(title: str, *lines: Line, collapsed: bool = False) -> Row:
    """A heading and the lines below it."""
    return Row(title, lines, collapsed)


def place(rows: Sequence[Row]) -> list[Panel | RowPanel]:
    """The panels with their places: lines from left to right, one below the other."""
    placed: list[Panel | RowPanel] = []
    y = 0
    for each in rows:
        heading = RowPanel(each.collapsed, each.title, grid_pos=GridPos(h=1, w=WIDTH, x=0, y=y), panels=[])
        placed.append(heading)
        y += 1
        for every in each.lines:
            x = 0
            for panel, width in zip(every.panels, every.widths, strict=True):
                panel.grid_pos = GridPos(h=every.height, w=width, x=x, y=y)
                x += width
                # Grafana wants the panels of a collapsed row inside it, and those of an open one after it.
                (heading.panels if each.collapsed and heading.panels is not None else placed).append(panel)
            y += every.height
    return placed
