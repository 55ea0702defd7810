"""The pictures of a run as plain Plotly dictionaries (data and layout), built from its columns.

Colours are CSS variables of the page (`var(--blue)`), put in when it draws, so one file serves light and dark screens.
Names that users choose are escaped here as well: Plotly reads a little HTML in its texts.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.report.drawing.axes import duration_axis, durations, limit_line
from sim.report.drawing.downsample import extremes
from sim.report.drawing.figure import Figure
from sim.report.drawing.over_time import Clock, area, line

if TYPE_CHECKING:
    from sim.result import Result
    from sim.result.timeline import Columns


def latency_over_time(result: Result) -> Figure:
    """TTFT by time of arrival above the requests that wait."""
    columns, clock = result.columns, Clock(result.columns, result.scenario.warmup_s)
    p50_s, p99_s = columns["ttft_s_p50"], columns["ttft_s_p99"]
    limits_s = [target.under_s for target in result.scenario.slo if target.metric == "ttft"]
    data = [
        line(clock, p99_s, "TTFT p99", "var(--red)", durations(p99_s)),
        line(clock, p50_s, "TTFT p50", "var(--blue)", durations(p50_s)),
        area(clock, columns["waiting"], "waiting requests", "var(--orange)", "var(--orange-soft)") | {"yaxis": "y2"},
    ]
    layout = {
        "xaxis": clock.axis | {"anchor": "y2"},
        "yaxis": duration_axis(np.concatenate((p50_s, p99_s, limits_s)), "TTFT") | {"domain": [0.42, 1]},
        "yaxis2": {"title": {"text": "waiting"}, "domain": [0, 0.34], "rangemode": "tozero"},
        "shapes": [*clock.shapes, *(limit_line(limit_s) for limit_s in limits_s)],
    }
    caption = "By the time a request arrives: half of them get their first token below the blue line, 99% below the red"
    caption += " one; the dashed line is the SLO. Below, how many wait." if limits_s else " one. Below, how many wait."
    return Figure("time", "Latency over time", caption, {"data": data, "layout": layout})


def queue_and_replicas(result: Result) -> Figure:
    """Demand, the requests in the system, and the replicas of each pool."""
    columns, clock = result.columns, Clock(result.columns, result.scenario.warmup_s)
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
        "shapes": clock.shapes,
    }
    caption = "What comes in, what waits and runs, and the replicas that are ready, as averages over each bin of time."
    return Figure("queue", "Demand, queue and replicas", caption, {"data": data, "layout": layout})


def utilization_over_time(result: Result) -> Figure:
    """How full the ready replicas are: at work at all, their batches or slots, their KV memory."""
    columns, clock = result.columns, Clock(result.columns, result.scenario.warmup_s)
    data = [area(clock, columns["busy_share"], "busy", "var(--teal)", "var(--teal-soft)")]
    caption = "Busy: the share of ready replica time with at least one running request."
    batches = np.isfinite(columns["kv_share"]).any()
    if _differ(columns["batch_share"], columns["busy_share"]):
        what = "batch" if batches else "slots"
        data.append(line(clock, columns["batch_share"], f"{what} in use", "var(--orange)"))
        caption += f" {what.capitalize()}: the share of all ready replicas' places that requests take."
    if batches:
        data.append(line(clock, columns["kv_share"], "KV memory in use", "var(--violet)"))
        caption += " KV memory: the share of all ready replicas' KV cache that holds tokens."
    share_axis = {"tickformat": ".0%", "range": [0, 1.02], "title": {"text": "share of ready replicas"}}
    layout = {"xaxis": clock.axis, "yaxis": share_axis, "shapes": clock.shapes}
    return Figure("busy", "Utilization", caption, {"data": data, "layout": layout})


def _differ(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether two lines are not the same: with one slot a replica, busy says it all."""
    return not np.allclose(one, other, rtol=1e-3, atol=1e-4, equal_nan=True)


def cost_over_time(result: Result) -> Figure:
    """Dollars an hour, split into those for busy replicas, for idle ones, and for those that are not ready."""
    columns, clock = result.columns, Clock(result.columns, result.scenario.warmup_s)
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
    layout = {"xaxis": clock.axis, "yaxis": money_axis, "shapes": clock.shapes}
    return Figure("cost", "Cost over time", caption, {"data": data, "layout": layout})


def _ready_share(columns: Columns) -> NDArray[np.float64]:
    """Of the replicas that are paid in each bin, the share of those that serve; 1 where there are no others."""
    others = columns["booting"] + columns["down"]
    paid = columns["replicas"] + others
    return np.divide(columns["replicas"], paid, out=np.ones(len(paid)), where=others > 0)
