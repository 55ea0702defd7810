"""The pictures of a tuning: the front of cost against the tail, and what each parameter does to the cost."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np

from sim.report.drawing.axes import duration_axis, room, told_axis, usd
from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.panels import grid
from sim.report.drawing.whiskers import whiskers
from sim.result import words
from sim.study.tuned.answer import Tuned
from sim.study.tuned.fresh import Fresh
from sim.study.tuned.space import Parameter

_WIDE_FROM = 15.0
_MOST_LETTERS = 44
"""Of the head of a panel."""
_MOST_VALUE = 2.0
"""Of the picture of slices: dearer points stand at its upper edge."""
SEEN = (
    "Each point is one that the search looked at, its cost relative to the scenario as it is. These are the search's "
    "own numbers, on few runs: they show a shape, not a result."
)


def front_picture(found: Tuned) -> Figure:
    """Cost against the p99 of everything that was measured on fresh seeds; filled: on the front."""
    groups = _groups(found)
    every = [fresh for _, _, points in groups for _, fresh, _ in points]
    tails = [fresh.tail_s for fresh in every if math.isfinite(fresh.tail_s)]
    wide = bool(tails) and 0 < _WIDE_FROM * min(tails) < max(tails)
    ends = [end for fresh in every for end in _ends(fresh, "p99_s", fresh.tail_s) if end > 0]
    axis = duration_axis(np.array(ends), "p99") if wide else told_axis(room(tails, 0, 0.1, True), words.duration, "p99")
    costs = [end for fresh in every for end in _ends(fresh, "usd_per_hour", fresh.cost)]
    layout = {
        "xaxis": told_axis(room(costs, 0.05, 0.08, zero=True), usd, "USD an hour"),
        "yaxis": axis,
        "hovermode": "closest",
    }
    data = [_staircase(found), *(_marks(*group) for group in groups)]
    caption = (
        "Everything that was measured on fresh seeds, with 95% intervals: left and low is better. Filled points are on "
        "the front: nothing else is both cheaper and faster."
    )
    plot = {"data": [trace for trace in data if trace["x"]], "layout": layout}
    return Figure("front", "Cost an hour against the p99, on fresh seeds", caption, plot)


_Dot = tuple[str, Fresh, bool]
"""What it is, what was measured, whether it is on the front."""


def _groups(found: Tuned) -> list[tuple[str, str, list[_Dot]]]:
    """By what they are: a name, a colour, and their points."""
    finalists = [
        (f"finalist {place} (on the front {point.membership:.0%})", point.fresh, point.on_front)
        for place, point in enumerate(found.points, start=1)
        if point is not found.best
    ]
    best = [
        (f"finalist {place}, best (on the front {point.membership:.0%})", point.fresh, point.on_front)
        for place, point in enumerate(found.points, start=1)
        if point is found.best
    ]
    references = [
        (name, colour, [] if other is None else [(name, other.fresh, True)])
        for name, colour, other in (
            ("fixed", "var(--orange)", found.fixed),
            ("clairvoyant", "var(--violet)", found.clairvoyant),
        )
    ]
    return [
        ("as it is", "var(--red)", [("as it is", found.baseline.fresh, found.baseline.on_front)]),
        ("finalists", "var(--blue)", finalists),
        ("best", "var(--teal)", best),
        *references,
    ]


def _marks(name: str, colour: str, points: Sequence[_Dot]) -> Plot:
    kept = [one for one in points if math.isfinite(one[1].tail_s)]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [fresh.cost for _, fresh, _ in kept],
        "y": [fresh.tail_s for _, fresh, _ in kept],
        "error_x": _errors(kept, "usd_per_hour", colour),
        "error_y": _errors(kept, "p99_s", colour),
        "marker": {
            "color": colour,
            "size": 11 if name == "best" else 9,
            "symbol": ["circle" if is_on else "circle-open" for _, _, is_on in kept],
        },
        "text": [
            html.escape(f"{told}: {words.usd(fresh.cost)} an hour, p99 {words.duration(fresh.tail_s)}")
            for told, fresh, _ in kept
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _ends(fresh: Fresh, name: str, value: float) -> tuple[float, float]:
    found = fresh.plain()["intervals"][name]
    usable = found is not None and all(math.isfinite(end) for end in found)
    return (min(found[0], value), max(found[1], value)) if usable else (value, value)


def _errors(points: Sequence[_Dot], name: str, colour: str) -> Plot:
    values = [fresh.cost if name == "usd_per_hour" else fresh.tail_s for _, fresh, _ in points]
    ends = [_ends(fresh, name, value) for (_, fresh, _), value in zip(points, values, strict=True)]
    return whiskers(values, ends, colour, width=3, is_log=True)


def _staircase(found: Tuned) -> Plot:
    """The front as a line: what is above and to the right of it is both dearer and slower."""
    kept = [point.fresh for point in found.front if math.isfinite(point.fresh.tail_s)]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "front",
        "x": [fresh.cost for fresh in kept],
        "y": [fresh.tail_s for fresh in kept],
        "line": {"color": "var(--grey)", "width": 1.5, "dash": "dot", "shape": "hv"},
        "hoverinfo": "skip",
    }


# -- slices ------------------------------------------------------------------------------------------------------------


def slices_picture(found: Tuned) -> Figure:
    """Of each parameter, the points of the search over its values: all of them in one picture."""
    panels = [(_cut(_head(found, one)), _slice(found, one)) for one in _order(found)]
    rows = -(-len(panels) // 2)
    plot = grid(panels, min(2, len(panels)), 0.1, 0.16 / max(rows, 1) + 0.02) if panels else {"data": [], "layout": {}}
    title = "What the search saw, relative to the scenario as it is"
    return Figure("slices", title, SEEN, plot, "wide" if rows < 3 else "tall")


def slice_figures(found: Tuned) -> tuple[Figure, ...]:
    """The same, a picture a parameter."""
    return tuple(
        Figure(f"slice-{place}", _head(found, one), "Cost over its values, the scenario as it is: 1.", plot, "short")
        for place, one in enumerate(_order(found))
        for plot in (_slice(found, one),)
    )


def _order(found: Tuned) -> list[Parameter]:
    return sorted(found.space, key=lambda one: -found.importance.get(one.key, 0.0))


def _head(found: Tuned, parameter: Parameter) -> str:
    share = found.importance.get(parameter.key)
    name = _short(parameter.key, len(found.scenario.pools) > 1)
    return name if share is None else f"{name} ({share:.0%})"


def _cut(said: str) -> str:
    return said if len(said) <= _MOST_LETTERS else f"…{said[1 - _MOST_LETTERS :]}"


def _short(key: str, several: bool) -> str:
    """A key without what all have in common: `metrics.0.target` of `pools.chat.autoscaler.metrics.0.target`."""
    steps = key.split(".")
    if len(steps) > 3 and steps[0] == "pools":
        steps = [*([steps[1]] if several else []), *(steps[3:] if steps[2] == "autoscaler" else steps[2:])]
    return ".".join(steps)


def _slice(found: Tuned, parameter: Parameter) -> Plot:
    values = [one.value for one in found.standings]
    least = min(values, default=0.0)
    most = max(min(max(values, default=1.0), _MOST_VALUE), least + 1e-9)
    data = []
    for name, colour, symbol, keeps in (
        ("keeps what is needed", "var(--blue)", "circle", True),
        ("misses it", "var(--red)", "circle-open", False),
    ):
        kept = [one for one in found.standings if (one.missed <= 0) == keeps]
        texts = [parameter.text_in(one.candidate.values) for one in kept]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [_place(parameter, text) for text in texts],
                "y": [min(one.value, most) for one in kept],
                "marker": {"color": colour, "symbol": symbol, "size": 6},
                "text": [html.escape(f"{text}: {one.value:.3f}") for text, one in zip(texts, kept, strict=True)],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    layout = {
        "xaxis": _axis(parameter),
        "yaxis": told_axis(room((least, most), 0.06, 0.06), lambda value: f"{value:.4g}", "", 4),
        "hovermode": "closest",
    }
    return {"data": data, "layout": layout}


def _place(parameter: Parameter, text: str) -> float:
    """Where a value stands: a choice by its number, a quantity by itself or by its logarithm."""
    if parameter.choices:
        return float(parameter.choices.index(text))
    number = float(text[: len(text) - len(parameter.unit)])
    return math.log10(number) if parameter.log else number


def _axis(parameter: Parameter) -> Plot:
    if parameter.choices:
        ticks = [(float(place), text) for place, text in enumerate(parameter.choices)]
    else:
        middle = math.sqrt(parameter.low * parameter.high) if parameter.log else (parameter.low + parameter.high) / 2
        said = list(dict.fromkeys(parameter.text(value) for value in (parameter.low, middle, parameter.high)))
        ticks = [(_place(parameter, text), text) for text in said]
    return {
        "range": list(room([place for place, _ in ticks], 0.06, 0.06)),
        "tickvals": [place for place, _ in ticks],
        "ticktext": [html.escape(text) for _, text in ticks],
        "title": {"text": ""},
    }
