"""The picture of a validation or a calibration: signed errors over what was measured, a panel a metric, as one SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from sim.report.svg import COLOURS, framed
from sim.study.fidelity.fitted import Fit
from sim.study.fidelity.validate import Validation

PANELS = {
    "tpot_s_mean": "TPOT mean",
    "e2e_s_mean": "E2E mean",
    "ttft_s_mean": "TTFT mean",
    "iteration_s": "one iteration",
}
BAND = 0.1
_WIDE, _HIGH, _LEFT, _TOP, _GAP, _LINE = 460.0, 190.0, 60.0, 62.0, 72.0, 18.0
_TICK = 52.0
"""Width that a label of the axis needs."""


@dataclass(frozen=True)
class Dot:
    """One prediction beside its measurement."""

    metric: str
    group: str
    name: str
    measured_s: float
    error_share: float
    hollow: bool = False


def of_validation(found: Validation) -> str:
    """The SVG of a validation, a colour a source."""
    dots = [
        Dot(row.metric, row.source, row.case, row.measured, row.error_share)
        for row in found.rows
        if row.measured and row.error_share is not None
    ]
    return _picture("", dots)


def of_fit(fit: Fit, title: str) -> str:
    """The SVG of a calibration's residuals; hollow: what the fit was not to match."""
    dots = [
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
    return _picture(title, dots)


def _picture(about: str, dots: Sequence[Dot]) -> str:
    """The same dots give the same bytes."""
    groups = sorted({dot.group for dot in dots if dot.metric in PANELS})
    parts, at = [f'<text class="title" x="{_LEFT:g}" y="24">Predicted over measured</text>'], _TOP
    if about:
        parts.append(f'<text x="{_LEFT:g}" y="{at - 20:g}">{escape(about)}</text>')
        at += _LINE
    for metric, head in PANELS.items():
        of_metric = [dot for dot in dots if dot.metric == metric]
        if of_metric:
            parts += _panel(head, of_metric, groups, at)
            at += _HIGH + _GAP
    for place, group in enumerate(groups):
        y = at - 24 + _LINE * place
        hollow = all(dot.hollow for dot in dots if dot.group == group)
        mark = f'<circle class="{_dot_class(place, hollow)}" cx="{_LEFT + 5:g}" cy="{y - 4:g}" r="4"/>'
        parts.append(f'{mark}<text x="{_LEFT + 16:g}" y="{y:g}">{escape(group)}</text>')
    wide, high = _WIDE + _LEFT + 30, at - 16 + _LINE * len(groups)
    return framed(parts, wide, high)


def _dot_class(place: int, hollow: bool) -> str:
    return f"{'hollow' if hollow else 'dot'} c{place % COLOURS}"


def _panel(head: str, dots: Sequence[Dot], groups: Sequence[str], top: float) -> list[str]:
    """Axes, the band and a mark a dot; what is beyond the panel stands at its edge as a triangle."""
    measured = [dot.measured_s for dot in dots]
    low, high = math.log10(min(measured)) - 0.1, math.log10(max(measured)) + 0.1
    most = 0.5 if max(abs(dot.error_share) for dot in dots) > 0.25 else 0.25

    def y(share: float) -> float:
        return top + _HIGH * (0.5 - max(-most, min(most, share)) / (2 * most))

    def x(seconds: float) -> float:
        return _LEFT + _WIDE * (math.log10(seconds) - low) / (high - low)

    band_px = y(-BAND) - y(BAND)
    parts = [
        f'<text class="head" x="{_LEFT:g}" y="{top - 12:g}">{escape(head)}</text>',
        f'<rect class="band" x="{_LEFT:g}" y="{y(BAND):g}" width="{_WIDE:g}" height="{band_px:g}"/>',
    ]
    for share in (-most, -most / 2, -BAND, 0.0, BAND, most / 2, most):
        if abs(share) == most / 2 and most < 0.5:
            continue  # too near to the band's edge
        kind = "zero" if share == 0 else "grid"
        x2 = _LEFT + _WIDE
        parts.append(f'<line class="{kind}" x1="{_LEFT:g}" x2="{x2:g}" y1="{y(share):g}" y2="{y(share):g}"/>')
        label = f"{100 * share:+g} %" if share else "0 %"
        parts.append(f'<text x="{_LEFT - 8:g}" y="{y(share) + 4:g}" text-anchor="end">{label}</text>')
    for seconds in _ticks(low, high, x):
        parts.append(f'<text x="{x(seconds):g}" y="{top + _HIGH + 18:g}" text-anchor="middle">{_time(seconds)}</text>')
    parts.append(f'<text x="{_LEFT + _WIDE:g}" y="{top + _HIGH + 36:g}" text-anchor="end">measured</text>')
    for dot in dots:
        place = _dot_class(groups.index(dot.group), dot.hollow)
        about = f"<title>{escape(dot.name)}: {dot.error_share:+.1%}</title>"
        at = x(dot.measured_s), y(dot.error_share)
        parts.append(_mark(*at, place, about, math.copysign(abs(dot.error_share) > most, dot.error_share)))
    return parts


def _mark(x: float, y: float, place: str, about: str, beyond: float) -> str:
    """A circle; a triangle that points out of the panel for what lies beyond."""
    if not beyond:
        return f'<circle class="{place}" cx="{x:.1f}" cy="{y:.1f}" r="3.4">{about}</circle>'
    tip, foot = (y - 5, y + 3) if beyond > 0 else (y + 5, y - 3)
    path = f"M{x - 4.5:.1f} {foot:.1f}H{x + 4.5:.1f}L{x:.1f} {tip:.1f}z"
    return f'<path class="{place}" d="{path}">{about}</path>'


def _ticks(low: float, high: float, x: Callable[[float], float]) -> list[float]:
    """Round values between two powers of ten, none so near to another that their labels touch."""
    found: list[float] = []
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        values = [m * 10.0**e for e in range(math.floor(low), math.ceil(high) + 1) for m in steps]
        values = [value for value in values if low <= math.log10(value) <= high]
        if any(x(b) - x(a) < _TICK for a, b in pairwise(values)):
            break
        found = values
    return found


def _time(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{1000 * seconds:g} ms"
