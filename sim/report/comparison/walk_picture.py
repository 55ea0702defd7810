"""The pictures of a walk from one scenario to another: what each change adds to the main numbers, as a waterfall."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from sim.report.comparison.words import better, names, possible, signed, together, value, walk_paths
from sim.report.drawing.axes import room, row_axis, told_axis
from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.panels import grid
from sim.report.drawing.whiskers import whiskers
from sim.study.compared.compare import Difference
from sim.study.compared.walk import Stride
from sim.study.replicated.replications import Replicated

_MOST_PANELS, _MOST_LETTERS = 4, 30
_LOOKS = {"better": "var(--teal)", "worse": "var(--red)", "not distinguishable": "var(--grey)"}
CAPTION = (
    "Each bar is what one change adds to those above it, from the value before it to the one after; whiskers are 95% "
    "intervals that hold together."
)

_SHORT = "What each change adds to {}, from top to bottom."


@dataclass(frozen=True)
class _Panel:
    """One metric along the walk."""

    name: str
    path: str
    rows: tuple[str, ...]
    strides: tuple[Difference, ...]

    @property
    def ends(self) -> tuple[float, float]:
        """From where to where the axis goes."""
        found = [end for each in self.strides for end in (each.baseline, each.other)]
        found += [each.baseline + end for each in self.strides for end in (each.more.low, each.more.high)]
        return room(found, 0.12, 0.55)


def of_walk(baseline_name: str, other_name: str, baseline: Replicated, strides: Sequence[Stride]) -> Figure | None:
    """The whole walk as one picture; None where no main number can be told at every step."""
    panels = _panels(baseline_name, other_name, baseline, strides)
    if not panels:
        return None
    shape = "wide" if len(strides) < 6 else "tall"
    plot = grid([(panel.name, _plot(panel)) for panel in panels], len(panels), 0.03, same_rows=True)
    return Figure("waterfall", f"From {baseline_name} to {other_name}", CAPTION, plot, shape)


def walk_figures(
    baseline_name: str, other_name: str, baseline: Replicated, strides: Sequence[Stride]
) -> tuple[Figure, ...]:
    """The same, a picture a number."""
    shape = "small" if len(strides) < 7 else "wide"
    return tuple(
        Figure(f"walk-{place}", f"Walk: {panel.name}", _SHORT.format(panel.name), _plot(panel), shape)
        for place, panel in enumerate(_panels(baseline_name, other_name, baseline, strides))
    )


def _panels(one: str, other: str, baseline: Replicated, strides: Sequence[Stride]) -> list[_Panel]:
    name, paths = names(baseline.records[0].summary), walk_paths(baseline, strides)
    added = [together([found for path in paths if (found := stride.of(path)) is not None]) for stride in strides]
    rows = (_cut(one), *(_label(stride) for stride in strides), _cut(other))
    return [
        _Panel(name[path], path, rows, tuple(each[place] for each in added))
        for place, path in enumerate(paths[:_MOST_PANELS])
    ]


def _plot(panel: _Panel) -> Plot:
    first, last = panel.strides[0].baseline, panel.strides[-1].other
    data: list[Plot] = [_ends(panel, first, last)]
    for look, colour in _LOOKS.items():
        bars = [(row, each) for row, each in enumerate(panel.strides, start=1) if _look(each) == look]
        if bars:
            data.append(_bars(panel, look, colour, bars))
    data.append(_words(panel))
    links = [first, *(each.other for each in panel.strides)]
    layout = {
        "xaxis": told_axis(panel.ends, lambda number: value(panel.path, number), about=3),
        "yaxis": row_axis(panel.rows),
        "hovermode": "closest",
        "barmode": "overlay",
        "shapes": [_link(at, row) for row, at in enumerate(links)],
    }
    return {"data": data, "layout": layout}


def _ends(panel: _Panel, first: float, last: float) -> Plot:
    """Where the walk begins and where it ends."""
    rows = len(panel.rows)
    told = [value(panel.path, number) for number in (first, last)]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": "in all",
        "x": [first, last],
        "y": [0, rows - 1],
        "text": told,
        "textposition": "middle right",
        "cliponaxis": False,
        "marker": {"color": "var(--blue)", "size": 9},
        "hovertemplate": "%{text}<extra></extra>",
    }


def _bars(panel: _Panel, look: str, colour: str, bars: Sequence[tuple[int, Difference]]) -> Plot:
    return {
        "type": "bar",
        "orientation": "h",
        "name": look,
        "y": [row for row, _ in bars],
        "x": [each.other - each.baseline for _, each in bars],
        "base": [each.baseline for _, each in bars],
        "width": 0.5,
        "marker": {"color": colour},
        "error_x": whiskers([each.other - each.baseline for _, each in bars], _whisker_ends(bars), "var(--text)"),
        "text": [_about(panel, each) for _, each in bars],
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
    }


def _whisker_ends(bars: Sequence[tuple[int, Difference]]) -> list[tuple[float, float]]:
    halves = [(each.other - each.baseline, 0 if each.is_exact else each.more.half_width) for _, each in bars]
    return [(step - half, step + half) for step, half in halves]


def _words(panel: _Panel) -> Plot:
    """What each bar comes to, to the right of it and of its whiskers."""
    return {
        "type": "scatter",
        "mode": "text",
        "name": "what it adds",
        "showlegend": False,
        "hoverinfo": "skip",
        "x": [max(each.baseline, each.other, each.baseline + each.more.high) for each in panel.strides],
        "y": list(range(1, len(panel.strides) + 1)),
        "text": ["0" if each.is_same else signed(panel.path, each.more.estimate) for each in panel.strides],
        "textposition": "middle right",
        "cliponaxis": False,
    }


def _link(at: float, row: int) -> Plot:
    """From where one row ends to where the next begins."""
    line = {"color": "var(--grey)", "width": 1, "dash": "dot"}
    return {"type": "line", "x0": at, "x1": at, "y0": row, "y1": row + 1, "line": line, "layer": "below"}


def _look(each: Difference) -> str:
    if not each.is_distinguishable:
        return "not distinguishable"
    return "better" if better(each) else "worse"


def _about(panel: _Panel, each: Difference) -> str:
    more = each.more
    told = f"{panel.name}: {signed(panel.path, more.estimate)}"
    if each.is_exact:
        return html.escape(told)
    low, high = possible(each)
    return html.escape(f"{told} ({signed(panel.path, low)} to {signed(panel.path, high)})")


def _label(stride: Stride) -> str:
    """The end of the first key with its two values, and how many changes more."""
    first, *more = stride.step.changes
    key = ".".join(first.path[-2:])
    below = first.text.removeprefix(first.key).removeprefix(": ")
    return f"{_cut(key)}: {_cut(below)}" + (f", {len(more)} more" if more else "") if below else _cut(key)


def _cut(said: str) -> str:
    return said if len(said) <= _MOST_LETTERS else f"{said[: _MOST_LETTERS - 1]}…"
