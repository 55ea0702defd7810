"""The pictures of a tuning: the front of cost against the tail, and what each parameter does to the cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from sim.report.svg import framed, round_ticks
from sim.result import words
from sim.study.tuned.answer import Tuned
from sim.study.tuned.fresh import Fresh
from sim.study.tuned.race import Standing
from sim.study.tuned.space import Parameter

_WIDE, _HIGH, _LEFT, _TOP, _RIGHT = 560.0, 300.0, 84.0, 56.0, 24.0
_PANEL_WIDE, _PANEL_HIGH, _GAP = 250.0, 130.0, 76.0
_COLUMNS = 2
_WIDE_FROM = 15.0
_MOST_TICKS = 8
_MOST_LETTERS = 44
"""Of the head of a panel."""
_MOST_VALUE = 2.0
"""Of the picture of slices: dearer points stand at its upper edge."""
Scale = Callable[[float], float]


def front_picture(found: Tuned) -> str:
    """Cost against the p99 of everything that was measured on fresh seeds, as an SVG; filled: on the front."""
    dots = _dots(found)
    tails = [fresh.tail_s for _, fresh, _, _ in dots if math.isfinite(fresh.tail_s)]
    x, cost_ticks = _scale([fresh.cost for _, fresh, _, _ in dots], _LEFT, _LEFT + _WIDE)
    y, tail_ticks = (_logarithmic if _is_wide(tails) else _scale)(tails or [0.0], _TOP + _HIGH, _TOP)
    parts = [f'<text class="title" x="{_LEFT:g}" y="26">Cost an hour against the p99, on fresh seeds</text>']
    for tick in cost_ticks:
        parts.append(
            f'<text x="{x(tick):.1f}" y="{_TOP + _HIGH + 18:g}" text-anchor="middle">{escape(words.usd(tick))}</text>'
        )
    for tick in tail_ticks:
        parts.append(
            f'<line class="grid" x1="{_LEFT:g}" x2="{_LEFT + _WIDE:g}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
            f'<text x="{_LEFT - 8:g}" y="{y(tick) + 4:.1f}" text-anchor="end">{escape(words.duration(tick))}</text>'
        )
    for name, fresh, colour, mark in dots:
        if not math.isfinite(fresh.tail_s):
            continue
        about = escape(f"{name}: {words.usd(fresh.cost)} an hour, p99 {words.duration(fresh.tail_s)}")
        spot = f'cx="{x(fresh.cost):.1f}" cy="{y(fresh.tail_s):.1f}" r="4.5"'
        parts.append(f'<circle class="{mark} {colour}" {spot}><title>{about}</title></circle>')
    legend = {"as it is": "c4", "finalists": "c0", "best": "c2", "fixed": "c1", "clairvoyant": "c3"}
    for place, (name, colour) in enumerate(legend.items()):
        at = _LEFT + 110 * place
        parts.append(f'<circle class="dot {colour}" cx="{at:g}" cy="{_TOP + _HIGH + 40:g}" r="4"/>')
        parts.append(f'<text x="{at + 10:g}" y="{_TOP + _HIGH + 44:g}">{name}</text>')
    return framed(parts, _LEFT + _WIDE + _RIGHT, _TOP + _HIGH + 60)


def _dots(found: Tuned) -> list[tuple[str, Fresh, str, str]]:
    """Name, what was measured, colour, and whether it is filled."""
    dots = [("as it is", found.baseline.fresh, "c4", _mark(found.baseline.on_front))]
    for place, point in enumerate(found.points, start=1):
        is_best = point is found.best
        name = f"finalist {place}{', best' if is_best else ''} (on the front {point.membership:.0%})"
        dots.append((name, point.fresh, "c2" if is_best else "c0", _mark(point.on_front)))
    if found.fixed is not None:
        dots.append(("fixed", found.fixed.fresh, "c1", "dot"))
    if found.clairvoyant is not None:
        dots.append(("clairvoyant", found.clairvoyant.fresh, "c3", "dot"))
    return dots


def _mark(is_on: bool) -> str:
    return "dot" if is_on else "hollow"


def slices_picture(found: Tuned) -> str:
    """Of each parameter, the points of the search over its values, as an SVG; filled: keeps what is needed.

    These are the search's own numbers, on few runs: they show a shape, not a result.
    """
    order = sorted(found.space, key=lambda one: -found.importance.get(one.key, 0.0))
    parts = [f'<text class="title" x="{_LEFT:g}" y="26">What the search saw, relative to the scenario as it is</text>']
    for place, parameter in enumerate(order):
        left = _LEFT + (place % _COLUMNS) * (_PANEL_WIDE + _GAP)
        top = _TOP + 10 + (place // _COLUMNS) * (_PANEL_HIGH + _GAP)
        parts += _panel(found, parameter, left, top)
    parts += _legend(_LEFT + 420, {"keeps what is needed": "dot c0", "misses it": "hollow c4"})
    rows = -(-len(order) // _COLUMNS)
    wide = _LEFT + _COLUMNS * _PANEL_WIDE + (_COLUMNS - 1) * _GAP + _RIGHT
    return framed(parts, wide, _TOP + rows * (_PANEL_HIGH + _GAP))


def _legend(left: float, marks: Mapping[str, str]) -> list[str]:
    parts = []
    for place, (name, mark) in enumerate(marks.items()):
        at = 16 + 16 * place
        parts.append(f'<circle class="{mark}" cx="{left:g}" cy="{at:g}" r="3"/>')
        parts.append(f'<text x="{left + 10:g}" y="{at + 4:g}">{escape(name)}</text>')
    return parts


def _panel(found: Tuned, parameter: Parameter, left: float, top: float) -> list[str]:
    share = found.importance.get(parameter.key)
    name = _short(parameter.key, len(found.scenario.pools) > 1)
    head = name if share is None else f"{name} ({share:.0%})"
    at = _axis(parameter, left)
    least = min((one.value for one in found.standings), default=0.0)
    most = max(min(max((one.value for one in found.standings), default=1.0), _MOST_VALUE), least + 1e-9)

    def y(value: float) -> float:
        return top + _PANEL_HIGH * (1 - (min(value, most) - least) / (most - least))

    parts = [f'<text class="head" x="{left:g}" y="{top - 8:g}">{escape(head[-_MOST_LETTERS:])}</text>']
    for value in (least, most):
        parts.append(f'<text x="{left - 6:g}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>')
        parts.append(
            f'<line class="grid" x1="{left:g}" x2="{left + _PANEL_WIDE:g}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        )
    parts += [_search_dot(one, at(parameter.text_in(one.candidate.values)), y(one.value)) for one in found.standings]
    for text, anchor, x in _labels(parameter, left):
        parts.append(f'<text x="{x:.1f}" y="{top + _PANEL_HIGH + 18:g}" text-anchor="{anchor}">{escape(text)}</text>')
    return parts


def _short(key: str, several: bool) -> str:
    """A key without what all have in common: `metrics.0.target` of `pools.chat.autoscaler.metrics.0.target`."""
    steps = key.split(".")
    if len(steps) > 3 and steps[0] == "pools":
        steps = [*([steps[1]] if several else []), *(steps[3:] if steps[2] == "autoscaler" else steps[2:])]
    return ".".join(steps)


def _search_dot(one: Standing, x: float, y: float) -> str:
    mark = "dot c0" if one.missed <= 0 else "hollow c4"
    return f'<circle class="{mark}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'


def _axis(parameter: Parameter, left: float) -> Callable[[str], float]:
    """Where a value stands in a panel."""
    if parameter.choices:
        count = max(len(parameter.choices) - 1, 1)
        return lambda text: left + _PANEL_WIDE * parameter.choices.index(text) / count
    say = math.log if parameter.log else float
    low, high = say(parameter.low), say(parameter.high)
    cut = len(parameter.unit)
    return lambda text: left + _PANEL_WIDE * (say(float(text[: len(text) - cut])) - low) / (high - low)


def _labels(parameter: Parameter, left: float) -> list[tuple[str, str, float]]:
    ends: Sequence[str]
    if parameter.choices:
        ends = (parameter.choices[0], parameter.choices[-1])
    else:
        ends = (parameter.text(parameter.low), parameter.text(parameter.high))
    return [(ends[0], "start", left), (ends[1], "end", left + _PANEL_WIDE)]


def _is_wide(values: Sequence[float]) -> bool:
    """Whether the least of some values would not be seen beside the largest."""
    return bool(values) and 0 < _WIDE_FROM * min(values) < max(values)


def _logarithmic(values: Sequence[float], first: float, last: float) -> tuple[Scale, list[float]]:
    """From values above 0 to places between two, by their logarithms, and 1, 2 and 5 of each decade on the way."""
    low, high = min(values) / 1.3, max(values) * 1.3
    span = math.log(high / low)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [times * 10.0**decade for decade in decades for times in (1, 2, 5)]
    inside = [tick for tick in ticks if low <= tick <= high]
    few = inside if len(inside) <= _MOST_TICKS else inside[:: -(-len(inside) // _MOST_TICKS)]
    return (lambda value: first + (last - first) * math.log(max(value, low) / low) / span), few


def _scale(values: Sequence[float], first: float, last: float) -> tuple[Scale, list[float]]:
    """From values to places between two, beginning at 0, and round values on the way."""
    most = max(max(values), 1e-12) * 1.05
    return (lambda value: first + (last - first) * value / most), round_ticks(most)
