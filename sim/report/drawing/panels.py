"""Several small pictures as one: each keeps its own axes, its heading stands above it, the legend names things once."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from sim.report.drawing.figure import Plot

Headed = tuple[str, Plot]
"""What a panel shows, and its plot, which has one pair of axes."""


def grid(
    panels: Sequence[Headed], columns: int = 1, between: float = 0.1, above: float = 0.09, same_rows: bool = False
) -> Plot:
    """The panels row by row. `between`, `above`: room beside and on top of a panel, as shares of the picture.

    `same_rows`: the vertical axes say the same, so only the first of each row is labelled.
    """
    rows = -(-len(panels) // columns)
    wide = (1 - between * (columns - 1)) / columns
    high = 1 / rows
    data: list[Plot] = []
    layout: Plot = {"shapes": [], "annotations": []}
    named: set[str] = set()
    for place, (head, plot) in enumerate(panels):
        row, column = divmod(place, columns)
        left, top = column * (wide + between), 1 - row * high
        x, y = (f"{way}{place + 1 if place else ''}" for way in "xy")
        over = {"x": x, "y": y}
        lower = 0.0 if row == rows - 1 else above * 0.9
        domains = {"x": [left, min(left + wide, 1.0)], "y": [max(top - high + lower, 0.0), top - above]}
        for way in ("x", "y"):
            axis = {
                **plot["layout"].get(f"{way}axis", {}),
                "domain": domains[way],
                "anchor": over["xy"["yx".index(way)]],
            }
            if way == "y" and same_rows and column:
                axis |= {"showticklabels": False, "title": {"text": ""}}
            layout[f"{way}axis{over[way][1:]}"] = axis
        data += [_traced(trace, over, named) for trace in plot["data"]]
        layout["shapes"] += [_referred(shape, over) for shape in plot["layout"].get("shapes", ())]
        layout["annotations"] += [_referred(note, over) for note in plot["layout"].get("annotations", ())]
        layout["annotations"].append(_head(head, over))
    kept = ("barmode", "hovermode", "bargap", "showlegend", "legend")
    return {
        "data": data,
        "layout": layout | {key: panels[0][1]["layout"][key] for key in kept if key in panels[0][1]["layout"]},
    }


def _traced(trace: Plot, over: dict[str, str], named: set[str]) -> Plot:
    name = str(trace.get("name", ""))
    again = {"showlegend": False} if name in named else {}
    named.add(name)
    return {**trace, "xaxis": over["x"], "yaxis": over["y"], "legendgroup": name, **again}


def _referred(item: Plot, over: dict[str, str]) -> Plot:
    """A shape or a note on the axes of its panel."""
    made: dict[str, Any] = dict(item)
    for way in ("x", "y"):
        said = str(item.get(f"{way}ref", way))
        assert said in (way, f"{way} domain"), f"a panel has no {said}"
        made[f"{way}ref"] = said.replace(way, over[way], 1)
    return made


def _head(text: str, over: dict[str, str]) -> Plot:
    return {
        "text": f"<b>{html.escape(text)}</b>",
        "xref": f"{over['x']} domain",
        "yref": f"{over['y']} domain",
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 5,
        "showarrow": False,
        "font": {"color": "var(--text)"},
    }
