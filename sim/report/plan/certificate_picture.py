"""The picture of the certificates: what each fleet attains, with its bounds, beside what is promised."""

from __future__ import annotations

import html

from sim.report.drawing.axes import room, row_axis, told_axis
from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.whiskers import whiskers
from sim.report.plan.said import bounds, interval, of_fleet
from sim.result import words
from sim.study.planned.certificate import Line
from sim.study.planned.result import Plan

_LOOKS = {
    True: ("meets what is promised", "var(--good)"),
    False: ("does not", "var(--bad)"),
    None: ("not decided", "var(--grey)"),
}
_MOST_ROWS = 12


def certificate_picture(plan: Plan) -> Figure | None:
    """A row a fleet and objective; None where nothing was certified."""
    several = any(len(found.lines) > 1 for found in plan.certificates)
    rows = [
        (f"{of_fleet(found)}: {line.promise.told}" if several else of_fleet(found), line)
        for found in plan.certificates
        for line in found.lines
    ][:_MOST_ROWS]
    if not rows:
        return None
    lines = [line for _, line in rows]
    promised: Plot = {
        "type": "scatter",
        "mode": "markers",
        "name": "promised",
        "x": [line.promise.share for line in lines],
        "y": list(range(len(rows))),
        "marker": {"symbol": "diamond", "size": 11, "color": "var(--text)"},
        "text": [f"promised: {words.percent(line.promise.share)}" for line in lines],
        "hovertemplate": "%{text}<extra></extra>",
    }
    data = [*(trace for meets in _LOOKS if (trace := _attained(lines, meets))["x"]), promised]
    ends = [end for line in lines for end in (*bounds(line), line.promise.share)]
    low, high = room(ends, 0.15, 0.1)
    layout = {
        "xaxis": told_axis((low, min(high, 1.002)), words.share, "requests within the limit"),
        "yaxis": row_axis([name for name, _ in rows]),
        "hovermode": "closest",
    }
    caption = (
        "What each fleet attained on seeds that the search had not seen, with the bounds that the verdict rests on, "
        "and what is promised."
    )
    shape = "small" if len(rows) < 7 else "wide"
    return Figure(
        "certificates", "What the fleet attains, and one smaller", caption, {"data": data, "layout": layout}, shape
    )


def _attained(lines: list[Line], meets: bool | None) -> Plot:
    name, colour = _LOOKS[meets]
    kept = [(row, line) for row, line in enumerate(lines) if line.meets is meets]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [line.attained for _, line in kept],
        "y": [row for row, _ in kept],
        "error_x": whiskers([line.attained for _, line in kept], [bounds(line) for _, line in kept], colour, 6),
        "marker": {"color": colour, "size": 10},
        "text": [html.escape(f"{line.promise.told}: {interval(line)}") for _, line in kept],
        "hovertemplate": "%{text}<extra></extra>",
    }
