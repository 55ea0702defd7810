"""The distribution of latencies as tails: the share of requests slower than x, with the corners of the SLO."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.report.drawing.axes import duration_axis
from sim.report.drawing.downsample import short
from sim.report.drawing.figure import Figure, Plot
from sim.result import words
from sim.result.groups import EVERYBODY, Group, limited_to, meant
from sim.result.latency import METRICS, metric_s, tail_curve, tail_of
from sim.result.verdict import whose
from sim.result.window import measured_window

if TYPE_CHECKING:
    from sim.result import Result
    from sim.scenario import Target

METRIC_STYLE = {
    "queue_wait": ("queue wait", "var(--grey)"),
    "ttft": ("TTFT", "var(--blue)"),
    "tpot": ("TPOT", "var(--teal)"),
    "e2e": ("E2E", "var(--violet)"),
}
_LIMITED = ("var(--orange)", "var(--gold)", "var(--brown)", "var(--red)")
"""Curves of those that an objective is about: so many, further ones have a corner alone."""
_LEAST_SHARE = 1e-5
"""A tail thinner than this is not drawn: too few requests stand behind it."""


def latency_tail(result: Result) -> Figure:
    """The share of completed requests slower than x, by metric, and of those that an objective is about."""
    data: list[Plot] = []
    shown_s = [target.under_s for target in result.scenario.slo]
    targets = [
        (target, METRIC_STYLE[target.metric][1]) for target in result.scenario.slo if not any(limited_to(target))
    ]
    limited = [target for target in result.scenario.slo if any(limited_to(target))]
    curves = [(metric, *METRIC_STYLE[metric], EVERYBODY) for metric in METRICS]
    for place, target in enumerate(limited):
        colour = _LIMITED[place % len(_LIMITED)]
        targets.append((target, colour))
        if place < len(_LIMITED):
            name = f"{METRIC_STYLE[target.metric][0]} of {html.escape(_whose(target))}"
            curves.append((target.metric, name, colour, meant(result.log, target)))
    for metric, name, colour, group in curves:
        at_s, share = _points(result, metric, group)
        if len(at_s):
            shown_s += [_where_it_falls(at_s, share), float(at_s[-1])]
            data.append(_curve(at_s, share, name, colour))
    axis = duration_axis(np.array(shown_s), "latency")
    end_s = 10 ** axis.get("range", [0.0, 0.0])[1]
    data += [_target(target, colour, max(end_s, target.under_s)) for target, colour in targets]
    layout = {
        "xaxis": axis,
        "yaxis": {
            "type": "log",
            "title": {"text": "share of requests slower"},
            "tickvals": [1, 0.5, 0.1, 0.05, 0.01, 1e-3, 1e-4, 1e-5],
            "ticktext": ["100%", "50%", "10%", "5%", "1%", "0.1%", "0.01%", "0.001%"],
        },
    }
    return Figure("tail", "Latency distribution", _caption(result), {"data": data, "layout": layout})


def _caption(result: Result) -> str:
    requests = result.summary(theory=False)["requests"]
    said = "How many completed requests take longer than a given time: where a curve crosses 1% is its p99."
    if result.scenario.slo:
        said += " A dotted corner with a diamond is an SLO target: the curve of its colour must not enter it."
    if requests["completed"] < requests["arrived"]:
        missing = words.share(1 - requests["completed"] / requests["arrived"])
        said += (
            f" Of all requests {missing} were not completed and are not in these curves; for the SLO they are misses."
        )
    return said


def _points(result: Result, metric: str, group: Group) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and shares slower, of the requests of the window and of a group."""
    log = result.log
    if log.tally is not None:
        grid_s, above = tail_of(log.tally.latencies(group)[metric])
    else:
        rows = log.logical[measured_window(result.scenario, log).rows]
        mask = group.mask(rows)
        grid_s, above = tail_curve(metric_s(rows if mask is None else rows[mask], metric))
    at_s, share = np.array(grid_s, float), np.array(above, float)
    there = (at_s > 0) & (share >= _LEAST_SHARE)
    return at_s[there], share[there]


def _curve(at_s: NDArray[np.float64], share: NDArray[np.float64], name: str, colour: str) -> Plot:
    told = zip(at_s.tolist(), share.tolist(), strict=True)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": short(at_s),
        "y": short(share),
        "line": {"color": colour, "width": 2.2},
        "text": [f"{words.share(part)} slower than {words.duration(at)}" for at, part in told],
        "hovertemplate": "%{text}",
    }


def _where_it_falls(at_s: NDArray[np.float64], share: NDArray[np.float64]) -> float:
    """Where a curve has lost its first hundredth: left of it there is only a flat line, which needs no room."""
    return float(at_s[np.argmax(share <= 0.99 * share[0])])


def _target(target: Target, colour: str, end_s: float) -> Plot:
    """An SLO target as a corner that its curve must not enter: this share at most may be slower than its limit."""
    limited = f" ({html.escape(_whose(target))})" if any(limited_to(target)) else ""
    said = f"{METRIC_STYLE[target.metric][0]} ≤ {words.duration(target.under_s)} for {words.percent(target.share)}"
    most = max(1 - target.share, _LEAST_SHARE)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": f"SLO: {said}{limited}",
        "x": [target.under_s, target.under_s, end_s],
        "y": [1, most, most],
        "line": {"color": colour, "width": 1.3, "dash": "dot"},
        "marker": {
            "symbol": "diamond",
            "size": [0, 11, 0],
            "opacity": 1,
            "color": colour,
            "line": {"color": "var(--text)", "width": [0, 1.5, 0]},
        },
        "hovertemplate": "SLO<extra></extra>",
    }


def _whose(target: Target) -> str:
    name, tenant = limited_to(target)
    limits: dict[str, Any] = {"class": name, "tenant": tenant}
    return whose(limits)
