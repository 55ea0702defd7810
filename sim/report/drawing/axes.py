"""Axes that more than one picture has: times, and lines that mark an objective."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.report.drawing.figure import Plot
from sim.result import words

_SECONDS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0, 86400.0, 864000.0, 8640000.0)
_FINER = tuple(
    step * unit_s
    for unit_s, steps in (
        *((10.0**power, (1, 2, 5)) for power in range(-6, 1)),
        *((10.0, (1, 2, 3)), (60.0, (1, 2, 5, 10, 20, 30)), (3600.0, (1, 2, 6, 12)), (86400.0, (1, 2, 5, 10))),
    )
    for step in steps
)
"""For an axis that sees less than three of the others."""
_LEAST_TICKS, _MOST_TICKS = 3, 7


def duration_axis(value_s: NDArray[np.float64], title: str) -> Plot:
    """A logarithmic axis of times with a few ticks that people read: 10 ms, 1 s, 1 min, 1 h."""
    positive_s = value_s[np.isfinite(value_s) & (value_s > 0)]
    axis: Plot = {"type": "log", "title": {"text": title}}
    ticks_s = list(_SECONDS)
    if len(positive_s):
        low, high = np.log10(positive_s.min()) - 0.15, np.log10(positive_s.max()) + 0.15
        axis["range"] = [round(float(low), 4), round(float(high), 4)]
        # All there are if few are in sight, else one in two: labels that do not fit are turned aslant.
        seen = sum(low <= np.log10(tick_s) <= high for tick_s in ticks_s)
        ticks_s = list(_FINER) if seen < _LEAST_TICKS else ticks_s[:: 1 if seen <= _MOST_TICKS else 2]
        if sum(low <= np.log10(tick_s) <= high for tick_s in ticks_s) < 2:
            ticks_s = _finer(float(low), float(high))
    return axis | {"tickvals": ticks_s, "ticktext": [words.duration(tick_s) for tick_s in ticks_s]}


def _finer(low: float, high: float) -> list[float]:
    """Round times between two powers of ten that are near to each other."""
    return [float(f"{tick:.6g}") for tick in round_ticks(10**low, 10**high) if tick > 0]


def durations(value_s: NDArray[np.float64]) -> NDArray[np.str_]:
    """Times in words, for what is shown on hover."""
    return np.array([words.duration(value) for value in value_s.tolist()])


def limit_line(at: float, axis: str = "y") -> Plot:
    """A dashed line across the picture where an objective stands on a vertical axis."""
    line = {"color": "var(--red)", "width": 1.5, "dash": "dash"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": at, "y1": at, "line": line}


def round_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, about so many."""
    if not high > low:
        return [low]
    unit = 10.0 ** math.floor(math.log10((high - low) / about))
    step = min((unit * times for times in (1, 2, 2.5, 5, 10)), key=lambda one: abs((high - low) / one - about))
    first, last = math.ceil(low / step * (1 - 1e-9)), math.floor(high / step * (1 + 1e-9))
    return [float(f"{step * place:.12g}") for place in range(first, last + 1)]


def told_axis(ends: tuple[float, float], tell: Callable[[float], str], title: str = "", about: int = 5) -> Plot:
    """A linear axis from one end to the other, its ticks in the words that its unit has."""
    ticks = round_ticks(*ends, about)
    return {
        "range": [float(f"{end:.6g}") for end in ends],
        "tickvals": ticks,
        "ticktext": [tell(tick) for tick in ticks],
        "title": {"text": title},
    }


def usd(value: float) -> str:
    """An amount at a tick of an axis, without cents where there are none."""
    return words.usd(value).removesuffix(".00")


def row_axis(names: Sequence[str]) -> Plot:
    """A vertical axis of rows from the top down: row 0, 1, ... by these names, which may be alike."""
    rows = list(range(len(names)))
    return {
        "range": [len(names) - 0.5, -0.5],
        "tickvals": rows,
        "ticktext": [html.escape(name) for name in names],
        "title": {"text": ""},
        "showgrid": False,
    }


def room(values: Sequence[float], below: float = 0.06, above: float = 0.06, zero: bool = False) -> tuple[float, float]:
    """The ends of an axis on which these have room, in shares of their spread; `zero`: 0 is on it."""
    kept = [value for value in values if math.isfinite(value)] + ([0.0] if zero else [])
    low, high = (min(kept), max(kept)) if kept else (0.0, 1.0)
    spread = (high - low) or abs(high) or 1.0
    ends = (low - below * spread, high + above * spread)
    return (0.0 if zero and low == 0 else ends[0], 0.0 if zero and high == 0 else ends[1])
