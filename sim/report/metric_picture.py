"""The picture of one number of a sweep: over the values of the first key, with intervals, a line for the other keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from sim.report.svg import COLOURS, framed, round_ticks
from sim.study.swept.cheapest import quantities
from sim.study.swept.metrics import called, teller
from sim.study.swept.sweep import Run, number

_WIDE, _HIGH, _LEFT, _TOP, _RIGHT = 560.0, 300.0, 96.0, 56.0, 24.0
_ROW = 18.0
"""Height of a line of the key."""
_LABEL = 56.0
"""Width that a label of the axis needs."""
_CAP = 4.0
"""Half the width of the ends of an error bar."""


@dataclass(frozen=True)
class _Dot:
    """One point: where it is on the axis, its value, and the ends of its interval."""

    at: float
    label: str
    value: float
    low: float
    high: float


def of_metric(path: str, keys: Sequence[str], runs: Sequence[Run]) -> str:
    """The SVG of a number, by its dotted path, over the values of the first of the keys (at least one).

    Points that have not the number are left out. The same runs give the same bytes.
    """
    lines = _lines(path, keys, runs)
    dots = [dot for line in lines.values() for dot in line]
    tell = teller(path)
    parts = [f'<text class="title" x="{_LEFT:g}" y="26">{escape(called(path) or path)}</text>']
    if not dots:
        return framed([*parts, f'<text x="{_LEFT:g}" y="50">no point has it</text>'], _LEFT + _WIDE, _TOP)
    most = max(max(dot.high for dot in dots), 0.0)
    least = min(min(dot.low for dot in dots), 0.0)
    span = (most - least) * 1.04 or 1.0
    left, right = min(dot.at for dot in dots), max(dot.at for dot in dots)

    def x(at: float) -> float:
        return _LEFT + (_WIDE * (at - left) / (right - left) if right > left else _WIDE / 2)

    def y(value: float) -> float:
        return _TOP + _HIGH * (1 - (value - least) / span)

    parts += _axes(most, least, {dot.at: dot.label for dot in dots}, keys[0], x, y, tell)
    for place, (name, line) in enumerate(lines.items()):
        parts += _line(line, name, f"c{place % COLOURS}", x, y, tell)
    named = [(name, f"c{place % COLOURS}") for place, name in enumerate(lines) if name]
    below = _TOP + _HIGH + 62
    for place, (name, colour) in enumerate(named):
        parts.append(f'<circle class="dot {colour}" cx="{_LEFT:g}" cy="{below + place * _ROW - 4:g}" r="4"/>')
        parts.append(f'<text x="{_LEFT + 11:g}" y="{below + place * _ROW:g}">{escape(name)}</text>')
    return framed(parts, _LEFT + _WIDE + _RIGHT, below + len(named) * _ROW)


def _lines(path: str, keys: Sequence[str], runs: Sequence[Run]) -> dict[str, list[_Dot]]:
    """The dots of each combination of the other keys' values, from left to right."""
    labels = list(dict.fromkeys(run.values.get(keys[0], "") for run in runs))
    numbers = quantities(labels)
    at = dict(zip(labels, numbers if numbers is not None else range(len(labels)), strict=True))
    lines: dict[str, list[_Dot]] = {}
    for run in runs:
        value = None if run.summary is None else number(run.summary, path)
        if value is None:
            continue
        low, high = (run.summary or {}).get("intervals", {}).get(path, (value, value))
        rest = ", ".join(f"{key.rpartition('.')[2]}={run.values.get(key, '')}" for key in keys[1:])
        label = run.values.get(keys[0], "")
        lines.setdefault(rest, []).append(_Dot(float(at[label]), label, value, low, high))
    return {name: sorted(line, key=lambda dot: dot.at) for name, line in lines.items()}


def _axes(
    most: float,
    least: float,
    labels: dict[float, str],
    key: str,
    x: Callable[[float], float],
    y: Callable[[float], float],
    tell: Callable[[float | None], str],
) -> list[str]:
    parts = []
    for tick in [*round_ticks(max(most, 1e-12)), *(-tick for tick in round_ticks(max(-least, 1e-12))[1:] if least < 0)]:
        parts.append(
            f'<line class="grid" x1="{_LEFT:g}" x2="{_LEFT + _WIDE:g}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
            f'<text x="{_LEFT - 8:g}" y="{y(tick) + 4:.1f}" text-anchor="end">{escape(tell(tick))}</text>'
        )
    last = -_LABEL
    for at, label in sorted(labels.items()):
        if x(at) - last >= _LABEL:
            last = x(at)
            parts.append(f'<text x="{last:.1f}" y="{_TOP + _HIGH + 18:g}" text-anchor="middle">{escape(label)}</text>')
    end = f'x="{_LEFT + _WIDE:g}" y="{_TOP + _HIGH + 38:g}" text-anchor="end"'
    return [*parts, f"<text {end}>{escape(key)}</text>"]


def _line(
    dots: Sequence[_Dot],
    name: str,
    colour: str,
    x: Callable[[float], float],
    y: Callable[[float], float],
    tell: Callable[[float | None], str],
) -> list[str]:
    stroke = f'<line class="{colour}" stroke="var(--c)"'
    parts = [
        f'{stroke} stroke-width="2" x1="{x(a.at):.1f}" y1="{y(a.value):.1f}" x2="{x(b.at):.1f}" y2="{y(b.value):.1f}"/>'
        for a, b in pairwise(dots)
    ]
    for dot in dots:
        here, told = x(dot.at), tell(dot.value)
        if dot.high > dot.low:
            low, high = y(dot.low), y(dot.high)
            parts.append(f'{stroke} x1="{here:.1f}" y1="{low:.1f}" x2="{here:.1f}" y2="{high:.1f}"/>')
            for end in (low, high):
                parts.append(f'{stroke} x1="{here - _CAP:.1f}" y1="{end:.1f}" x2="{here + _CAP:.1f}" y2="{end:.1f}"/>')
            told += f" ({tell(dot.low)} to {tell(dot.high)})"
        about = escape(f"{f'{name}, ' if name else ''}{dot.label}: {told}")
        spot = f'cx="{here:.1f}" cy="{y(dot.value):.1f}" r="3.4"'
        parts.append(f'<circle class="dot {colour}" {spot}><title>{about}</title></circle>')
    return parts
