"""The tornado as one SVG: what each assumption moves the tail by with the fleet kept, and the cost if planned again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from sim.report.plan.said import METRICS
from sim.report.svg import framed
from sim.result import words
from sim.study.sensitivity.tornado import Swing, Tornado

_LABEL, _PANEL, _GAP, _TOP, _ROW, _BAR, _EDGE = 170.0, 300.0, 24.0, 64.0, 34.0, 13.0, 14.0
_ROOM = 66.0
"""Width of a number beside its bar."""


@dataclass(frozen=True)
class _Panel:
    title: str
    left: float
    values: tuple[tuple[float | None, ...], ...]
    """By assumption, what each of its ways adds."""
    say: Callable[[float], str]

    @property
    def most(self) -> float:
        """The largest of them."""
        return max((abs(value) for row in self.values for value in row if value is not None), default=0.0) or 1.0


def tornado_picture(found: Tornado, swings: Sequence[Swing]) -> str:
    """The same tornado gives the same bytes. Bars to the right are worse."""
    names = list(dict.fromkeys(each.assumption for each in swings))
    ways = [[each for each in swings if each.assumption == name] for name in names]
    second = _EDGE + _LABEL + _PANEL + _GAP
    base = found.usd_per_hour_again
    panels = (
        _Panel(
            f"{found.quantile} {METRICS[found.metric]}, the fleet kept",
            _EDGE + _LABEL,
            tuple(tuple(None if w.tail is None else w.tail.more.estimate for w in row) for row in ways),
            words.duration,
        ),
        _Panel(
            "USD an hour, planned again by theory",
            second,
            tuple(tuple(_again(w, base) for w in row) for row in ways),
            words.usd,
        ),
    )
    parts = [f'<text class="title" x="{_EDGE:g}" y="26">What moves the plan most</text>']
    for place, row in enumerate(ways):
        middle = _TOP + _ROW * (place + 0.5)
        if place % 2 == 0:
            wide = second + _PANEL - _EDGE / 2
            top = middle - _ROW / 2
            box = f'x="{_EDGE / 2:g}" y="{top:g}" width="{wide:g}" height="{_ROW:g}"'
            parts.append(f'<rect class="band" {box} fill-opacity=".5"/>')
        told = f"{names[place]}, {' / '.join(way.told for way in row)}"
        parts.append(_text(_EDGE, middle - 2, names[place]))
        parts.append(_text(_EDGE, middle + 12, told.split(", ", 1)[1], more=' style="fill-opacity:.7"'))
    for panel in panels:
        parts += _drawn(panel, len(ways))
    return framed(parts, second + _PANEL + _EDGE, _TOP + _ROW * len(ways) + 14)


def _again(swing: Swing, base: float | None) -> float | None:
    if swing.usd_per_hour_again is not None and base is not None:
        return swing.usd_per_hour_again - base
    return None


def _drawn(panel: _Panel, rows: int) -> list[str]:
    zero = panel.left + _PANEL / 2
    scale = (_PANEL / 2 - _ROOM) / panel.most
    parts = [_text(zero, _TOP - 10, panel.title, more=' class="head" text-anchor="middle"')]
    parts.append(f'<line class="zero" x1="{zero:g}" x2="{zero:g}" y1="{_TOP:g}" y2="{_TOP + _ROW * rows:g}"/>')
    for place, values in enumerate(panel.values):
        top = _TOP + _ROW * place
        given = [value for value in values if value is not None]
        for at, value in enumerate(given):
            y = top + (_ROW - _BAR * len(given)) / 2 + _BAR * at
            parts += _bar(panel, zero, scale, value, y)
    return parts


def _bar(panel: _Panel, zero: float, scale: float, value: float, y: float) -> list[str]:
    if abs(value) < 1e-3 * panel.most:
        return []
    wide = abs(value) * scale
    left = zero if value > 0 else zero - wide
    colour = "c4" if value > 0 else "c2"
    said = f"{'+' if value > 0 else ''}{panel.say(value)}"
    at, anchor = (zero + wide + 4, "start") if value > 0 else (zero - wide - 4, "end")
    return [
        f'<rect class="dot {colour}" x="{left:.1f}" y="{y + 1:.1f}" width="{max(wide, 1):.1f}" height="{_BAR - 2:g}"/>',
        _text(at, y + _BAR - 3, said, more=f' text-anchor="{anchor}" style="font-size:11px"'),
    ]


def _text(x: float, y: float, said: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(said)}</text>'
