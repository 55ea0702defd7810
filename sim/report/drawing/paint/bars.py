"""Bars: beside each other, on each other, from where they begin; and the words on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.report.drawing.figure import Plot
from sim.report.drawing.paint.colours import colour
from sim.report.drawing.paint.panel import PX, Floats, Panel, errors
from sim.report.drawing.paint.scales import plain

_BAR = 0.8
"""Of the room that a bar has."""


def bars(panel: Panel, trace: Plot) -> Any:
    """Paint the bars of a trace; what stands for them in the legend."""
    from matplotlib.patches import Patch

    flat = trace.get("orientation") == "h"
    along, value = ("y", "x") if flat else ("x", "y")
    at = np.array((panel.y if flat else panel.x).each(trace[along]))
    size = np.nan_to_num(np.array((panel.x if flat else panel.y).each(trace[value])))
    wide, at = _placed(panel, trace, at)
    base = _bases(panel, trace, at, size)
    marker = trace.get("marker", {})
    said = marker.get("color", "var(--blue)")
    tints = [colour(one) for one in said] if isinstance(said, list) else [colour(said)] * len(at)
    edge = marker.get("line", {})
    look: dict[str, Any] = {"color": tints, "zorder": 2, "linewidth": edge.get("width", 0) * PX}
    if "color" in edge:
        shade = edge["color"]
        look["edgecolor"] = [colour(one) for one in shade] if isinstance(shade, list) else colour(shade)
    if flat:
        panel.axes.barh(at, size, height=wide, left=base, **look)
    else:
        panel.axes.bar(at, size, width=wide, bottom=base, **look)
    ends = (base + size, at) if flat else (at, base + size)
    errors(panel, trace, *ends)
    if "text" in trace and trace.get("textposition", "auto") != "none":
        _bar_words(panel, trace, at, base, size, flat)
    return Patch(facecolor=tints[0] if tints else "none")


def _placed(panel: Panel, trace: Plot, at: Floats) -> tuple[Any, Floats]:
    """How wide the bars of a trace are, and where their middles are."""
    room: Any = float(np.diff(np.unique(at)).min()) if len(np.unique(at)) > 1 else 1.0
    room *= 1 - panel.layout.get("bargap", 1 - _BAR)
    if "width" in trace:
        room = np.array(trace["width"], float) if isinstance(trace["width"], list) else float(trace["width"])
    if panel.layout.get("barmode", "group") != "group" or panel.bars < 2:
        return room, at
    wide = room / panel.bars
    place = panel.bar
    panel.bar += 1
    return wide, at - room / 2 + wide * (place + 0.5)


def _bases(panel: Panel, trace: Plot, at: Floats, size: Floats) -> Floats:
    if "base" in trace:
        base = trace["base"]
        return np.array(base, float) if isinstance(base, list) else np.full(len(at), float(base))
    if panel.layout.get("barmode", "group") not in ("stack", "relative"):
        return np.zeros(len(at))
    bases = np.zeros(len(at))
    for place, (where, much) in enumerate(zip(at.tolist(), size.tolist(), strict=True)):
        up = (much >= 0, where)
        bases[place] = panel.ends.get(up, 0.0)
        panel.ends[up] = bases[place] + much
    return bases


def _bar_words(panel: Panel, trace: Plot, at: Floats, base: Floats, size: Floats, flat: bool) -> None:
    """Words at the end of each bar, or in its middle."""
    inside = trace.get("textposition", "auto") in ("inside", "auto")
    shade = trace.get("textfont", {}).get("color", "var(--card)" if inside else "var(--muted)")
    span = abs(np.diff(panel.axes.get_xlim() if flat else panel.axes.get_ylim())[0]) or 1.0
    for place, said in enumerate(trace["text"]):
        if not said or (inside and panel.ends and abs(size[place]) < 0.06 * span):
            continue  # no room for it
        end = base[place] + size[place]
        where = base[place] + size[place] / 2 if inside else end
        off = 0 if inside else (5 if size[place] >= 0 else -5)
        side = "center" if inside else ("left" if size[place] >= 0 else "right")
        up = "center" if flat or inside else ("bottom" if size[place] >= 0 else "top")
        panel.axes.annotate(
            plain(str(said)),
            (where, at[place]) if flat else (at[place], where),
            xytext=(off, 0) if flat else (0, off),
            textcoords="offset points",
            ha=side if flat else "center",
            va=up,
            fontsize=9,
            color=colour(shade),
            zorder=5,
        )
