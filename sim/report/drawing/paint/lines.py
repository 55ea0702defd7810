"""Lines, marks, and the areas below them."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.report.drawing.figure import Plot
from sim.report.drawing.paint.colours import colour
from sim.report.drawing.paint.panel import DASHES, PX, Floats, Panel, errors
from sim.report.drawing.paint.scales import plain

SYMBOLS = {
    "circle": "o",
    "diamond": "D",
    "square": "s",
    "triangle-up": "^",
    "triangle-down": "v",
    "triangle-left": "<",
    "triangle-right": ">",
    "cross": "P",
    "x": "X",
    "star": "*",
    "line-ns": "|",
    "line-ew": "_",
}


def scatter(panel: Panel, trace: Plot) -> Any:
    """Paint a line with what belongs to it; what stands for it in the legend."""
    from matplotlib.lines import Line2D

    x, y = np.array(panel.x.each(trace["x"])), np.array(panel.y.each(trace["y"]))
    line, mode = trace.get("line", {}), trace.get("mode", "lines")
    handle: Any = None
    low, y = _below(panel, trace, x, y)
    if low is not None:
        handle = _filled(panel, trace, x, low, y)
    stroke: dict[str, Any] = {"linestyle": "none"}
    if "lines" in mode and line.get("width", 2):
        style = {"hv": "steps-post", "vh": "steps-pre"}.get(line.get("shape", ""), "default")
        stroke = {
            "color": colour(line.get("color", "var(--blue)")),
            "linewidth": line.get("width", 2) * PX,
            "linestyle": DASHES[line.get("dash", "solid")],
            "drawstyle": style,
        }
        panel.axes.plot(x, y, zorder=3, **stroke)
        handle = handle or Line2D([], [], **stroke)
    errors(panel, trace, x, y)
    if "markers" in mode:
        marks = _marked(panel, trace, x, y)
        handle = Line2D([], [], **{**stroke, **marks})
    if "text" in mode:
        _labelled(panel, trace, x, y)
    return handle


def _below(panel: Panel, trace: Plot, x: Floats, y: Floats) -> tuple[Floats | None, Floats]:
    """Where the area of a trace begins, and where its line is; None: it has no area."""
    group, fill = trace.get("stackgroup"), trace.get("fill", "none")
    before, low = panel.before, None
    if group:
        low = panel.stacked.get(group, np.zeros(len(y)))
        assert len(low) == len(y), "layers of a stack have the same places"
        y = low + np.nan_to_num(y)
        panel.stacked[group] = y
    elif fill == "tozeroy":
        low = np.zeros(len(y))
    elif fill == "tonexty" and before is not None:
        low = np.interp(x, *before)
    elif fill == "toself":
        low = y
    panel.before = (x, y)
    return low, y


def _filled(panel: Panel, trace: Plot, x: Floats, low: Floats, y: Floats) -> Any:
    from matplotlib.patches import Patch

    tint = colour(trace.get("fillcolor", trace.get("line", {}).get("color", "var(--blue-soft)")))
    if trace.get("fill") == "toself":
        panel.axes.fill(x, y, color=tint, linewidth=0, zorder=1.5)
    else:
        step = {"hv": "post", "vh": "pre"}.get(trace.get("line", {}).get("shape", ""))
        panel.axes.fill_between(x, low, y, color=tint, linewidth=0, step=step, zorder=1.5)  # type: ignore[arg-type]
    return Patch(facecolor=tint, edgecolor=colour(trace.get("line", {}).get("color", "transparent")))


def _marked(panel: Panel, trace: Plot, x: Floats, y: Floats) -> dict[str, Any]:
    """Paint the marks; how the first of them looks, for the legend."""
    marker = trace.get("marker", {})
    fallback = marker.get("color", trace.get("line", {}).get("color", "var(--blue)"))
    many = len(x)
    edge = marker.get("line", {})
    said = (fallback, marker.get("symbol", "circle"), marker.get("size", 6), edge.get("width"), edge.get("color"))
    colours, symbols, sizes, widths, edges = (value if isinstance(value, list) else [value] * many for value in said)
    looks: list[dict[str, Any]] = []
    for at in range(many):
        hollow = symbols[at].endswith("-open")
        tint = colour(colours[at])
        look = {
            "marker": SYMBOLS[symbols[at].removesuffix("-open")],
            "markersize": sizes[at] * PX,
            "markerfacecolor": colour("var(--card)") if hollow else tint,
            "markeredgecolor": tint if edges[at] is None else colour(edges[at]),
            "markeredgewidth": (1.4 * hollow if widths[at] is None else widths[at]) * PX,
            "alpha": marker.get("opacity"),
        }
        looks.append(look)
    for look in {repr(one): one for one in looks}.values():
        here = [at for at, one in enumerate(looks) if one == look]
        panel.axes.plot(x[here], y[here], linestyle="none", zorder=4, **look)
    return looks[0] if looks else {}


_SIDES = {"top": (0, 5, "center", "bottom"), "bottom": (0, -5, "center", "top"), "middle": (0, 0, "center", "center")}


def _labelled(panel: Panel, trace: Plot, x: Floats, y: Floats) -> None:
    """Words beside the marks."""
    said = trace.get("textposition", "top center")
    places = said if isinstance(said, list) else [said] * len(x)
    told = trace["text"] if isinstance(trace["text"], list) else [trace["text"]] * len(x)
    for at, text in enumerate(told):
        upright, _, side = places[at].partition(" ")
        _, off, _, up = _SIDES[upright]
        over = {"left": -6, "right": 6}.get(side, 0)
        across = {"left": "right", "right": "left"}.get(side, "center")
        look: dict[str, Any] = {"fontsize": 9, "color": colour(trace.get("textfont", {}).get("color", "var(--muted)"))}
        where: dict[str, Any] = {"xytext": (over, off), "textcoords": "offset points", "ha": across, "va": up}
        if text and np.isfinite((x[at], y[at])).all():
            panel.axes.annotate(plain(str(text)), (x[at], y[at]), annotation_clip=True, zorder=5, **where, **look)
