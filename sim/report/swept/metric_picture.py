"""The pictures of one number of a sweep: over the values of the first key with intervals, and as a map of two keys."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from sim.report.comparison.words import names
from sim.report.drawing.axes import duration_axis, room, told_axis
from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.palette import series
from sim.report.drawing.whiskers import whiskers
from sim.report.swept.values import places, value_axis
from sim.study.swept.metrics import called, teller
from sim.study.swept.sweep import Run, number

_WIDE_FROM = 30.0
"""Times of which the largest is so much larger than the least are drawn by their logarithm."""
_MOST_CELLS_TOLD = 60
_STRONGEST = 0.55
"""Of the colour, in the cell with the most: words are to be read on it."""
_NAMES = {"utilization.busy_share": "busy share of ready replica time"}


def key_of(path: str) -> str:
    """The name of a number's picture and of its file."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", path)


def of_metric(path: str, keys: Sequence[str], runs: Sequence[Run]) -> Figure:
    """A number, by its dotted path, over the values of the first of the keys (at least one); a line for the others.

    Points that have not the number are left out.
    """
    name, tell = _name(path, runs), teller(path)
    found = _lines(path, keys, runs)
    title = name if found else f"{name}: no point has it"
    if not found:
        return Figure(key_of(path), title, "", {"data": [], "layout": {}}, "short")
    at = places(keys[0], runs)
    data = [_line(line, place, rest, tell, keys[0], path, at) for place, (rest, line) in enumerate(found.items())]
    ends = [end for line in found.values() for run in line for end in _ends(run, path)]
    positive = [end for end in ends if end > 0]
    is_time = tell(1.0) == "1 s"
    if is_time and positive and min(ends) > 0 and max(positive) > _WIDE_FROM * min(positive):
        axis = duration_axis(np.array(positive), html.escape(name))
    else:
        axis = told_axis(room(ends, 0.06, 0.06, zero=not path.endswith(".attained")), tell, html.escape(name))
    layout = {"xaxis": value_axis(list(at.values()), list(at), keys[0]), "yaxis": axis, "hovermode": "closest"}
    caption = f"{name} at each value that was run"
    caption += ", with 95% intervals." if any("error_y" in trace for trace in data) else "."
    return Figure(key_of(path), title, caption, {"data": data, "layout": layout})


def _name(path: str, runs: Sequence[Run]) -> str:
    """What people call a number, else its path."""
    summary = next((run.summary for run in runs if run.summary is not None), None)
    known = names(summary) if summary is not None and "slo" in summary else {}
    return called(path) or known.get(path) or _NAMES.get(path) or path


def _lines(path: str, keys: Sequence[str], runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs that have the number, by the values of the other keys."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        if _value(run, path) is not None:
            rest = ", ".join(f"{key.rpartition('.')[2]}={run.values.get(key, '')}" for key in keys[1:])
            found.setdefault(rest, []).append(run)
    return found


def _value(run: Run, path: str) -> float | None:
    value: Any = None if run.summary is None else number(run.summary, path)
    return value if isinstance(value, (int, float)) and math.isfinite(value) else None


def _ends(run: Run, path: str) -> tuple[float, float]:
    value = _value(run, path)
    assert value is not None, "only points that have the number"
    low, high = (run.summary or {}).get("intervals", {}).get(path, (value, value))
    return low, high


def _line(line: Sequence[Run], place: int, rest: str, tell: Any, key: str, path: str, at: dict[str, float]) -> Plot:
    line = sorted(line, key=lambda run: at[run.values.get(key, "")])
    values = [_value(run, path) for run in line]
    ends = [_ends(run, path) for run in line]
    told = [
        f"{rest + ', ' if rest else ''}{run.values.get(key, '')}: {tell(value)}"
        + (f" ({tell(low)} to {tell(high)})" if high > low else "")
        for run, value, (low, high) in zip(line, values, ends, strict=True)
    ]
    colour = series(place)
    trace: Plot = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": html.escape(rest or called(path) or path),
        "showlegend": bool(rest),
        "x": [at[run.values.get(key, "")] for run in line],
        "y": values,
        "line": {"color": colour, "width": 2},
        "marker": {"color": colour, "size": 7},
        "text": [html.escape(each) for each in told],
        "hovertemplate": "%{text}<extra></extra>",
    }
    if any(high > low for low, high in ends):
        trace["error_y"] = whiskers([value or 0 for value in values], ends, colour)
    return trace


def heat_of(path: str, keys: Sequence[str], runs: Sequence[Run]) -> Figure | None:
    """The number over two keys as a map; None unless there are just two, each with two values or more."""
    if len(keys) != 2:
        return None
    columns, rows = (list(places(key, runs)) for key in keys)
    values = {(run.values.get(keys[0], ""), run.values.get(keys[1], "")): _value(run, path) for run in runs}
    known = [value for value in values.values() if value is not None]
    if min(len(columns), len(rows)) < 2 or len(known) < 2:
        return None
    name, tell = _name(path, runs), teller(path)
    is_log = min(known) > 0 and max(known) > _WIDE_FROM * min(known)
    grid = [[values.get((column, row)) for column in columns] for row in rows]
    z = [[None if value is None else math.log10(value) if is_log else value for value in row] for row in grid]
    shades = [value for row in z for value in row if value is not None]
    least, spread = min(shades), (max(shades) - min(shades)) or 1.0
    trace: Plot = {
        "type": "heatmap",
        "name": name,
        "x": [html.escape(each) for each in columns],
        "y": [html.escape(each) for each in rows],
        "z": z,
        "text": [[tell(value) for value in row] for row in grid],
        "hovertemplate": f"{html.escape(keys[0])} %{{x}}, {html.escape(keys[1])} %{{y}}: %{{text}}<extra></extra>",
        "colorscale": [[0, "var(--card)"], [1, "var(--orange)"]],
        "zmin": least,
        "zmax": least + spread / _STRONGEST,
        "showscale": False,
        "showlegend": False,
    }
    if len(columns) * len(rows) <= _MOST_CELLS_TOLD:
        trace |= {"texttemplate": "%{text}", "textfont": {"color": "var(--text)"}}
    layout = {
        "xaxis": {"type": "category", "title": {"text": html.escape(keys[0])}, "showgrid": False},
        "yaxis": {"type": "category", "title": {"text": html.escape(keys[1])}, "showgrid": False},
        "hovermode": "closest",
    }
    caption = (
        f"{name} at each pair of values: the stronger the colour, the more{', by its logarithm' if is_log else ''}."
    )
    return Figure(f"map-{key_of(path)}", f"{name} over both keys", caption, {"data": [trace], "layout": layout})
