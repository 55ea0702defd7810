"""The picture of a walk from one scenario to another: what each change adds to the main numbers, as one SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from sim.report.comparison_words import names, signed, together, value, walk_paths
from sim.report.svg import framed
from sim.study.compared.compare import Difference
from sim.study.compared.walk import Stride
from sim.study.replicated.replications import Replicated

_LABEL, _WIDE, _GAP, _EDGE = 226.0, 244.0, 16.0, 20.0
_TOP, _ROW, _BAR = 96.0, 42.0, 15.0
_MOST_PANELS, _MOST_LETTERS = 4, 34
_ROOM = 78.0
"""Width of a number beside its bar."""


@dataclass(frozen=True)
class _Panel:
    """One metric along the walk."""

    name: str
    path: str
    left: float
    strides: tuple[Difference, ...]

    @property
    def scale(self) -> tuple[float, float]:
        """The least and the largest value that is drawn."""
        ends = [end for each in self.strides for end in (each.baseline, each.other)]
        ends += [each.baseline + end for each in self.strides for end in (each.more.low, each.more.high)]
        low, high = min(ends), max(ends)
        return (low, high) if high > low else (low - 1, high + 1)

    def x(self, at: float) -> float:
        """Where a value is."""
        low, high = self.scale
        inner = _WIDE - 2 * _ROOM
        return self.left + _ROOM + inner * (at - low) / (high - low)


def of_walk(baseline_name: str, other_name: str, baseline: Replicated, strides: Sequence[Stride]) -> str | None:
    """The SVG of a walk; None where no main number can be told at every step. The same walk gives the same bytes."""
    panels = _panels(baseline, strides)
    if not panels:
        return None
    wide = panels[-1].left + _WIDE + _EDGE
    parts = [f'<text class="title" x="{_EDGE:g}" y="28">{escape(f"From {baseline_name} to {other_name}")}</text>']
    parts += _legend(_EDGE, 50)
    rows = [baseline_name, *(None for _ in strides), other_name]
    for place, name in enumerate(rows):
        middle = _TOP + _ROW * (place + 0.5)
        if place % 2 == 0:
            parts.append(
                f'<rect class="band" x="{_EDGE / 2:g}" y="{middle - _ROW / 2:g}" width="{wide - _EDGE:g}" '
                f'height="{_ROW:g}" fill-opacity=".5"/>'
            )
        parts += _label(strides[place - 1], middle) if name is None else [_text(_EDGE, middle + 4, _cut(name), "head")]
    for panel in panels:
        parts += _drawn(panel, len(rows))
    return framed(parts, wide, _TOP + _ROW * len(rows) + 16)


def _panels(baseline: Replicated, strides: Sequence[Stride]) -> list[_Panel]:
    name, paths = names(baseline.records[0].summary), walk_paths(baseline, strides)
    added = [together([found for path in paths if (found := stride.of(path)) is not None]) for stride in strides]
    return [
        _Panel(name[path], path, _EDGE + _LABEL + place * (_WIDE + _GAP), tuple(each[place] for each in added))
        for place, path in enumerate(paths[:_MOST_PANELS])
    ]


def _drawn(panel: _Panel, rows: int) -> list[str]:
    first, last = panel.strides[0].baseline, panel.strides[-1].other
    bottom = _TOP + _ROW * rows
    parts = [_text(panel.left + _WIDE / 2, _TOP - 14, panel.name, "head", "middle")]
    at = panel.x(first)
    parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP:g}" y2="{bottom:g}"/>')
    for place, number in ((0, first), (rows - 1, last)):
        at, middle = panel.x(number), _TOP + _ROW * (place + 0.5)
        parts.append(f'<circle class="dot c0" cx="{at:.1f}" cy="{middle:g}" r="4.5"/>')
        parts.append(_text(at + 10, middle + 4, value(panel.path, number)))
    end = bottom - _ROW / 2
    parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{end - _ROW + _BAR / 2:g}" y2="{end - 5:g}"/>')
    for place, each in enumerate(panel.strides, start=1):
        parts += _bar(panel, each, _TOP + _ROW * (place + 0.5))
    return parts


def _bar(panel: _Panel, each: Difference, middle: float) -> list[str]:
    """What a change adds: a bar from the value before it to the one after, its interval, its number."""
    before, after = panel.x(each.baseline), panel.x(each.other)
    low, high = (panel.x(each.baseline + end) for end in (each.more.low, each.more.high))
    top = middle - _BAR / 2
    parts = [f'<line class="grid" x1="{before:.1f}" x2="{before:.1f}" y1="{middle - _ROW:g}" y2="{top:g}"/>']
    parts.append(
        f'<rect class="{_class(each)}" x="{min(before, after):.1f}" y="{top:g}" '
        f'width="{max(abs(after - before), 1.5):.1f}" height="{_BAR:g}">'
        f"<title>{escape(_about(panel, each))}</title></rect>"
    )
    if high - low > 1:
        parts += [
            f'<line class="zero" x1="{one:.1f}" x2="{other:.1f}" y1="{above:g}" y2="{below:g}"/>'
            for one, other, above, below in (
                (low, high, middle, middle),
                (low, low, middle - 3, middle + 3),
                (high, high, middle - 3, middle + 3),
            )
        ]
    said = "0" if each.is_same else signed(panel.path, each.more.estimate)
    right = max(before, after, high)
    if right + _ROOM <= panel.left + _WIDE + _GAP:
        parts.append(_text(right + 6, middle + 4, said))
    else:
        parts.append(_text(min(before, after, low) - 6, middle + 4, said, anchor="end"))
    return parts


def _class(each: Difference) -> str:
    if not each.is_distinguishable:
        return "hollow c5"
    more_is_better = each.path.endswith(".attained")
    return "dot c2" if (each.more.estimate > 0) == more_is_better else "dot c4"


def _about(panel: _Panel, each: Difference) -> str:
    more = each.more
    told = f"{panel.name}: {signed(panel.path, more.estimate)}"
    return told if each.is_exact else f"{told} ({signed(panel.path, more.low)} to {signed(panel.path, more.high)})"


def _label(stride: Stride, middle: float) -> list[str]:
    """The end of the key, and below it the two values; of several changes the first, and how many more."""
    first, *more = stride.step.changes
    key = ".".join(first.path[-3:])
    key = first.key if len(first.key) <= _MOST_LETTERS else f"…{key}" if len(first.path) > 3 else key
    below = first.text.removeprefix(first.key).removeprefix(": ") + (f", and {len(more)} more" if more else "")
    about = f"<title>{escape(', '.join(change.text for change in stride.step.changes))}</title>"
    if not below:
        return [f"<g>{about}{_text(_EDGE, middle + 4, _cut(key))}</g>"]
    faint = _text(_EDGE, middle + 13, _cut(below), style="fill-opacity:.7")
    return [f"<g>{about}{_text(_EDGE, middle - 3, _cut(key))}{faint}</g>"]


def _legend(left: float, top: float) -> list[str]:
    parts = []
    for name, style in (("better", "dot c2"), ("worse", "dot c4"), ("not distinguishable", "hollow c5")):
        parts.append(f'<rect class="{style}" x="{left:g}" y="{top - 10:g}" width="14" height="11"/>')
        parts.append(_text(left + 20, top, name))
        left += 36 + 6.4 * len(name)
    parts.append(
        _text(left, top, "each change added to those above it; whiskers: 95 %, together", style="fill-opacity:.7")
    )
    return parts


def _text(x: float, y: float, said: str, kind: str = "", anchor: str = "", style: str = "") -> str:
    more = "".join(
        f' {key}="{told}"' for key, told in (("class", kind), ("text-anchor", anchor), ("style", style)) if told
    )
    return f'<text{more} x="{x:.1f}" y="{y:.1f}">{escape(said)}</text>'


def _cut(said: str) -> str:
    return said if len(said) <= _MOST_LETTERS else f"{said[: _MOST_LETTERS - 1]}…"
