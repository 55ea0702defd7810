"""Tables of words on a terminal: as wide as it is, and below each other where there are more columns than that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING

from sim.report.tables.table import Table

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table as Grid

_LEAST_NAME = 10
"""Characters that the names of rows have at least, however narrow the terminal is."""


def fitting(sheet: Table, console: Console) -> RenderableType:
    """A table in full words if the terminal is wide enough, else in short ones, closer together, and then in parts."""
    from rich.console import Group

    boundless = console.options.update(width=10_000)
    brief = _brief(sheet)
    for said, gap in ((sheet, 2), (brief, 2), (brief, 1)):
        grid = _grid(said, said is brief, gap)
        if console.measure(grid, options=boundless).maximum <= console.width:
            return grid
    parts = [_grid(part, brief=True, gap=1) for part in _parts(brief, console.width)]
    return Group(parts[0], *(item for part in parts[1:] for item in ("", part))) if len(parts) > 1 else grid


def _brief(sheet: Table) -> Table:
    """`TTFT` for `first token (TTFT)`, `+1 to +3` for `+1 ms to +3 ms`."""
    from sim.report.tables.intervals import SHORT

    rows = (
        (re.sub(r"^.*\((TTFT|TPOT|E2E)\)", r"\1", name), *(SHORT.sub(r"+\1", each) for each in values))
        for name, *values in sheet.rows
    )
    return Table(sheet.caption, sheet.heading, tuple(rows))


def _parts(sheet: Table, width: int) -> Iterator[Table]:
    """The names of the rows again and again, each time with as many of the columns as there is room for."""
    from rich.cells import cell_len

    columns = list(zip_longest(sheet.heading, *sheet.rows, fillvalue=""))
    names, *others = [max(map(cell_len, column)) for column in columns]
    names = max(names, cell_len(sheet.caption))
    first = 1
    while first < len(columns):
        room, last = width - names - others[first - 1] - 1, first + 1
        while last < len(columns) and room > others[last - 1]:
            room, last = room - others[last - 1] - 1, last + 1
        kept = [columns[0], *columns[first:last]]
        heading, *rows = zip(*kept, strict=True)
        yield Table(sheet.caption, heading, tuple(rows))
        first = last


def _grid(sheet: Table, brief: bool, gap: int) -> Grid:
    """A table for the terminal; `gap` is the space between columns."""
    from rich import table

    grid = table.Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    title = sheet.caption if brief else f"{sheet.caption} {sheet.heading[0]}".strip()
    longest = max(map(len, (title, *(row[0] for row in sheet.rows))))
    grid.add_column(title, min_width=min(longest, _LEAST_NAME))  # what a row is about is not to be cut to a letter
    for head in sheet.heading[1:]:
        grid.add_column(head, justify="right", no_wrap=True)
    for row in sheet.rows:
        grid.add_row(*row)
    return grid
