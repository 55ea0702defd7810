"""The pictures of a run as plain Plotly dictionaries (data and layout), built from its columns.

Colours are CSS variables of the page (`var(--blue)`), put in when it draws, so one file serves light and dark screens.
Names that users choose are escaped here as well: Plotly reads a little HTML in its texts.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.report.client_figures import client_figures
from sim.report.downsample import extremes, short
from sim.report.drawing import Clock, Figure, Plot, area, line
from sim.report.fleet_figures import fleet_figures, ledger_figure
from sim.report.load_duration_figure import load_duration_figures
from sim.result import words
from sim.result.latency import METRICS, metric_s, tail_curve, tail_of
from sim.result.money.ledger import changes, worth_telling
from sim.result.verdict import runs_away
from sim.result.window import measured_window

if TYPE_CHECKING:
    from sim.result import Result
    from sim.result.timeline import Columns

METRIC_STYLE = {
    "queue_wait": ("queue wait", "var(--grey)"),
    "ttft": ("TTFT", "var(--blue)"),
    "tpot": ("TPOT", "var(--teal)"),
    "e2e": ("E2E", "var(--violet)"),
}
_SECONDS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0, 86400.0, 864000.0, 8640000.0)
_MOST_TICKS = 7
_LEAST_SHARE = 1e-5
"""A tail thinner than this is not drawn: too few requests stand behind it."""


def figures(result: Result) -> list[Figure]:
    """The pictures of a run, first the one that shows the verdict: the queue if it runs away, else the latencies."""
    columns = result.columns
    over_time = latency_over_time(result)
    tail = latency_tail(result)
    first = [over_time, tail] if runs_away(columns["waiting"], columns["replicas"]) else [tail, over_time]
    summary = result.summary()
    elastic = changes(summary)
    # a picture as wide as the page goes before the narrow ones, which stand in pairs
    made = [first[0], *fleet_figures(result), first[1]] if elastic else [*first, queue_and_replicas(result)]
    made += client_figures(result)
    made.append(utilization_over_time(result))
    if summary["cost"]["total_usd"] is not None:
        made.append(cost_over_time(result))
    made += load_duration_figures(result)
    return [*made, ledger_figure(summary)] if worth_telling(summary) else made


def latency_over_time(result: Result) -> Figure:
    """TTFT by time of arrival above the requests that wait."""
    columns, clock = result.columns, Clock(result.columns)
    p50_s, p99_s = columns["ttft_s_p50"], columns["ttft_s_p99"]
    limits_s = [target.under_s for target in result.scenario.slo if target.metric == "ttft"]
    data = [
        line(clock, p99_s, "TTFT p99", "var(--red)", _durations(p99_s)),
        line(clock, p50_s, "TTFT p50", "var(--blue)", _durations(p50_s)),
        area(clock, columns["waiting"], "waiting requests", "var(--orange)", "var(--orange-soft)") | {"yaxis": "y2"},
    ]
    layout = {
        "xaxis": clock.axis | {"anchor": "y2"},
        "yaxis": _duration_axis(np.concatenate((p50_s, p99_s, limits_s)), "TTFT") | {"domain": [0.42, 1]},
        "yaxis2": {"title": {"text": "waiting"}, "domain": [0, 0.34], "rangemode": "tozero"},
        "shapes": [_limit(limit_s, "y") for limit_s in limits_s],
    }
    caption = "By the time a request arrives: half of them get their first token below the blue line, 99% below the red"
    caption += " one; the dashed line is the SLO. Below, how many wait." if limits_s else " one. Below, how many wait."
    return Figure("time", "Latency over time", caption, {"data": data, "layout": layout})


def latency_tail(result: Result) -> Figure:
    """The share of requests slower than x, by metric, with the SLO's targets as points."""
    data: list[Plot] = []
    shown_s = [target.under_s for target in result.scenario.slo]
    for metric in METRICS:
        name, colour = METRIC_STYLE[metric]
        grid_s, above = _tail(result, metric)
        points = [
            (at_s, share) for at_s, share in zip(grid_s, above, strict=True) if at_s > 0 and share >= _LEAST_SHARE
        ]
        if points:
            at_s, share = (np.array(part) for part in zip(*points, strict=True))
            shown_s += [_where_it_falls(at_s, share), float(at_s[-1])]
            text = [f"{words.share(part)} slower than {words.duration(at)}" for at, part in points]
            data.append(_curve(at_s, share, name, colour, text))
        data += [_target(target, colour) for target in result.scenario.slo if target.metric == metric]
    layout = {
        "xaxis": _duration_axis(np.array(shown_s), "latency"),
        "yaxis": {
            "type": "log",
            "title": {"text": "share of requests slower"},
            "tickvals": [1, 0.5, 0.1, 0.05, 0.01, 1e-3, 1e-4, 1e-5],
            "ticktext": ["100%", "50%", "10%", "5%", "1%", "0.1%", "0.01%", "0.001%"],
        },
    }
    caption = "How many completed requests take longer than a given time: where a curve crosses 1% is its p99."
    if result.scenario.slo:
        caption += " A diamond is an SLO target: the curve of its colour has to pass below it."
    return Figure("tail", "Latency distribution", caption, {"data": data, "layout": layout})


def _tail(result: Result, metric: str) -> tuple[list[float], list[float]]:
    """The points of a metric's curve, of the requests of the window."""
    log = result.log
    if log.tally is not None:
        return tail_of(log.tally.latencies()[metric])
    return tail_curve(metric_s(log.logical[measured_window(result.scenario, log).rows], metric))


def queue_and_replicas(result: Result) -> Figure:
    """Demand, the requests in the system, and the replicas of each pool."""
    columns, clock = result.columns, Clock(result.columns)
    arrivals_per_s = columns["arrivals"] / np.maximum(columns["end_s"] - columns["start_s"], 1e-12)
    pools = result.log.pools
    by_pool = {name: columns if len(pools) == 1 else result.pool_timeline(name) for name in pools}
    shades = ("var(--violet)", "var(--red)", "var(--grey)", "var(--blue)", "var(--teal)")
    data = [
        area(clock, arrivals_per_s, "arrivals/s", "var(--blue)", "var(--blue-soft)"),
        line(clock, columns["waiting"], "waiting", "var(--orange)") | {"yaxis": "y2"},
        line(clock, columns["running"], "running", "var(--teal)") | {"yaxis": "y2"},
    ]
    for place, (name, timeline) in enumerate(by_pool.items()):
        label = "replicas" if len(pools) == 1 else f"replicas of {html.escape(name)}"
        data.append(line(clock, timeline["replicas"], label, shades[place % len(shades)]) | {"yaxis": "y3"})
    layout = {
        "xaxis": clock.axis | {"anchor": "y3"},
        "yaxis": {"title": {"text": "arrivals/s"}, "domain": [0.70, 1], "rangemode": "tozero"},
        "yaxis2": {"title": {"text": "requests"}, "domain": [0.34, 0.64], "rangemode": "tozero"},
        "yaxis3": {"title": {"text": "replicas"}, "domain": [0, 0.28], "rangemode": "tozero"},
    }
    caption = "What comes in, what waits and runs, and the replicas that are ready, as averages over each bin of time."
    return Figure("queue", "Demand, queue and replicas", caption, {"data": data, "layout": layout})


def utilization_over_time(result: Result) -> Figure:
    columns, clock = result.columns, Clock(result.columns)
    data = [area(clock, columns["busy_share"], "busy", "var(--teal)", "var(--teal-soft)")]
    if np.isfinite(columns["kv_share"]).any():
        data.append(line(clock, columns["kv_share"], "KV memory in use", "var(--violet)"))
    share_axis = {"tickformat": ".0%", "range": [0, 1.02], "title": {"text": "share of ready replicas"}}
    caption = "Busy: the share of ready replica time with at least one running request."
    if len(data) > 1:
        caption += " KV memory: the share of all ready replicas' KV cache that holds tokens."
    return Figure("busy", "Utilization", caption, {"data": data, "layout": {"xaxis": clock.axis, "yaxis": share_axis}})


def cost_over_time(result: Result) -> Figure:
    """Dollars an hour, split into those for busy replicas, for idle ones, and for those that are not ready."""
    columns, clock = result.columns, Clock(result.columns)
    usd = columns["usd_per_hour"]
    ready_usd = usd * _ready_share(columns)
    busy_usd = ready_usd * np.nan_to_num(columns["busy_share"])
    parts = [
        (busy_usd, "busy", "var(--teal)", "var(--teal-soft)"),
        (ready_usd - busy_usd, "idle", "var(--grey)", "var(--grey-soft)"),
    ]
    caption = "What the fleet costs an hour: for replicas at work, and for replicas that are ready and idle."
    if (usd > ready_usd).any():
        parts.append((usd - ready_usd, "not ready", "var(--orange)", "var(--orange-soft)"))
        caption = (
            "What the fleet costs an hour: for replicas at work, for idle ones, and for those that start or are down."
        )
    keep = extremes(busy_usd)  # one choice of points for all, so that they stack
    data = [area(clock, part, name, colour, soft, keep) | {"stackgroup": "usd"} for part, name, colour, soft in parts]
    if len(data) > 2:
        data[1:] = [layer | {"fill": "tonexty"} for layer in data[1:]]
    money_axis = {"title": {"text": "USD/hour"}, "tickprefix": "$", "rangemode": "tozero"}
    return Figure("cost", "Cost", caption, {"data": data, "layout": {"xaxis": clock.axis, "yaxis": money_axis}})


def _ready_share(columns: Columns) -> NDArray[np.float64]:
    """Of the replicas that are paid in each bin, the share of those that serve; 1 where there are no others."""
    others = columns["booting"] + columns["down"]
    paid = columns["replicas"] + others
    return np.divide(columns["replicas"], paid, out=np.ones(len(paid)), where=others > 0)


def _curve(at_s: NDArray[np.float64], share: NDArray[np.float64], name: str, colour: str, text: list[str]) -> Plot:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": short(at_s),
        "y": short(share),
        "line": {"color": colour, "width": 2.2},
        "text": text,
        "hovertemplate": "%{text}",
    }


def _where_it_falls(at_s: NDArray[np.float64], share: NDArray[np.float64]) -> float:
    """Where a curve has lost its first hundredth: left of it there is only a flat line, which needs no room."""
    return float(at_s[np.argmax(share <= 0.99 * share[0])])


def _target(target: Any, colour: str) -> Plot:
    """An SLO target as a point: this share at most may be slower than its limit."""
    said = f"{target.metric} ≤ {words.duration(target.under_s)} for {words.percent(target.share)}"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"SLO: {said}",
        "x": [target.under_s],
        "y": [max(1 - target.share, _LEAST_SHARE)],
        "marker": {"symbol": "diamond", "size": 11, "color": colour, "line": {"color": "var(--text)", "width": 1.5}},
        "hovertemplate": "SLO<extra></extra>",
    }


def _limit(limit_s: float, axis: str) -> Plot:
    line = {"color": "var(--red)", "width": 1.5, "dash": "dash"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": limit_s, "y1": limit_s, "line": line}


def _durations(value_s: NDArray[np.float64]) -> NDArray[np.str_]:
    return np.array([words.duration(value) for value in value_s.tolist()])


def _duration_axis(value_s: NDArray[np.float64], title: str) -> Plot:
    """A logarithmic axis of times with a few ticks that people read: 10 ms, 1 s, 1 min, 1 h."""
    positive_s = value_s[np.isfinite(value_s) & (value_s > 0)]
    axis: Plot = {"type": "log", "title": {"text": title}}
    ticks_s = list(_SECONDS)
    if len(positive_s):
        low, high = np.log10(positive_s.min()) - 0.15, np.log10(positive_s.max()) + 0.15
        axis["range"] = [round(float(low), 4), round(float(high), 4)]
        # All there are if few are in sight, else one in two: labels that do not fit are turned aslant.
        seen = sum(low <= np.log10(tick_s) <= high for tick_s in ticks_s)
        ticks_s = ticks_s[:: 1 if seen <= _MOST_TICKS else 2]
    return axis | {"tickvals": ticks_s, "ticktext": [words.duration(tick_s) for tick_s in ticks_s]}
