"""Sparklines on the terminal: where its encoding has the blocks, and it is wide enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from sim.report.tables.sparklines import Sparkline


def show(console: Console, heading: str, found: Sequence[Sparkline]) -> None:
    """Print an empty line, a heading and a line each; nothing where they cannot be shown."""
    from sim.report.tables.sparklines import lines

    drawn = lines(found, console.width) if encodable(console.encoding) else []
    if drawn:
        console.print()
        console.print(heading, style="dim", markup=False, soft_wrap=True)
        for line in drawn:
            console.print(line, markup=False, no_wrap=True)


def encodable(encoding: str) -> bool:
    """Whether text in this encoding can have the blocks."""
    from sim.report.tables.sparklines import BLOCKS

    try:
        BLOCKS.encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    return True
