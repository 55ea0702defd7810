"""The picture of a search along a key: how the service ends at each value that was run, and where it turns."""

from __future__ import annotations

import html

from sim.report.drawing.figure import Figure, Plot
from sim.report.swept.values import value_axis
from sim.result import words
from sim.study.swept.turning import Found

_HOLDS = {"trigger": ("collapsed after the burst", "survives it"), "escape": ("recovers", "does not recover")}
_COLOURS = {"trigger": ("var(--red)", "var(--teal)"), "escape": ("var(--teal)", "var(--red)")}


def of_search(found: Found) -> Figure:
    """The share of the last quarter's requests that are answered in time, over the values."""
    texts = {value: found.along.text(value) for value in found.runs}
    data = [
        _trace(found, holds, name, colour)
        for holds, name, colour in zip((True, False), _HOLDS[found.what], _COLOURS[found.what], strict=True)
    ]
    layout: Plot = {
        "xaxis": value_axis(list(texts), list(texts.values()), found.along.key),
        "yaxis": {"tickformat": ".0%", "range": [-0.03, 1.05], "title": {"text": "in time at the end"}},
        "hovermode": "closest",
        "shapes": [] if found.bracket is None else [_bracket(*found.bracket)],
    }
    caption = (
        "Of the requests that come in the last quarter of the measured time, the share that is answered in time. The "
        "band is where it turns."
    )
    kept = [trace for trace in data if trace["x"]]
    return Figure("search", f"Where it turns along {found.along.key}", caption, {"data": kept, "layout": layout})


def _bracket(one: float, other: float) -> Plot:
    return {
        "type": "rect",
        "x0": min(one, other),
        "x1": max(one, other),
        "yref": "y domain",
        "y0": 0,
        "y1": 1,
        "fillcolor": "var(--orange-soft)",
        "line": {"width": 0},
        "layer": "below",
    }


def _trace(found: Found, holds: bool, name: str, colour: str) -> Plot:
    runs = [(value, run) for value, run in sorted(found.runs.items()) if found.holds(run) == holds]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [value for value, _ in runs],
        "y": [run.in_time_at_end_share for _, run in runs],
        "marker": {"color": colour, "size": 10},
        "text": [
            html.escape(
                f"{found.along.text(value)}: {name}, {words.share(run.in_time_at_end_share)} in time at the end"
            )
            for value, run in runs
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }
