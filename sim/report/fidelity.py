"""The picture of a validation: signed errors over what was measured, one panel a metric, as one SVG."""

from __future__ import annotations

import math
from html import escape

from sim.study.validate import Comparison, Validation

PANELS = {
    "tpot_s_mean": "TPOT mean",
    "e2e_s_mean": "E2E mean",
    "ttft_s_mean": "TTFT mean",
    "iteration_s": "one iteration",
}
MOST = 0.5
"""Errors beyond this are drawn at the edge."""
BAND = 0.1

_WIDE, _HIGH, _LEFT, _TOP, _GAP = 420.0, 190.0, 56.0, 34.0, 66.0
_COLOURS = ("#2563eb", "#d97706", "#0d9488", "#7c3aed", "#dc2626", "#64748b")


def picture(found: Validation) -> str:
    """The SVG. The same comparisons give the same bytes."""
    colours = {source.name: _COLOURS[i % len(_COLOURS)] for i, source in enumerate(found.sources)}
    panels = [(metric, rows) for metric in PANELS if (rows := [row for row in found.rows if row.metric == metric])]
    parts, at = [], _TOP
    for metric, rows in panels:
        parts += _panel(PANELS[metric], rows, colours, at)
        at += _HIGH + _GAP
    for i, (name, colour) in enumerate(colours.items()):
        y = at - 12 + 18 * i
        parts.append(f'<circle cx="{_LEFT + 5}" cy="{y - 4:g}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + 16}" y="{y:g}">{escape(name)}</text>')
    high = at + 18 * len(colours)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE + _LEFT + 24:g} {high:g}" '
        'font-family="sans-serif" font-size="12" fill="#334155">\n'
        '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _panel(title: str, rows: list[Comparison], colours: dict[str, str], top: float) -> list[str]:
    """Axes, the band and a dot a point."""
    measured = [row.measured for row in rows if row.measured]
    low, high = math.log10(min(measured)) - 0.1, math.log10(max(measured)) + 0.1

    def y(share: float) -> float:
        return top + _HIGH * (0.5 - max(-MOST, min(MOST, share)) / (2 * MOST))

    def x(seconds: float) -> float:
        return _LEFT + _WIDE * (math.log10(seconds) - low) / (high - low)

    parts = [
        f'<text x="{_LEFT:g}" y="{top - 10:g}" font-weight="bold">{escape(title)}: predicted over measured</text>',
        f'<rect x="{_LEFT:g}" y="{y(BAND):g}" width="{_WIDE:g}" height="{y(-BAND) - y(BAND):g}" fill="#e2e8f0"/>',
    ]
    for share in (-0.5, -0.25, -BAND, 0.0, BAND, 0.25, 0.5):
        parts.append(
            f'<line x1="{_LEFT:g}" x2="{_LEFT + _WIDE:g}" y1="{y(share):g}" y2="{y(share):g}" '
            f'stroke="{"#334155" if share == 0 else "#cbd5e1"}"/>'
        )
        parts.append(f'<text x="{_LEFT - 6:g}" y="{y(share) + 4:g}" text-anchor="end">{share:+.0%}</text>')
    for seconds in _ticks(low, high):
        parts.append(f'<text x="{x(seconds):g}" y="{top + _HIGH + 16:g}" text-anchor="middle">{_time(seconds)}</text>')
    parts.append(f'<text x="{_LEFT + _WIDE:g}" y="{top + _HIGH + 32:g}" text-anchor="end">measured</text>')
    for row in rows:
        if row.measured and row.error_share is not None:
            at = f'cx="{x(row.measured):.1f}" cy="{y(row.error_share):.1f}" r="3.2"'
            about = f"<title>{escape(row.case)} {row.error_share:+.1%}</title>"
            parts.append(f'<circle {at} fill="{colours[row.source]}" fill-opacity="0.65">{about}</circle>')
    return parts


def _ticks(low: float, high: float) -> list[float]:
    """Round values between two powers of ten."""
    values = [m * 10.0**e for e in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)]
    return [value for value in values if low <= math.log10(value) <= high]


def _time(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{1000 * seconds:g} ms"
