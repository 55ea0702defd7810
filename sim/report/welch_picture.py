"""The picture of a warm-up: what settles last, averaged over runs (Welch), and where it is cut, as one SVG."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import numpy as np
from numpy.typing import NDArray

from sim.report.svg import framed, round_ticks
from sim.result import words
from sim.study.replicated.steady import BINS, NAMES, Settled, moving_average

WELCH_FILE = "warmup.svg"
_WIDE, _HIGH, _LEFT, _TOP, _RIGHT = 720.0, 260.0, 76.0, 84.0, 24.0
_UNITS = (
    (3 * 86400.0, 86400.0, "days"),
    (2 * 3600.0, 3600.0, "hours"),
    (180.0, 60.0, "minutes"),
    (0.0, 1.0, "seconds"),
)


def of_settled(settled: Settled) -> str:
    """The SVG of the slowest metric over the runs' time. The same series give the same bytes."""
    values = settled.series[settled.slowest]
    smooth = moving_average(values)
    horizon_s, warmup_s = float(settled.scenario.horizon_s or 0.0), settled.scenario.warmup_s
    most = max(float(np.quantile(values, 0.995)), float(smooth.max()), 1e-12) * 1.08

    def x(share: float) -> float:
        return _LEFT + _WIDE * share

    def y(value: float) -> float:
        return _TOP + _HIGH * (1 - min(value, most) / most)

    cut = x(warmup_s / horizon_s)
    name = NAMES[settled.slowest]
    what = name[0].upper() + name[1:]  # KV keeps its capitals
    runs = words.plural(settled.runs, "run")
    title = f"{what}, average of {runs}: warm-up {words.duration(warmup_s)} of {words.duration(horizon_s)}"
    parts = [
        f'<text class="title" x="{_LEFT:g}" y="26">{escape(title)}</text>',
        f'<rect class="band" x="{_LEFT:g}" y="{_TOP:g}" width="{cut - _LEFT:.1f}" height="{_HIGH:g}"/>',
        *_axes(most, horizon_s, x, y),
        _line(values, "c5", 1.0, x, y),
        _line(smooth, "c0", 2.2, x, y),
        f'<line class="zero" stroke-dasharray="4 4" x1="{cut:.1f}" x2="{cut:.1f}" y1="{_TOP:g}" '
        f'y2="{_TOP + _HIGH:g}"/>',
        f'<text x="{cut + 6:.1f}" y="{_TOP - 6:g}">measured from here</text>',
    ]
    for place, (name, colour) in enumerate((("average of the runs", "c5"), ("moving average", "c0"))):
        key = _LEFT + 8 + 170 * place
        parts.append(f'<circle class="dot {colour}" cx="{key:g}" cy="{_TOP - 34:g}" r="4"/>')
        parts.append(f'<text x="{key + 11:g}" y="{_TOP - 30:g}">{name}</text>')
    return framed(parts, _LEFT + _WIDE + _RIGHT, _TOP + _HIGH + 54)


def _axes(most: float, horizon_s: float, x: Callable[[float], float], y: Callable[[float], float]) -> list[str]:
    parts = [
        f'<line class="grid" x1="{_LEFT:g}" x2="{_LEFT + _WIDE:g}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        f'<text x="{_LEFT - 8:g}" y="{y(value) + 4:.1f}" text-anchor="end">{words.count(value)}</text>'
        for value in round_ticks(most)
    ]
    _, unit_s, unit = next(one for one in _UNITS if horizon_s >= one[0])
    for at in round_ticks(horizon_s / unit_s, 8):
        parts.append(
            f'<text x="{x(at * unit_s / horizon_s):.1f}" y="{_TOP + _HIGH + 18:g}" text-anchor="middle">{at:g}</text>'
        )
    parts.append(
        f'<text x="{_LEFT + _WIDE:g}" y="{_TOP + _HIGH + 40:g}" text-anchor="end">{unit} from the start</text>'
    )
    return parts


def _line(
    values: NDArray[np.float64],
    colour: str,
    wide: float,
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> str:
    points = " ".join(f"{x((at + 0.5) / BINS):.1f},{y(value):.1f}" for at, value in enumerate(values.tolist()))
    return f'<polyline class="{colour}" fill="none" stroke="var(--c)" stroke-width="{wide:g}" points="{points}"/>'
