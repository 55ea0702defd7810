"""The tornado: what each assumption moves the tail by with the fleet kept, and the cost if it is planned again."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

from sim.report.drawing.axes import room, row_axis, told_axis, usd
from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.panels import Headed, grid
from sim.report.plan.said import METRICS
from sim.result import words
from sim.study.sensitivity.tornado import Swing, Tornado

_LEAST = 1e-3
"""Of the largest: what moves less is not drawn."""
_Ways = list[list[Swing]]


def tornado_picture(found: Tornado, swings: Sequence[Swing]) -> Figure:
    """Bars to the right are worse. The swings in the order in which they are to stand."""
    names = list(dict.fromkeys(each.assumption for each in swings))
    ways = [[each for each in swings if each.assumption == name] for name in names]
    base = found.usd_per_hour_again
    tails = [[None if way.tail is None else way.tail.more.estimate for way in row] for row in ways]
    again = [[_again(way, base) for way in row] for row in ways]
    panels: list[Headed] = [
        (f"{found.quantile} {METRICS[found.metric]}, the fleet kept", _bars(names, ways, tails, words.duration)),
        ("USD an hour, planned again by theory", _bars(names, ways, again, usd)),
    ]
    caption = "What each assumption moves, largest first: longer and dearer to the right, in red."
    kept = [panel for panel in panels if panel[1]["data"][0]["x"]] or panels[:1]
    plot = grid(kept, 1, above=0.07)
    return Figure("sensitivity", "What moves the plan most", caption, plot, "tall" if len(kept) > 1 else "small")


def _again(swing: Swing, base: float | None) -> float | None:
    if swing.usd_per_hour_again is not None and base is not None:
        return swing.usd_per_hour_again - base
    return None


def _bars(
    names: Sequence[str], ways: _Ways, values: Sequence[Sequence[float | None]], say: Callable[[float], str]
) -> Plot:
    given = [
        (row, at, len(each), ways[row][at], value)
        for row, each in enumerate(values)
        for at, value in enumerate(each)
        if value is not None
    ]
    most = max((abs(value) for *_, value in given), default=0.0) or 1.0
    kept = [one for one in given if abs(one[4]) >= _LEAST * most]
    signed = [f"{'+' if value > 0 else ''}{say(value)}" for *_, value in kept]
    bars: Plot = {
        "type": "bar",
        "orientation": "h",
        "name": "change",
        "showlegend": False,
        "y": [row - 0.4 + 0.8 * (at + 0.5) / of for row, at, of, _, _ in kept],
        "x": [value for *_, value in kept],
        "width": [0.7 / of for _, _, of, _, _ in kept],
        "marker": {"color": ["var(--red)" if value > 0 else "var(--teal)" for *_, value in kept]},
        "text": [html.escape(f"{swing.told}: {said}") for (_, _, _, swing, _), said in zip(kept, signed, strict=True)],
        "textposition": "outside",
        "textfont": {"color": "var(--text)"},
        "hovertext": [
            html.escape(f"{swing.assumption} {swing.told}: {said}")
            for (_, _, _, swing, _), said in zip(kept, signed, strict=True)
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "cliponaxis": False,
    }
    ends = room([value for *_, value in kept], 0.3, 0.3, zero=True)
    ends = (min(ends[0], -0.3 * most), max(ends[1], 0.3 * most))
    zero = {"type": "line", "x0": 0, "x1": 0, "yref": "y domain", "y0": 0, "y1": 1}
    layout = {
        "xaxis": told_axis(ends, lambda value: f"{'+' if value > 0 else ''}{say(value)}"),
        "yaxis": row_axis(names),
        "hovermode": "closest",
        "barmode": "overlay",
        "showlegend": False,
        "shapes": [zero | {"line": {"color": "var(--muted)", "width": 1.2}}],
    }
    return {"data": [bars], "layout": layout}
