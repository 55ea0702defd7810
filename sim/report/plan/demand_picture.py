"""The picture of demand to come: P10 to P90 by month, and P50."""

from __future__ import annotations

import html

from sim.report.drawing.figure import Figure, Plot
from sim.study.purchased.purchases import Purchases

_MOST_TICKS = 12


def demand_picture(bought: Purchases) -> Figure:
    """Factors of today's demand, by month."""
    months = bought.months
    line = {name: [month.demand_factor[name] for month in months] for name in ("p10", "p50", "p90")}
    at = list(range(len(months)))
    every = max(len(months) // _MOST_TICKS, 1)
    bare = {"color": "var(--blue)", "width": 0}
    told = [
        html.escape(f"{month.month}: {p50:.3g} times today's ({p10:.3g} to {p90:.3g})")
        for month, p10, p50, p90 in zip(months, line["p10"], line["p50"], line["p90"], strict=True)
    ]
    data: list[Plot] = [
        _line(at, line["p10"], "P10", bare) | {"showlegend": False},
        _line(at, line["p90"], "P10 to P90", bare) | {"fill": "tonexty", "fillcolor": "var(--blue-soft)"},
        _line(at, line["p50"], "P50", {"color": "var(--blue)", "width": 2.4}) | {"text": told},
    ]
    data[-1] |= {"hovertemplate": "%{text}<extra></extra>"}
    layout = {
        "xaxis": {
            "tickvals": at[::every],
            "ticktext": [html.escape(month.month) for month in months][::every],
            "range": [-0.3, len(months) - 0.7],
            "title": {"text": ""},
        },
        "yaxis": {"rangemode": "tozero", "title": {"text": "times today's"}},
    }
    caption = "Demand by month as a factor of today's: P10 to P90, and P50."
    return Figure("demand", "Demand to come", caption, {"data": data, "layout": layout})


def _line(x: list[int], y: list[float], name: str, line: Plot) -> Plot:
    quiet = {"hoverinfo": "skip"} if line["width"] == 0 else {}
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": line, **quiet}
