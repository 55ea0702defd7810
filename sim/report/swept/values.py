"""The values of a key on an axis: at their places where they are numbers, else side by side."""

from __future__ import annotations

import html
from collections.abc import Sequence

from sim.report.drawing.axes import room
from sim.report.drawing.figure import Plot
from sim.study.swept.cheapest import quantities
from sim.study.swept.sweep import Run

_MOST_TICKS = 14
_LETTERS = 60
"""Of all labels that stand beside each other."""


def places(key: str, runs: Sequence[Run]) -> dict[str, float]:
    """Where each value of a key stands, by how it was typed."""
    labels = list(dict.fromkeys(run.values.get(key, "") for run in runs))
    numbers = quantities(labels)
    return dict(zip(labels, map(float, numbers if numbers is not None else range(len(labels))), strict=True))


def value_axis(at: Sequence[float], labels: Sequence[str], key: str) -> Plot:
    """An axis with the values as they were typed, as many as there is room for."""
    order = sorted(zip(at, labels, strict=True))
    low, high = room([place for place, _ in order], 0.04, 0.04)
    least = (high - low) / max(min(_MOST_TICKS, _LETTERS // max(max(map(len, labels), default=1), 1)), 2)
    kept: list[tuple[float, str]] = []
    for place, label in order:
        if not kept or place - kept[-1][0] >= least:
            kept.append((place, label))
    return {
        "range": [low, high],
        "tickvals": [place for place, _ in kept],
        "ticktext": [html.escape(label) for _, label in kept],
        "title": {"text": html.escape(key)},
    }
