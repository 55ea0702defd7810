"""The pictures of a validation or a calibration: signed errors over what was measured, a panel a metric."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.palette import series
from sim.report.drawing.panels import grid
from sim.result import words
from sim.study.fidelity.fitted import Fit
from sim.study.fidelity.validate import Validation

PANELS = {
    "tpot_s_mean": "TPOT mean",
    "e2e_s_mean": "E2E mean",
    "ttft_s_mean": "TTFT mean",
    "iteration_s": "one iteration",
}
BAND = 0.1
_SYMBOLS = ("triangle-down", "circle", "triangle-up")
_CAPTION = (
    "Each point is one measured run: how far the prediction is off, over what was measured. Above 0 the prediction is "
    "too large; the band is 10% either way; a triangle lies beyond the picture."
)
_LEAST_DECADES = 0.12
"""Between two labels of the axis, as a share of it."""


@dataclass(frozen=True)
class Dot:
    """One prediction beside its measurement."""

    metric: str
    group: str
    name: str
    measured_s: float
    error_share: float
    hollow: bool = False


def of_validation(found: Validation) -> Figure:
    """A validation in one picture, a colour a source."""
    return _together("Predicted over measured", dots_of(found))


def of_fit(fit: Fit, title: str) -> Figure:
    """A calibration's residuals in one picture; hollow: what the fit was not to match."""
    return _together(f"Predicted over measured: {title}" if title else "Predicted over measured", dots_of_fit(fit))


def panels_of(dots: Sequence[Dot]) -> tuple[Figure, ...]:
    """The same, a picture a metric."""
    return tuple(
        Figure(metric, f"Error of the prediction: {head}", _CAPTION, plot) for metric, head, plot in _panels(dots)
    )


def dots_of(found: Validation) -> list[Dot]:
    """The points of a validation."""
    return [
        Dot(row.metric, row.source, row.case, row.measured, row.error_share)
        for row in found.rows
        if row.measured and row.error_share is not None
    ]


def dots_of_fit(fit: Fit) -> list[Dot]:
    """The points of a calibration."""
    return [
        Dot(
            f"{row.metric}_s_mean" if row.metric != "iteration" else "iteration_s",
            "fitted" if row.used else "not fitted",
            row.point,
            row.measured,
            row.error_share,
            hollow=not row.used,
        )
        for row in fit.residuals
    ]


def _together(title: str, dots: Sequence[Dot]) -> Figure:
    panels = [(head, plot) for _, head, plot in _panels(dots)]
    plot = grid(panels, 2 if len(panels) > 1 else 1, 0.1, 0.09) if panels else {"data": [], "layout": {}}
    return Figure("errors", title, _CAPTION, plot, "tall" if len(panels) > 2 else "wide")


def _panels(dots: Sequence[Dot]) -> list[tuple[str, str, Plot]]:
    groups = sorted({dot.group for dot in dots if dot.metric in PANELS})
    made = []
    for metric, head in PANELS.items():
        of_metric = [dot for dot in dots if dot.metric == metric]
        if of_metric:
            made.append((metric, head, _plot(of_metric, groups)))
    return made


def _plot(dots: Sequence[Dot], groups: Sequence[str]) -> Plot:
    """Axes, the band and a mark a dot; what is beyond the panel stands at its edge as a triangle."""
    most = 0.5 if max(abs(dot.error_share) for dot in dots) > 0.25 else 0.25
    data = [_marks([dot for dot in dots if dot.group == group], group, groups, most) for group in groups]
    line = {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "y0": 0, "y1": 0}
    band = {"type": "rect", "xref": "x domain", "x0": 0, "x1": 1, "y0": -BAND, "y1": BAND, "line": {"width": 0}}
    layout = {
        "xaxis": _measured([dot.measured_s for dot in dots]),
        "yaxis": {
            "range": [-1.08 * most, 1.08 * most],
            "tickvals": [-most, -BAND, 0, BAND, most],
            "ticktext": [f"{100 * share:+g}%" if share else "0%" for share in (-most, -BAND, 0, BAND, most)],
            "title": {"text": ""},
        },
        "hovermode": "closest",
        "shapes": [
            band | {"fillcolor": "var(--grey-soft)", "layer": "below"},
            line | {"line": {"color": "var(--muted)", "width": 1.2}, "layer": "below"},
        ],
    }
    return {"data": [trace for trace in data if trace["x"]], "layout": layout}


def _marks(dots: Sequence[Dot], group: str, groups: Sequence[str], most: float) -> Plot:
    beyond = [(dot.error_share > most) - (dot.error_share < -most) for dot in dots]
    symbols = [_SYMBOLS[1 + way] + ("-open" if dot.hollow else "") for dot, way in zip(dots, beyond, strict=True)]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": html.escape(group),
        "x": [dot.measured_s for dot in dots],
        "y": [max(-most, min(most, dot.error_share)) for dot in dots],
        "marker": {"color": series(groups.index(group)), "size": 8, "symbol": symbols, "opacity": 0.75},
        "text": [html.escape(f"{dot.name}: {dot.error_share:+.1%}") for dot in dots],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _measured(measured_s: Sequence[float]) -> Plot:
    low, high = math.log10(min(measured_s)) - 0.1, math.log10(max(measured_s)) + 0.1
    ticks = _ticks(low, high)
    return {
        "type": "log",
        "range": [low, high],
        "tickvals": ticks,
        "ticktext": [words.duration(tick) for tick in ticks],
        "title": {"text": "measured"},
    }


def _ticks(low: float, high: float) -> list[float]:
    """Round values between two powers of ten, none so near to another that their labels touch."""
    found: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        values = [float(f"{m}e{e}") for e in range(math.floor(low), math.ceil(high) + 1) for m in steps]
        values = [value for value in values if low <= math.log10(value) <= high]
        if any(math.log10(b / a) < _LEAST_DECADES * (high - low) for a, b in pairwise(values)):
            break
        found = values
    return found
