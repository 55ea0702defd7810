"""Whiskers: how far each point of a picture may be off."""

from __future__ import annotations

from collections.abc import Sequence

from sim.report.drawing.figure import Plot

LEAST_OF_VALUE = 0.1
"""On a logarithmic axis a whisker ends here at the latest: one to zero or below has no end on it."""


def whiskers(
    values: Sequence[float], ends: Sequence[tuple[float, float]], colour: str, width: float = 4, is_log: bool = False
) -> Plot:
    """Plotly's `error_x` or `error_y` of values and the ends of their intervals, in the unit of the axis.

    An end on the wrong side of its value is drawn as no whisker on that side.
    """
    more = [max(high - value, 0.0) for value, (_, high) in zip(values, ends, strict=True)]
    less = [max(value - low, 0.0) for value, (low, _) in zip(values, ends, strict=True)]
    if is_log:
        less = [min(each, (1 - LEAST_OF_VALUE) * value) for each, value in zip(less, values, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": more,
        "arrayminus": less,
        "color": colour,
        "thickness": 1.4,
        "width": width,
    }
