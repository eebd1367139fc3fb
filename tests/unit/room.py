"""How much room Grafana gives a legend, a column or the name below a dial, and how much one needs; in pixels.

From the source of Grafana 12.4.0: the grid (public/app/core/constants.ts), a panel's frame (packages/grafana-ui/src/
components/PanelChrome/PanelChrome.tsx), how much of it a legend may have (…/VizLayout/VizLayout.tsx), and the rows of a
legend (…/VizLegend/VizLegendTable.tsx and VizLegendTableItem.tsx).
"""

import re
from dataclasses import dataclass

from tests.unit.drawn import Json

# The window that is least wide, without its margins of 16 on either side.
PAGE = 1280 - 2 * 16
CELL, GAP = 30, 8
# Title, padding on both sides, border.
HEADER, PADDING, BORDER = 32, 8, 1
# Shares of a panel that a legend may have, below it and to its right.
BELOW, BESIDE = 0.35, 0.6
# A row of a legend, its heading too: letters of 12 pixels, a line height of 1.57, padding and border.
LEGEND_ROW = 24
# Beside the name: the padding of its cell, and the coloured mark.
MARK = 38
# A column of figures such as "1.23 K ops/s", with padding.
FIGURE = 70
# Mean widths of a letter of Grafana's font, in legends (12 pixels) and in tables (14).
LETTER, TABLE_LETTER = 6.5, 7.5
# Padding of a cell in a table.
TABLE_PADDING = 13


@dataclass(frozen=True)
class Room:
    """What a panel has inside its frame."""

    width: float
    height: float


def inside(panel: Json) -> Room:
    """The room of a panel's content in the narrowest window."""
    place = panel["gridPos"]
    column = (PAGE - 23 * GAP) / 24
    width = place["w"] * column + (place["w"] - 1) * GAP
    height = place["h"] * CELL + (place["h"] - 1) * GAP
    frame = 2 * (PADDING + BORDER)
    return Room(width - frame, height - HEADER - frame)


def legend_room(panel: Json) -> Room:
    """What the legend of a panel may have."""
    room = inside(panel)
    if panel["options"]["legend"]["placement"] == "right":
        return Room(BESIDE * room.width, room.height)
    return Room(room.width, BELOW * room.height)


def legend_need(panel: Json, names: list[str]) -> Room:
    """What a legend of these names takes."""
    figures = len(panel["options"]["legend"]["calcs"])
    return Room(
        MARK + max(LETTER * len(renamed(panel, name)) for name in names) + figures * FIGURE,
        LEGEND_ROW * (len(names) + 1),
    )


def renamed(panel: Json, name: str) -> str:
    """`name` as the panel's transformations leave it."""
    for each in panel.get("transformations", []):
        if each["id"] == "renameByRegex":
            # Grafana anchors the expression at both ends.
            found = re.fullmatch(each["options"]["regex"], name)
            name = found.group(1) if found else name
    return name
