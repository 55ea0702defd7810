"""The picture of demand to come: P10 to P90 by month, and P50, as one SVG."""

from __future__ import annotations

from html import escape

from sim.report.svg import framed, round_ticks
from sim.study.purchased.purchases import Purchases

_WIDE, _HIGH, _LEFT, _TOP, _BOTTOM = 760.0, 260.0, 56.0, 24.0, 40.0


def demand_picture(bought: Purchases) -> str:
    """The same purchases give the same bytes."""
    months = bought.months
    most = 1.08 * max(month.demand_factor["p90"] for month in months)
    step = (_WIDE - _LEFT - 30) / max(len(months) - 1, 1)

    def x(place: int) -> float:
        return _LEFT + 10 + step * place

    def y(value: float) -> float:
        return _HIGH - _BOTTOM - (_HIGH - _BOTTOM - _TOP) * value / most

    parts = []
    for tick in round_ticks(most):
        parts.append(f'<line class="grid" x1="{_LEFT:g}" x2="{_WIDE - 10:g}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8:g}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    line = {
        name: [(x(at), y(month.demand_factor[name])) for at, month in enumerate(months)]
        for name in ("p10", "p50", "p90")
    }
    around = [*line["p90"], *reversed(line["p10"])]
    parts.append(f'<polygon class="c0" style="fill:var(--c);fill-opacity:.22" points="{_points(around)}"/>')
    parts.append(
        f'<polyline class="c0" style="fill:none;stroke:var(--c);stroke-width:2" points="{_points(line["p50"])}"/>'
    )
    every = max(len(months) // 12, 1)
    for at, month in enumerate(months):
        if at % every == 0:
            parts.append(f'<text x="{x(at):.1f}" y="{_HIGH - 16:g}" text-anchor="middle">{escape(month.month)}</text>')
    return framed(parts, _WIDE, _HIGH)


def _points(places: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
