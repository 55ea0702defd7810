"""How verbs print tables of measurements: as wide as the terminal, or wide enough where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_WIDTH = 132


def console(width: int = _WIDTH) -> Console:
    """Where tables go; `width`: where there is no terminal that says how wide it is."""
    from rich.console import Console

    made = Console(highlight=False, markup=False)  # a file may be called [red].json
    if not made.is_terminal:
        made.width = max(made.width, width)  # a file or a pipe has no edge to fold at
    return made


def table(title: str | None = None) -> Table:
    """A table without columns yet."""
    from rich import box
    from rich.table import Table

    return Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False)


def seconds_as(largest_s: float) -> tuple[float, str]:
    """What seconds are multiplied by to be read, and the unit then."""
    return (1.0, "s") if largest_s >= 1.0 else (1000.0, "ms")


def print_fitting(made: Table, to: Console) -> None:
    """Print a table; where it is too wide, closer together and without its line."""
    if to.measure(made, options=to.options.update(width=10_000)).maximum > to.width:
        made.box, made.padding = None, (0, 1, 0, 0)
    to.print(made)
