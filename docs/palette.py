"""Colours and style of the pictures of the documentation."""

from __future__ import annotations

INK, FAINT, GROUND = "#22272e", "#d5dae0", "#fbfcfd"
BLUE, RED, GREEN, AMBER = "#2563a8", "#c2410c", "#3f7d4e", "#d9a441"
STYLE = {
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.facecolor": GROUND,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "grid.color": "#e9edf1",
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": GROUND,
    "figure.dpi": 110,
    "legend.frameon": False,
}
