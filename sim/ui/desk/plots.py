"""The three charts of the page as Plotly dictionaries. The one file that knows the figure builders of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sim.report.drawing.axes import duration_axis
from sim.report.run.fleet import fleet_figures
from sim.report.run.tail import latency_tail
from sim.result import Result, words

__all__ = ["curve", "tail", "timeline"]

Plot = dict[str, Any]
Point = dict[str, Any]
_LOG_FROM = 20.0
"""Waits that are so many times each other are shown by their ratios."""
_ROOM = 4.0
"""The curve of costs is cut at so many times its lowest point: an overloaded fleet would make all else look flat."""


def tail(result: Result) -> Plot:
    """How many requests take longer than x, with the targets."""
    return latency_tail(result).plot


def timeline(result: Result, pool: str) -> Plot:
    """Load, waiting requests and replicas by state of a pool over time."""
    return fleet_figures(result)[result.log.pools.index(pool)].plot


def curve(points: Sequence[Point], now: int, metric: str, size: str) -> Plot:
    """Spend against waiting over fleet sizes: in money where slowness has a price, else with the wait on its axis."""
    if any(point["slowness_usd_per_day"] is not None for point in points):
        return _money(points, now, size)
    return _waits(points, now, metric, size)


def _money(points: Sequence[Point], now: int, size: str) -> Plot:
    fleet = [point["usd_per_day"] or 0.0 for point in points]
    slowness = [point["slowness_usd_per_day"] or 0.0 for point in points]
    both = [one + other for one, other in zip(fleet, slowness, strict=True)]
    lines = (("fleet", fleet, "--blue"), ("slowness", slowness, "--orange"), ("together", both, "--teal"))
    data = [
        _line(points, values, name, colour, [words.usd(value) for value in values]) for name, values, colour in lines
    ]
    best = min(range(len(both)), key=both.__getitem__)
    data.append(_ring([points[best]["replicas"]], [both[best]], "cheapest", "--teal", words.usd(both[best])))
    most = max(max(fleet), min(max(both), _ROOM * both[best]), 1e-9)
    axis = {"title": {"text": "USD a day"}, "tickprefix": "$", "range": [0, 1.05 * most]}
    return {"data": data, "layout": _layout(now, size, axis)}


def _waits(points: Sequence[Point], now: int, metric: str, size: str) -> Plot:
    name = {"ttft": "p99 time to first token", "queue_wait": "p99 wait"}[metric]
    waits = [point["wait_s_p99"] for point in points]
    said = [words.duration(wait) for wait in waits]
    data = [_line(points, waits, name, "--red", said)]
    axis: Plot = {"title": {"text": name}, "rangemode": "tozero", "ticksuffix": " s"}
    known = [wait for wait in waits if wait]
    if known and max(known) > _LOG_FROM * min(known) and len(known) == len(waits):
        axis = duration_axis(np.array(known), name)
    layout = _layout(now, size, axis)
    if any(point["usd_per_day"] is not None for point in points):
        spend = [point["usd_per_day"] for point in points]
        data.append(_line(points, spend, "fleet a day", "--blue", [words.usd(usd) for usd in spend]) | {"yaxis": "y2"})
        money = {
            "title": {"text": "USD a day"},
            "tickprefix": "$",
            "rangemode": "tozero",
            "tickmode": "auto",
            "nticks": 6,
        }
        layout["yaxis2"] = money | {"overlaying": "y", "side": "right", "showgrid": False}
    kept = [point for point in points if point["met"] and all(met is not False for met in point["met"])]
    if kept:
        best = min(kept, key=lambda point: point["replicas"])
        told = f"{best['replicas']} keep every objective"
        data.append(_ring([best["replicas"]], [best["wait_s_p99"]], "fewest within the SLO", "--teal", told))
    return {"data": data, "layout": layout}


def _line(points: Sequence[Point], values: Sequence[float | None], name: str, colour: str, said: list[str]) -> Plot:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [point["replicas"] for point in points],
        "y": list(values),
        "line": {"color": f"var({colour})", "width": 2.2},
        "marker": {"size": 6, "color": f"var({colour})"},
        "text": said,
        "hovertemplate": "%{text}",
    }


def _ring(x: list[int], y: list[float | None], name: str, colour: str, said: str) -> Plot:
    marker = {"symbol": "circle-open", "size": 16, "line": {"width": 3}, "color": f"var({colour})"}
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": x, "y": y, "marker": marker, "text": [said],
        "hovertemplate": "%{text}",
    }  # fmt: skip


def _layout(now: int, size: str, axis: Plot) -> Plot:
    here = {"type": "line", "xref": "x", "x0": now, "x1": now, "yref": "paper", "y0": 0, "y1": 1}
    return {
        "xaxis": {"title": {"text": size}, "tickformat": "d"},
        "yaxis": axis,
        "shapes": [here | {"line": {"color": "var(--text)", "width": 1.5, "dash": "dot"}}],
    }
