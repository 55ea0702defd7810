"""The picture of a sweep with a price of slowness: what the fleet costs, what slowness costs, and both (a U)."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.whiskers import whiskers
from sim.report.swept.values import value_axis
from sim.result import words
from sim.study.swept.cheapest import Cost, Curve
from sim.study.swept.sweep import Run

_ROOM = 3.0
"""The picture ends at so many times the cheapest cost: an overloaded fleet would make all else look flat."""
_LINES: tuple[tuple[str, str, str, Callable[[Cost], float]], ...] = (
    ("fleet", "usd_per_day", "var(--blue)", lambda cost: cost.fleet_usd),
    ("slowness", "slowness_usd_per_day", "var(--orange)", lambda cost: cost.slowness_usd),
    ("together", "fleet_plus_slowness_usd_per_day", "var(--teal)", lambda cost: cost.together_usd),
)


def of_curve(curve: Curve, runs: Sequence[Run] = ()) -> Figure:
    """Costs a day over the values of a key; with the runs behind them, their intervals."""
    best = curve.costs[curve.lowest]
    most = min(max(cost.together_usd for cost in curve.costs), _ROOM * best.together_usd)
    most = max(most, max(cost.fleet_usd for cost in curve.costs), 1e-9) * 1.04
    labels = [cost.values[curve.key] for cost in curve.costs]
    at = curve.at[curve.lowest]
    layout: Plot = {
        "xaxis": value_axis(curve.at, labels, curve.key),
        "yaxis": {"range": [0, most], "tickprefix": "$", "title": {"text": "USD a day"}},
        "shapes": [
            {
                "type": "line",
                "x0": at,
                "x1": at,
                "yref": "y domain",
                "y0": 0,
                "y1": 1,
                "line": {"color": "var(--muted)", "width": 1.2, "dash": "dash"},
            }
        ],
    }
    above = any(cost.together_usd > most for cost in curve.costs)
    caption = (
        "More capacity costs more and makes less wait: the sum of both falls, then rises. The dashed line is the "
        f"cheapest value that was run{'; what costs more than the picture is high is above it' if above else ''}."
    )
    title = f"Cheapest at {labels[curve.lowest]}: {words.usd(best.together_usd)} a day"
    data = [_line(curve, runs, *line) for line in _LINES]
    return Figure("sweep", title, caption, {"data": data, "layout": layout}, "small")


def _line(curve: Curve, runs: Sequence[Run], name: str, metric: str, colour: str, usd: Callable[[Cost], float]) -> Plot:
    values = [usd(cost) for cost in curve.costs]
    halves = [_half(cost, metric, runs) for cost in curve.costs]
    told = [
        f"{name}, {cost.values[curve.key]}: {words.usd(value)} a day" + (f" ± {words.usd(half)}" if half else "")
        for cost, value, half in zip(curve.costs, values, halves, strict=True)
    ]
    sizes = [11 if place == curve.lowest and name == "together" else 7 for place in range(len(values))]
    trace: Plot = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": list(curve.at),
        "y": values,
        "line": {"color": colour, "width": 2.2},
        "marker": {"color": colour, "size": sizes},
        "text": [html.escape(each) for each in told],
        "hovertemplate": "%{text}<extra></extra>",
    }
    if any(halves):
        ends = [(value - half, value + half) for value, half in zip(values, halves, strict=True)]
        trace["error_y"] = whiskers(values, ends, colour)
    return trace


def _half(cost: Cost, metric: str, runs: Sequence[Run]) -> float:
    """Half of the interval of the run behind a cost; 0 where there are several, which differ by their seed."""
    behind = [run for run in runs if cost.values.items() <= run.values.items()]
    ends = behind[0].intervals.get(metric) if len(behind) == 1 and cost.runs == 1 else None
    return 0.0 if ends is None else (ends[1] - ends[0]) / 2
