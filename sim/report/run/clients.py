"""The pictures of clients: what they ask for against what they get, and how each class and tenant is served."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.report.drawing.downsample import short
from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.over_time import Clock, area, line
from sim.result import words

if TYPE_CHECKING:
    from sim.result import Result

_SHADES = ("var(--blue)", "var(--orange)", "var(--teal)", "var(--violet)", "var(--red)", "var(--gold)", "var(--grey)")
_QUANTILES = ("p50", "p90", "p95", "p99", "max")


def client_figures(result: Result) -> list[Figure]:
    """The pictures that a run has: of clients that do more than wait, of classes, of tenants."""
    summary = result.summary()
    made = [] if result.log.calls is None else [goodput_over_time(result)]
    if "classes" in summary:
        made.append(_latencies(summary["classes"]))
    if "tenants" in summary:
        made.append(_shares(summary["tenants"], summary["tenants_fairness"]))
    return made


def goodput_over_time(result: Result) -> Figure:
    """Requests by their first attempts, everything that is sent, and the good answers, a second."""
    columns, clock = result.columns, Clock(result.columns, result.scenario.warmup_s)
    length_s = np.maximum(columns["end_s"] - columns["start_s"], 1e-12)
    data = [
        line(clock, columns["arrivals"] / length_s, "sent, with all attempts", "var(--red)"),
        line(clock, columns["offered"] / length_s, "requests", "var(--blue)"),
        area(clock, columns["completed"] / length_s, "good answers", "var(--teal)", "var(--teal-soft)"),
    ]
    layout = {
        "xaxis": clock.axis,
        "yaxis": {"title": {"text": "a second"}, "rangemode": "tozero"},
        "shapes": clock.shapes,
    }
    good = "answers within every SLO target" if result.scenario.slo else "answers that clients waited for"
    caption = (
        f"What users ask for, what their clients send for it, and the {good}. Where the first two part, clients send "
        "again; where the last stays down, the work goes into answers that come to nothing."
    )
    return Figure("goodput", "Goodput", caption, {"data": data, "layout": layout})


def _latencies(blocks: dict[str, dict[str, Any]]) -> Figure:
    """Quantiles of TTFT (of whole answers where these come at once) by class."""
    latencies = [block["latency"] for block in blocks.values()]
    whole = all(latency["ttft_s"] == latency["e2e_s"] for latency in latencies)
    metric, title = ("e2e_s", "E2E") if whole else ("ttft_s", "TTFT")
    data: list[Plot] = []
    for place, (name, latency) in enumerate(zip(blocks, latencies, strict=True)):
        found = [latency[metric][quantile] for quantile in _QUANTILES]
        if found[0] is not None:
            data.append(
                {
                    "type": "bar",
                    "name": html.escape(name),
                    "x": list(_QUANTILES),
                    "y": short(np.array(found, float)),
                    "text": [words.duration(value) for value in found],
                    "hovertemplate": "%{text}",
                    "marker": {"color": _SHADES[place % len(_SHADES)]},
                }
            )
    layout = {
        "barmode": "group",
        "xaxis": {"title": {"text": ""}, "type": "category"},
        "yaxis": {"title": {"text": f"{title}, seconds"}, "rangemode": "tozero"},
    }
    caption = f"{title} of the requests of each class that were completed, from their first attempts."
    return Figure("classes", "Latency by class", caption, {"data": data, "layout": layout})


def _shares(blocks: dict[str, dict[str, Any]], fairness: float | None) -> Figure:
    """Of each tenant's requests, the good ones; and what it has of the cost."""
    names = [html.escape(name) for name in reversed(blocks)]
    arrived = {name: block["requests"]["arrived"] for name, block in blocks.items()}
    per_s = {name: block["throughput"] for name, block in blocks.items()}
    done = {name: block["requests"]["completed"] for name, block in blocks.items()}
    good = [_good_share(per_s[name], done[name], arrived[name]) for name in reversed(blocks)]
    cost = [blocks[name]["cost_share"] or 0.0 for name in reversed(blocks)]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": names,
            "x": short(np.array(shares)),
            "text": [words.share(share) for share in shares],
            "hovertemplate": "%{text}",
            "marker": {"color": colour},
        }
        for name, shares, colour in (
            ("of the cost", cost, "var(--grey)"),
            ("good answers, of its requests", good, "var(--teal)"),
        )
    ]
    layout = {
        "barmode": "group",
        "xaxis": {"tickformat": ".0%", "range": [0, 1], "title": {"text": "share"}},
        "yaxis": {"title": {"text": ""}, "type": "category"},
        "legend": {"traceorder": "reversed"},
    }
    caption = "Of each tenant's requests, those answered within every SLO target of theirs; and its part of the cost."
    if fairness is not None and len(blocks) > 1:
        caption += f" Jain's index of the first is {fairness:.3f}: 1 when all are served alike."
    return Figure("tenants", "Tenants", caption, {"data": data, "layout": layout}, "wide")


def _good_share(throughput: dict[str, Any], completed: int, arrived: int) -> float:
    """Good answers over requests: their rates a second are over the same window."""
    per_s = throughput["requests_per_s"]
    if not arrived or not per_s:
        return 0.0
    return float(throughput["goodput_per_s"] / per_s * completed / arrived)
