"""The picture of a warm-up: what settles last, averaged over runs (Welch), and where it is cut."""

from __future__ import annotations

import numpy as np

from sim.report.drawing.axes import round_ticks
from sim.report.drawing.downsample import short
from sim.report.drawing.figure import Figure, Plot
from sim.result import words
from sim.study.replicated.steady import BINS, NAMES, Settled, moving_average

_UNITS = (
    (3 * 86400.0, 86400.0, "days"),
    (2 * 3600.0, 3600.0, "hours"),
    (180.0, 60.0, "minutes"),
    (0.0, 1.0, "seconds"),
)


def of_settled(settled: Settled) -> Figure:
    """The slowest metric over the runs' time."""
    values = settled.series[settled.slowest]
    smooth = np.asarray(moving_average(values), np.float64)
    horizon_s, warmup_s = float(settled.scenario.horizon_s or 0.0), settled.scenario.warmup_s
    most = max(float(np.quantile(values, 0.995)), float(smooth.max()), 1e-12) * 1.08
    _, unit_s, unit = next(one for one in _UNITS if horizon_s >= one[0])
    name = NAMES[settled.slowest]
    what = name[0].upper() + name[1:]  # KV keeps its capitals
    runs = words.plural(settled.runs, "run")
    at = np.asarray((np.arange(BINS) + 0.5) * (horizon_s / BINS / unit_s), np.float64)
    data = [
        _line(short(at), short(values), "average of the runs", "var(--grey)", 1.0),
        _line(short(at), short(smooth), "moving average", "var(--blue)", 2.4),
    ]
    cut = warmup_s / unit_s
    layout: Plot = {
        "xaxis": {"title": {"text": f"{unit} from the start"}, "range": [0, horizon_s / unit_s]},
        "yaxis": {"title": {"text": name}, "range": [0, most], "tickvals": round_ticks(0, most)},
        "shapes": [
            {"type": "rect", "x0": 0, "x1": cut, "fillcolor": "var(--grey-soft)", "line": {"width": 0}} | _HIGH,
            {"type": "line", "x0": cut, "x1": cut, "line": {"color": "var(--muted)", "width": 1.5, "dash": "dash"}}
            | _HIGH,
        ],
        "annotations": [
            {"text": "measured from here", "x": cut, "y": 1, "yref": "y domain", "xanchor": "left", "yanchor": "top"}
            | {"xshift": 6, "showarrow": False}
        ],
    }
    layout["yaxis"]["ticktext"] = [words.count(tick) for tick in layout["yaxis"]["tickvals"]]
    title = f"{what}, average of {runs}: warm-up {words.duration(warmup_s)} of {words.duration(horizon_s)}"
    caption = (
        f"What settles last: {name}. What comes before the dashed line is simulated and left out of every number "
        "(Welch's moving average; the cut is that of MSER-5)."
    )
    return Figure("warmup", title, caption, {"data": data, "layout": layout})


_HIGH = {"yref": "y domain", "y0": 0, "y1": 1, "layer": "below"}


def _line(x: list[float | None], y: list[float | None], name: str, colour: str, width: float) -> Plot:
    line = {"color": colour, "width": width}
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": line}
