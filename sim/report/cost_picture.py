"""The picture of a sweep with a price of slowness: what the fleet costs, what slowness costs, and both, as one SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise

from sim.report.svg import framed, round_ticks
from sim.result import words
from sim.study.swept.cheapest import Cost, Curve

_WIDE, _HIGH, _LEFT, _TOP, _RIGHT = 560.0, 300.0, 84.0, 92.0, 24.0
_LABEL = 44.0
"""Width that a label of the axis needs."""
_ROOM = 3.0
"""The picture ends at so many times the cheapest cost: an overloaded fleet would make all else look flat."""
_LINES: tuple[tuple[str, str, Callable[[Cost], float]], ...] = (
    ("fleet", "c0", lambda cost: cost.fleet_usd),
    ("slowness", "c1", lambda cost: cost.slowness_usd),
    ("together", "c2", lambda cost: cost.together_usd),
)


def of_curve(curve: Curve) -> str:
    """The SVG of costs a day over the values of a key. The same curve gives the same bytes."""
    best = curve.costs[curve.lowest]
    most = min(max(cost.together_usd for cost in curve.costs), _ROOM * best.together_usd)
    most = max(most, max(cost.fleet_usd for cost in curve.costs), 1e-9) * 1.04
    low, high = curve.at[0], curve.at[-1]

    def x(at: float) -> float:
        return _LEFT + _WIDE * (at - low) / (high - low)

    def y(usd: float) -> float:
        return _TOP + _HIGH * (1 - usd / most)

    title = f"Cheapest at {_text(curve, curve.lowest)}: {words.usd(best.together_usd)} a day"
    parts = [f'<text class="title" x="{_LEFT:g}" y="26">{escape(title)}</text>', *_axes(curve, most, x, y)]
    at = x(curve.at[curve.lowest])
    parts.append(
        f'<line class="zero" stroke-dasharray="4 4" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP:g}" y2="{_TOP + _HIGH:g}"/>'
    )
    for place, (name, colour, usd) in enumerate(_LINES):
        points = [(x(value), y(usd(cost))) for value, cost in zip(curve.at, curve.costs, strict=True)]
        told = [f"{_text(curve, at)}: {words.usd(usd(cost))} a day" for at, cost in enumerate(curve.costs)]
        parts += _line(points, told, name, colour)
        key = _LEFT + 8 + 110 * place
        parts.append(f'<circle class="dot {colour}" cx="{key:g}" cy="{_TOP - 34:g}" r="4"/>')
        parts.append(f'<text x="{key + 11:g}" y="{_TOP - 30:g}">{name}</text>')
    at, high = x(curve.at[curve.lowest]), y(best.together_usd)
    parts.append(f'<circle class="c2" fill="none" stroke="var(--c)" cx="{at:.1f}" cy="{high:.1f}" r="7"/>')
    if any(cost.together_usd > most for cost in curve.costs):
        parts.append(f'<text x="{_LEFT + _WIDE:g}" y="{_TOP - 10:g}" text-anchor="end">more above</text>')
    return framed(parts, _LEFT + _WIDE + _RIGHT, _TOP + _HIGH + 56)


def _axes(curve: Curve, most: float, x: Callable[[float], float], y: Callable[[float], float]) -> list[str]:
    parts = []
    for usd in round_ticks(most):
        parts.append(
            f'<line class="grid" x1="{_LEFT:g}" x2="{_LEFT + _WIDE:g}" y1="{y(usd):.1f}" y2="{y(usd):.1f}"/>'
            f'<text x="{_LEFT - 8:g}" y="{y(usd) + 4:.1f}" text-anchor="end">{_money(usd)}</text>'
        )
    last = -_LABEL
    for place, value in enumerate(curve.at):
        if x(value) - last < _LABEL:
            continue
        last = x(value)
        parts.append(
            f'<text x="{last:.1f}" y="{_TOP + _HIGH + 18:g}" text-anchor="middle">{escape(_text(curve, place))}</text>'
        )
    parts.append(
        f'<text x="{_LEFT + _WIDE:g}" y="{_TOP + _HIGH + 40:g}" text-anchor="end">{escape(curve.key)}</text>'
        f'<text x="{_LEFT - 8:g}" y="{_TOP - 10:g}" text-anchor="end">a day</text>'
    )
    return parts


def _text(curve: Curve, place: int) -> str:
    return curve.costs[place].values[curve.key]


def _money(usd: float) -> str:
    """An amount on the axis, without cents where there are none."""
    return words.usd(usd).removesuffix(".00")


def _line(points: Sequence[tuple[float, float]], told: Sequence[str], name: str, colour: str) -> list[str]:
    """The part of a line that is inside the picture, and a dot with its number for each point there."""
    parts = [
        f'<line class="{colour}" stroke="var(--c)" stroke-width="2" '
        f'x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}"/>'
        for one, other in pairwise(points)
        for a, b in [_inside(one, other)]
        if max(a[1], b[1]) >= _TOP
    ]
    for (at, high), text in zip(points, told, strict=True):
        if high >= _TOP:
            about = f"<title>{escape(f'{name}, {text}')}</title>"
            parts.append(f'<circle class="dot {colour}" cx="{at:.1f}" cy="{high:.1f}" r="3.4">{about}</circle>')
    return parts


def _inside(one: tuple[float, float], other: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """A stretch of a line cut where it leaves the picture at the top."""
    (x1, y1), (x2, y2) = one, other
    if (y1 < _TOP) == (y2 < _TOP):
        return one, other
    cut = (x1 + (x2 - x1) * (_TOP - y1) / (y2 - y1), _TOP)
    return (cut, other) if y1 < _TOP else (one, cut)
