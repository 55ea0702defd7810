"""What an autoscaler decides, as a line over time with its reasons."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sim.report.drawing.downsample import extremes
from sim.report.drawing.figure import Plot
from sim.report.drawing.over_time import Clock
from sim.result import words

if TYPE_CHECKING:
    from sim.result import DecisionRow

MOST_REASON = 140
"""Characters of a reason on hover."""


def wanted_line(clock: Clock, decisions: Sequence[DecisionRow]) -> Plot:
    """What the policy wants, as a step with a mark at each decision that changes it, with its reason; at least one."""
    steps = [
        row for place, row in enumerate(decisions) if place == 0 or row.wanted != decisions[place - 1].wanted
    ]  # of the decisions that keep to the number there is nothing to see
    kept = [steps[place] for place in extremes(np.array([row.wanted for row in steps], float)).tolist()]
    at_s = [*(row.at_s for row in kept), clock.end_s]
    last = decisions[-1]
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(kept) <= 200 else "lines",
        "name": "wanted",
        "x": clock.times(np.array(at_s)),
        "y": [*(row.wanted for row in kept), last.wanted],
        "line": {"color": "var(--text)", "width": 1.5, "shape": "hv"},
        "marker": {"color": "var(--text)", "size": [6] * len(kept) + [0], "line": {"width": 0}},
        "text": [*map(_said, kept), f"to the end: {_reason(last.reason)}"],
        "hovertemplate": "%{y}: %{text}",
        "yaxis": "y3",
    }


def _said(row: DecisionRow) -> str:
    """The step, when it is made, and why."""
    return f"{row.current} → {row.wanted} at {words.duration(row.at_s)}: {_reason(row.reason)}"


def _reason(text: str) -> str:
    short = text if len(text) <= MOST_REASON else text[: MOST_REASON - 1] + "…"
    return html.escape(short)
