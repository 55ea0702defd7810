"""Spend against waiting: by theory for fleets of other sizes, with this run as a point on it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.report.drawing.axes import duration_axis
from sim.report.drawing.downsample import short
from sim.report.drawing.figure import Figure, Plot
from sim.report.run.theory import name_of
from sim.result import words
from sim.result.twin.curve import Curve, Point, spend_curve

if TYPE_CHECKING:
    from sim.result import Result


def spend_figure(result: Result, summary: dict[str, Any]) -> Figure | None:
    """The curve of a fixed fleet that theory can tell of; None of any other."""
    curve = spend_curve(result.scenario, summary)
    if curve is None:
        return None
    policy: Any = result.scenario.pools[curve.pool].autoscaler
    own = int(policy.replicas)
    if all(point.total_usd_per_day is not None for point in curve.points):
        title, data, layout, said = _priced(curve, summary, own)
    else:
        title, data, layout, said = _unpriced(curve, summary, own)
    sizes = ",".join(str(point.replicas) for point in curve.points)
    caption = (
        f"{said} The curve is theory ({curve.method}, {curve.kind}); the diamond is this run. To simulate it: "
        f"fleetcast sweep scenario.yaml --over pools.{curve.pool}.autoscaler.replicas={sizes}"
    )
    return Figure("spend", title, caption, {"data": data, "layout": layout}, "wide")


def _unpriced(curve: Curve, summary: dict[str, Any], own: int) -> tuple[str, list[Plot], Plot, str]:
    """Mean wait over what the fleet costs, or over its replicas where they have no price."""
    name = name_of(curve.path)
    priced = all(point.fleet_usd_per_day is not None for point in curve.points)
    x = [point.fleet_usd_per_day if priced else point.replicas for point in curve.points]
    wait_s = np.array([point.wait_s for point in curve.points])
    simulated_s = _at(summary, curve.path)
    data = [
        _line(x, wait_s, f"{name} by theory", "var(--blue)", [_said(point, name) for point in curve.points]),
        _own(
            summary["cost"]["usd_per_day"] if priced else own,
            simulated_s,
            f"this run: {words.plural(own, 'replica')}, {words.duration(simulated_s)}",
        ),
    ]
    shown_s = np.append(wait_s, np.nan if simulated_s is None else simulated_s)
    layout = {
        "xaxis": {"title": {"text": "fleet, USD a day"}, "tickprefix": "$"}
        if priced
        else {"title": {"text": "replicas"}},
        "yaxis": duration_axis(shown_s, name),
        "hovermode": "closest",
    }
    said = "Each point is a fleet of another size: to the right it costs more, and its requests wait less."
    return "Spend against waiting", data, layout, said


def _priced(curve: Curve, summary: dict[str, Any], own: int) -> tuple[str, list[Plot], Plot, str]:
    """Fleet, slowness and both, with the least of both marked."""
    x: list[Any] = [point.replicas for point in curve.points]
    name = name_of(curve.path)
    told = [_said(point, name) for point in curve.points]
    parts = {
        "fleet": ([point.fleet_usd_per_day for point in curve.points], "var(--grey)"),
        "slowness": ([point.slowness_usd_per_day for point in curve.points], "var(--orange)"),
        "together": ([point.total_usd_per_day for point in curve.points], "var(--blue)"),
    }
    data = [_line(x, np.array(usd, float), said, colour, told) for said, (usd, colour) in parts.items()]
    best = min(curve.points, key=lambda point: point.total_usd_per_day or 0.0)
    total = _at(summary, "slowness.fleet_plus_slowness_usd_per_day")
    data.append(
        {
            **_own(best.replicas, best.total_usd_per_day, f"least: {words.plural(best.replicas, 'replica')}"),
            "marker": {"symbol": "circle-open", "size": 15, "color": "var(--good)", "line": {"width": 2.5}},
        }
    )
    data.append(_own(own, total, f"this run: {words.plural(own, 'replica')}, {words.usd(total)} a day"))
    layout = {
        "xaxis": {"title": {"text": "replicas"}},
        "yaxis": {"title": {"text": "USD a day"}, "tickprefix": "$", "rangemode": "tozero"},
        "hovermode": "closest",
    }
    said = "A larger fleet costs more and its requests wait less; together they are least at the ring."
    title = f"By theory {words.plural(best.replicas, 'replica')} cost least, with waiting counted"
    return title, data, layout, said


def _said(point: Point, name: str) -> str:
    fleet = point.fleet_usd_per_day
    spent = "" if fleet is None else f", {words.usd(fleet)} a day"
    slow = point.slowness_usd_per_day
    waits = "" if slow is None else f", slowness {words.usd(slow)} a day"
    return f"{words.plural(point.replicas, 'replica')}{spent}: {name} {words.duration(point.wait_s)}{waits}"


def _line(x: list[Any], y: Any, name: str, colour: str, text: list[str]) -> Plot:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": html.escape(name),
        "x": short(np.array(x, float)),
        "y": short(y),
        "line": {"color": colour, "width": 2},
        "marker": {"size": 7, "color": colour},
        "text": text,
        "hovertemplate": "%{text}<extra></extra>",
    }


def _own(x: Any, y: float | None, name: str) -> Plot:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": html.escape(name),
        "x": short(np.array([x], float)),
        "y": short(np.array([np.nan if y is None else y], float)),
        "marker": {
            "symbol": "diamond",
            "size": 13,
            "color": "var(--red)",
            "line": {"color": "var(--text)", "width": 1.5},
        },
        "text": [html.escape(name)],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _at(summary: Any, path: str) -> float | None:
    for step in path.split("."):
        summary = summary.get(step)
        if summary is None:
            return None
    return float(summary)
