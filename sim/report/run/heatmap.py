"""TTFT over time as a heatmap: where a line of quantiles shows one number, this shows all requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.report.drawing.axes import duration_axis, limit_line
from sim.report.drawing.downsample import short
from sim.report.drawing.figure import Figure
from sim.report.drawing.over_time import Clock
from sim.result.ttft_map import ttft_counts
from sim.statistics.histogram import upper_edges

if TYPE_CHECKING:
    from sim.result import Result

MOST_COLUMNS, MOST_ROWS = 150, 40
QUICKEST = 1e-3
"""The quickest of so small a share of all are drawn with the next ones: nobody minds how quick they were."""
FAINTEST = 1e-3
"""Shares below this have its colour."""
SCALE = [[at / 4, f"var(--heat-{at})"] for at in range(5)]


def ttft_heatmap(result: Result) -> Figure | None:
    """The share of each time's requests in each class of TTFT; None where too few were answered to see anything."""
    counts, edges_s, low, high = _coarse(ttft_counts(result.log), result.log.edges_s)
    if counts.sum() < 50 or len(counts) < 4 or counts.shape[1] < 2:
        return None
    clock = Clock(result.columns, result.scenario.warmup_s)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with np.errstate(divide="ignore"):
        shade = np.where(counts > 0, np.log10(np.maximum(share, FAINTEST)), np.nan)
    limits_s = [target.under_s for target in result.scenario.slo if target.metric == "ttft"]
    latency_s = np.append(low, high[-1])
    axis = duration_axis(np.array([low[0], high[-1], *limits_s]), "TTFT")
    trace: dict[str, Any] = {
        "type": "heatmap",
        "name": "TTFT",
        "x": clock.times(edges_s),
        "y": short(latency_s),
        "z": [short(row) for row in shade.T],
        "customdata": [short(np.where(row > 0, row, np.nan)) for row in share.T],
        "zmin": float(np.log10(FAINTEST)),
        "zmax": 0,
        "colorscale": SCALE,
        "hoverongaps": False,
        "hovertemplate": "%{customdata:.1%} of those who come then<extra></extra>",
        "colorbar": {
            "tickvals": [-3, -2, -1, 0],
            "ticktext": ["0.1%", "1%", "10%", "100%"],
            "thickness": 12,
            "outlinewidth": 0,
            "title": {"text": "of those<br>who come", "font": {"size": 11}},
        },
    }
    layout = {
        "xaxis": clock.axis | {"showgrid": False},
        "yaxis": axis | {"showgrid": False},
        "hovermode": "closest",
        "showlegend": False,
        "shapes": [*clock.shapes, *(limit_line(limit_s) for limit_s in limits_s)],
    }
    caption = (
        "Each column is the requests that come at a time and are answered, from quick ones below to slow ones above; "
        "the stronger the colour, the larger their share. A second band above the first is a part that is slow."
    )
    if limits_s:
        caption += " The dashed line is the SLO."
    return Figure("heatmap", "Time to first token, all requests", caption, {"data": [trace], "layout": layout}, "wide")


def _coarse(
    counts: NDArray[np.int64], edges_s: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The same counts in fewer bins and buckets, the edges of the bins, and the ends of the buckets in seconds."""
    there = np.flatnonzero(counts.any(axis=0))
    if not len(there):
        return np.zeros((0, 0), np.int64), edges_s, np.zeros(0), np.zeros(0)
    upto = np.cumsum(counts.sum(axis=0))
    first, last = int(np.searchsorted(upto, QUICKEST * upto[-1])), int(there[-1]) + 1
    counts = counts.copy()
    counts[:, first] += counts[:, :first].sum(axis=1)
    wide, high = -(-len(counts) // MOST_COLUMNS), -(-(last - first) // MOST_ROWS)
    columns, rows = np.arange(0, len(counts), wide), np.arange(first, last, high)
    fewer = np.add.reduceat(np.add.reduceat(counts[:, :last], rows, axis=1), columns, axis=0)
    upper_s = upper_edges()
    ends = np.append(rows[1:], rows[-1] + high)
    lower_s = upper_s[rows] * (upper_s[0] / upper_s[1])
    return fewer, np.append(edges_s[columns], edges_s[-1]), lower_s, upper_s[np.minimum(ends - 1, len(upper_s) - 1)]
