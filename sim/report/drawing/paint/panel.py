"""What is drawn on one pair of axes, and what later traces have to know of earlier ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.report.drawing.figure import Plot
from sim.report.drawing.paint.colours import colour
from sim.report.drawing.paint.scales import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
PX = 0.72
"""Points of a pixel."""
DASHES: dict[str, Any] = {"solid": "-", "dash": (0, (5, 3)), "dot": (0, (1.5, 2.5)), "dashdot": "-."}


@dataclass
class Panel:
    """A pair of axes."""

    axes: Axes
    x: Scale
    y: Scale
    layout: Plot
    stacked: dict[str, Floats] = field(default_factory=dict)
    before: tuple[Floats, Floats] | None = None
    """The line that `tonexty` fills to."""
    ends: dict[tuple[bool, float], float] = field(default_factory=dict)
    """How far the bars at a place reach, above and below 0."""
    bars: int = 0
    """How many traces stand side by side."""
    bar: int = 0


def errors(panel: Panel, trace: Plot, x: Floats, y: Floats) -> None:
    """The error bars of a trace whose ends are at these places."""
    for way in ("x", "y"):
        said = trace.get(f"error_{way}")
        if not said or not said.get("visible", True):
            continue
        more = np.nan_to_num(np.array(said["array"], float))
        less = np.nan_to_num(np.array(said.get("arrayminus", said["array"]), float))
        shade = said.get("color", trace.get("line", {}).get("color", "var(--text)"))
        ends: dict[str, Any] = {f"{way}err": np.stack((less, more))}
        panel.axes.errorbar(
            x,
            y,
            **ends,
            fmt="none",
            color=colour(shade),
            elinewidth=said.get("thickness", 1.4) * PX,
            capsize=said.get("width", 4) * PX,
            capthick=said.get("thickness", 1.4) * PX,
            zorder=3.5,
        )
