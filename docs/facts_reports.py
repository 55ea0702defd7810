"""What `reports.md` draws: two pictures of the report of a run that the page makes too."""

from __future__ import annotations

import functools
from typing import Any

NAME = "chat-h100"
SETS = (
    "name=burst",
    "warmup=0s",
    "horizon=12m",
    "workload.arrivals={kind: spike, rate: 40/s, factor: 2.5, at: 4m, duration: 2m}",
)
"""Twelve minutes of the README's fleet, with a burst of two minutes."""


@functools.cache
def figures() -> dict[str, Any]:
    """The error budget and the heatmap, as `fleetcast report --pictures` paints them."""
    from sim import load, simulate
    from sim.report.run.budget import budget_figure
    from sim.report.run.heatmap import ttft_heatmap

    result = simulate(load(NAME, SETS))
    found = {"report-budget.svg": budget_figure(result), "report-heatmap.png": ttft_heatmap(result)}
    assert all(found.values()), "the run has neither misses nor answers"
    return found


def most_points() -> str:
    """Of a line in a picture."""
    from sim.report.drawing.downsample import MOST_POINTS

    return f"{MOST_POINTS:,}"


def limit(name: str) -> str:
    """A limit of `fleetcast ui` in words."""
    from sim.result import words
    from sim.ui.wire.limits import Limits

    value = getattr(Limits(), name)
    if name.endswith("_s"):
        return words.duration(value)
    if name.endswith("_bytes"):
        return f"{value / 2**30:g} GiB" if value >= 2**30 else f"{value // 1_000_000} MB"
    return f"{value:,}"
