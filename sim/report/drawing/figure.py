"""A picture as plain data: a Plotly dictionary with its words, drawn by a page or painted to a file.

Colours are CSS variables of the page (`var(--blue)`), put in when it is drawn, so one figure serves light and dark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Plot = dict[str, Any]
"""`data` and `layout` as Plotly has them, JSON-ready."""


@dataclass(frozen=True)
class Figure:
    """One picture: what it shows, how to read it, and the plot."""

    key: str
    """The same for the same picture of two reports, which may be laid side by side; the name of its file."""
    title: str
    caption: str
    plot: Plot
    shape: str = "small"
    """How much room it takes: `small`, `wide` (a whole row), `tall` (a whole row, higher) or `short` (less high)."""
