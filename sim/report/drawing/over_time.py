"""Lines and areas over the time of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.report.drawing.downsample import extremes, short
from sim.report.drawing.figure import Plot

if TYPE_CHECKING:
    from sim.result.timeline import Columns


class Clock:
    """The time axis: the middle of each bin, in the unit that suits the length of the run."""

    def __init__(self, columns: Columns, warmup_s: float = 0.0) -> None:
        length_s = float(columns["end_s"][-1]) if len(columns["end_s"]) else 0.0
        units = ((3 * 86400, 86400.0, "days"), (2 * 3600, 3600.0, "hours"), (180, 60.0, "minutes"), (0, 1.0, "seconds"))
        unit_s, name = next((unit_s, name) for least_s, unit_s, name in units if length_s >= least_s)
        self.unit_s = unit_s
        self.end_s = length_s
        self.at = (columns["start_s"] + columns["end_s"]) / 2 / unit_s
        self.axis: Plot = {"title": {"text": f"{name} into the run"}, "range": [0, max(length_s / unit_s, 1e-9)]}
        if name == "hours" and length_s <= 72 * 3600:
            self.axis |= {"tick0": 0, "dtick": next(step for step in (1, 2, 3, 6) if length_s / 3600 / step <= 12)}
        self.shapes: list[Plot] = []
        """For the layout: a band over the warm-up, which is simulated and not measured."""
        if warmup_s > 0 and length_s > 0:
            until = min(warmup_s, length_s) / unit_s
            self.shapes.append(
                {
                    "type": "rect",
                    "xref": "x",
                    "x0": 0,
                    "x1": until,
                    "yref": "paper",
                    "y0": 0,
                    "y1": 1,
                    "fillcolor": "var(--grey-soft)",
                    "line": {"width": 0},
                    "layer": "below",
                    "label": {"text": "warm-up", "textposition": "top left", "font": {"size": 11}},
                }
            )

    def times(self, at_s: NDArray[np.float64]) -> list[float | None]:
        """Instants on this axis."""
        return short(at_s / self.unit_s)


def line(
    clock: Clock,
    value: NDArray[np.float64],
    name: str,
    colour: str,
    text: NDArray[np.str_] | None = None,
    keep: NDArray[np.int64] | None = None,
) -> Plot:
    keep = extremes(value) if keep is None else keep
    trace: Plot = {
        "type": "scatter",
        "mode": "lines" if np.isfinite(value).sum() > 2 else "markers",
        "name": name,
        "x": short(clock.at[keep]),
        "y": short(value[keep]),
        "line": {"color": colour, "width": 1.8},
        "marker": {"color": colour},
    }
    if text is not None:
        trace |= {"text": text[keep].tolist(), "hovertemplate": "%{text}"}
    return trace


def area(
    clock: Clock,
    value: NDArray[np.float64],
    name: str,
    colour: str,
    soft: str,
    keep: NDArray[np.int64] | None = None,
) -> Plot:
    return line(clock, value, name, colour, keep=keep) | {"fill": "tozeroy", "fillcolor": soft}
