"""A table of words: what the terminal and the report print."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A caption, a heading and rows, all of them text; the first column is the row's name."""

    caption: str
    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
