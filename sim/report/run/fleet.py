"""The pictures of a fleet that changes: its replicas by state against the load, and where the paid hours went."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.report.drawing.downsample import extremes, short
from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.over_time import Clock, area, line
from sim.report.run.decisions import wanted_line
from sim.result import words
from sim.result.money.ledger import ENTRIES, waste
from sim.result.verdict import ledger_sentence

if TYPE_CHECKING:
    from sim.result import Result
    from sim.result.timeline import Columns

ENTRY_COLOURS = {
    "useful": "var(--teal)",
    "wasted": "var(--brown)",
    "cold_start": "var(--orange)",
    "headroom": "var(--blue)",
    "cool_down": "var(--violet)",
    "floor": "var(--grey)",
    "drain": "var(--gold)",
    "failed": "var(--red)",
    "rounding": "var(--muted)",
    "unused": "var(--text)",
    "egress": "var(--rule)",
}


def fleet_figures(result: Result) -> list[Figure]:
    """A picture a pool: what comes in, what waits and runs, and its replicas by state with what the policy wants."""
    pools = result.log.pools
    if len(pools) == 1:
        return [_fleet_figure(result, pools[0], result.columns, "fleet", "Load and replicas")]
    return [
        _fleet_figure(result, name, result.pool_timeline(name), f"fleet-{place}", f"Load and replicas of pool {name}")
        for place, name in enumerate(pools)
    ]


def _fleet_figure(result: Result, pool: str, columns: Columns, key: str, title: str) -> Figure:
    clock = Clock(columns, result.scenario.warmup_s)
    arrivals_per_s = columns["arrivals"] / np.maximum(columns["end_s"] - columns["start_s"], 1e-12)
    decisions = [row for row in result.log.decisions if row.pool == pool and row.at_s <= clock.end_s]
    data = [
        area(clock, arrivals_per_s, "arrivals/s", "var(--blue)", "var(--blue-soft)"),
        line(clock, columns["waiting"], "waiting", "var(--violet)") | {"yaxis": "y2"},
        line(clock, columns["running"], "running", "var(--gold)") | {"yaxis": "y2"},
        *_by_state(clock, columns),
    ]
    if decisions:
        data.append(wanted_line(clock, decisions))
    layout = {
        "xaxis": clock.axis | {"anchor": "y3"},
        "yaxis": {"title": {"text": "arrivals/s"}, "domain": [0.78, 1], "rangemode": "tozero"},
        "yaxis2": {"title": {"text": "requests"}, "domain": [0.52, 0.74], "rangemode": "tozero"},
        "yaxis3": {"title": {"text": "replicas"}, "domain": [0, 0.48], "rangemode": "tozero"},
        "shapes": clock.shapes,
    }
    caption = (
        "What comes in, what waits and runs, and the paid replicas by what they do, as averages over each bin of time."
    )
    if decisions:
        caption += " The line is what the policy wants; each mark is a decision: point at it to read why."
    return Figure(key, title, caption, {"data": data, "layout": layout}, "wide")


def _by_state(clock: Clock, columns: Columns) -> list[Plot]:
    """Stacked areas of the replicas that are ready, draining, booting and down; a state that never occurs has none."""
    ready = np.maximum(columns["replicas"] - columns["draining"], 0.0)
    states = (
        (ready, "ready", "var(--teal)", "var(--teal-soft)"),
        (columns["draining"], "draining", "var(--grey)", "var(--grey-soft)"),
        (columns["booting"], "booting", "var(--orange)", "var(--orange-soft)"),
        (columns["down"], "down", "var(--red)", "var(--red-soft)"),
    )
    keep = extremes(np.sum([count for count, *_ in states], axis=0))  # one choice of points for all, so that they stack
    layers = [
        area(clock, count, name, colour, soft, keep) | {"stackgroup": "replicas", "yaxis": "y3"}
        for count, name, colour, soft in states
        if name == "ready" or (count > 0).any()
    ]
    # without lines: one would be seen where its state has no replica
    above = [layer | {"fill": "tonexty", "line": {"color": layer["line"]["color"], "width": 0}} for layer in layers[1:]]
    return [layers[0], *above]


def ledger_figure(summary: dict[str, Any]) -> Figure:
    """The ledger as a bar a pool (and one for the fleet): shares of the paid GPU-hours, side by side."""
    blocks = {name: block for name, block in summary["pools"].items() if waste(block)}
    if len(summary["pools"]) > 1:
        blocks = {"all": summary} | {f"pool {name}": block for name, block in blocks.items()}
    shares = {html.escape(name): waste(block) for name, block in reversed(blocks.items())}
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": entry.replace("_", " "),
            "y": list(shares),
            "x": short(np.array([share[entry] for share in shares.values()])),
            "text": [words.share(share[entry]) for share in shares.values()],
            "hovertemplate": "%{text}",
            "textposition": "inside",
            "insidetextanchor": "middle",
            "marker": {"color": ENTRY_COLOURS[entry]},
        }
        for entry in ENTRIES
        if any(share[entry] > 0 for share in shares.values())
    ]
    layout = {
        "barmode": "stack",
        "hovermode": "y unified",
        "xaxis": {"tickformat": ".0%", "range": [0, 1], "title": {"text": "share of the paid GPU-hours"}},
        "yaxis": {"title": {"text": ""}, "type": "category"},
        "legend": {"traceorder": "normal"},
    }
    caption = (
        f"{ledger_sentence(summary)} Idle replicas are there for the policy's minimum (floor), because a window or a "
        "rate limit keeps them (cool-down), or because the policy wants them for the load (headroom)."
    )
    return Figure("ledger", "Where the money went", caption, {"data": data, "layout": layout}, "short")
