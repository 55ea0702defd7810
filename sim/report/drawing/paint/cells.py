"""Heat maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.report.drawing.figure import Plot
from sim.report.drawing.paint.colours import colour, scale_of
from sim.report.drawing.paint.panel import Floats, Panel
from sim.report.drawing.paint.scales import plain


def heatmap(panel: Panel, trace: Plot) -> Any:
    """Paint the cells of a map; its scale stands beside it, not in the legend."""
    z = np.array([[np.nan if value is None else value for value in row] for row in trace["z"]], float)
    x, y = np.array(panel.x.each(trace["x"])), np.array(panel.y.each(trace["y"]))
    painted = panel.axes.pcolormesh(
        _edges(x, z.shape[1]),
        _edges(y, z.shape[0]),
        np.ma.masked_invalid(z),
        cmap=scale_of(trace["colorscale"]),
        vmin=trace.get("zmin"),
        vmax=trace.get("zmax"),
        zorder=1.2,
        linewidth=0,
        rasterized=z.size > 5000,
    )
    if trace.get("texttemplate"):
        for row, words in enumerate(trace["text"]):
            for column, said in enumerate(words):
                panel.axes.annotate(
                    plain(str(said)),
                    (x[column], y[row]),
                    ha="center",
                    va="center",
                    fontsize=9,
                    color=colour(trace.get("textfont", {}).get("color", "var(--text)")),
                    zorder=5,
                )
    if trace.get("showscale", True):
        _scaled(panel, trace, painted)


def _edges(middle: Floats, cells: int) -> Floats:
    """Where cells end; as many places as cells are their middles."""
    if len(middle) == cells + 1:
        return middle
    if cells == 1:
        return np.array([middle[0] - 0.5, middle[0] + 0.5])
    between = (middle[:-1] + middle[1:]) / 2
    first, last = 2 * middle[0] - between[0], 2 * middle[-1] - between[-1]
    return np.concatenate(([first], between, [last]))


def _scaled(panel: Panel, trace: Plot, painted: Any) -> None:
    bar = panel.axes.inset_axes((1.02, 0.0, 0.02, 1.0))
    made = panel.axes.figure.colorbar(painted, cax=bar)
    said = trace.get("colorbar", {})
    made.outline.set_visible(False)
    if "tickvals" in said:
        made.set_ticks(said["tickvals"], labels=[plain(str(text)) for text in said.get("ticktext", said["tickvals"])])
    bar.tick_params(length=0, labelsize=8.5, labelcolor=colour("var(--muted)"))
    title = said.get("title", {}).get("text", "")
    if title:
        made.set_label(plain(title), color=colour("var(--muted)"), fontsize=9)
