"""Spend against waiting: what each point of a sweep costs a day, and how long people wait there."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from sim.report.drawing.axes import duration_axis, room, told_axis, usd
from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.whiskers import whiskers
from sim.result import words
from sim.study.swept.sweep import Run, number

_COST = "cost.usd_per_day"
_WAITS = {"latency.ttft_s.p99": "p99 TTFT", "latency.queue_wait_s.mean": "mean wait"}
_MOST_NAMED = 16


def of_spend(keys: Sequence[str], runs: Sequence[Run]) -> Figure | None:
    """Cost over the p99 TTFT, else over the mean wait; None where fewer than two points have both."""
    for path, name in _WAITS.items():
        points = [run for run in runs if _both(run, path)]
        if len(points) > 1 and len({number(run.summary or {}, _COST) for run in points}) > 1:
            return _figure(keys, points, path, name)
    return None


def _both(run: Run, path: str) -> bool:
    summary = run.summary or {}
    return bool(number(summary, path)) and number(summary, _COST) is not None


def _figure(keys: Sequence[str], points: Sequence[Run], path: str, name: str) -> Figure:
    kept = [run for run in points if not _misses(run)]
    shown_s = [end for run in points for end in _ends(run, path) if end > 0]
    spent = [end for run in points for end in _ends(run, _COST)]
    data = [
        _trace(keys, [run for run in points if (run in kept) == is_kept], path, name, is_kept, len(points))
        for is_kept in (True, False)
    ]
    promised = any(run.summary and run.summary["slo"] for run in points)
    data[0]["name"] = "keeps every objective" if promised else "points"
    layout = {
        "xaxis": told_axis(room(spent, 0.08, 0.12), usd, "the fleet, USD a day"),
        "yaxis": duration_axis(np.array(shown_s), name),
        "hovermode": "closest",
    }
    caption = f"What each point costs a day, and its {name}, with 95% intervals: left and low is better."
    return Figure(
        "spend", "Spend against waiting", caption, {"data": [one for one in data if one["x"]], "layout": layout}
    )


def _trace(keys: Sequence[str], points: Sequence[Run], path: str, name: str, is_kept: bool, many: int) -> Plot:
    colour = "var(--teal)" if is_kept else "var(--red)"
    said = [", ".join(run.values.get(key, "") for key in keys) for run in points]
    costs, waits = ([float(number(run.summary or {}, of)) for run in points] for of in (_COST, path))
    told = [
        f"{run.told}: {words.usd(cost)} a day, {name} {words.duration(wait)}"
        for run, cost, wait in zip(points, costs, waits, strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "markers+text" if many <= _MOST_NAMED else "markers",
        "name": "misses an objective",
        "x": costs,
        "y": waits,
        "error_x": whiskers(costs, [_ends(run, _COST) for run in points], colour, is_log=True),
        "error_y": whiskers(waits, [_ends(run, path) for run in points], colour, is_log=True),
        "marker": {"color": colour, "size": 9, "symbol": "circle" if is_kept else "circle-open"},
        "text": [html.escape(each) for each in said],
        "textposition": "top right",
        "hovertext": [html.escape(each) for each in told],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _misses(run: Run) -> bool:
    return any(target["met"] is False for target in (run.summary or {}).get("slo", ()))


def _ends(run: Run, path: str) -> tuple[float, float]:
    value = number(run.summary or {}, path)
    low, high = ((run.summary or {}).get("intervals") or {}).get(path, (value, value))
    return float(low), float(high)
