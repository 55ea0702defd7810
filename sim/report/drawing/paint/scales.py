"""The axes of a plot: where each lies on the canvas, its kind, range and ticks."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sim.report.drawing.figure import Plot
from sim.report.drawing.paint.colours import colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST = 160
"""Letters of a word or a line in a picture."""
_D3 = re.compile(r"(\$?)([+,]*(?:\.\d+)?[%fges]?)")


def plain(said: str) -> str:
    """Text of a plot without the little HTML that Plotly reads; what is too long for a picture is cut."""
    return short(html.unescape(re.sub(r"<[^>]*>", "", said.replace("<br>", "\n"))))


def short(text: str) -> str:
    """A text, cut if it is too long for a picture."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


@dataclass
class Scale:
    """One axis: `x`, `y2`; numbers, or the categories that its traces have."""

    name: str
    layout: Plot
    categories: list[str] = field(default_factory=list)

    @property
    def is_category(self) -> bool:
        """Whether its values are names."""
        return bool(self.categories)

    @property
    def domain(self) -> tuple[float, float]:
        """The part of the picture that it takes."""
        low, high = self.layout.get("domain", (0.0, 1.0))
        return float(low), float(high)

    def at(self, value: Any) -> float:
        """Where a value stands, in the units of the axis."""
        if value is None:
            return math.nan
        if self.is_category and isinstance(value, str):
            return float(self.categories.index(value))
        return float(value)

    def each(self, values: Sequence[Any]) -> list[float]:
        """Where these stand."""
        return [self.at(value) for value in values]

    def learn(self, values: Sequence[Any]) -> None:
        """Take up the categories of a trace, where its values are names or the axis says so."""
        named = self.layout.get("type") == "category"
        if named or any(isinstance(value, str) for value in values):
            told = [*self.layout.get("categoryarray", ()), *values]
            self.categories += [one for one in dict.fromkeys(map(str, told)) if one not in self.categories]

    def ends(self) -> tuple[float, float] | None:
        """The range that the layout gives, in the units of the axis."""
        if self.is_category:
            many = len(self.categories)
            ends = self.layout.get("range", (-0.5, many - 0.5))
            low, high = float(ends[0]), float(ends[1])
        elif "range" in self.layout:
            low, high = (float(end) for end in self.layout["range"])
            if self.layout.get("type") == "log":
                low, high = 10.0**low, 10.0**high
        else:
            return None
        return (high, low) if self.layout.get("autorange") == "reversed" else (low, high)


def dressed(axes: Axes, scale: Scale, way: str, labelled: bool) -> None:
    """Kind, range, ticks, title and grid of one axis of a panel; `way`: `x` or `y`."""
    axis = axes.xaxis if way == "x" else axes.yaxis
    layout = scale.layout
    if layout.get("type") == "log":
        (axes.set_xscale if way == "x" else axes.set_yscale)("log")
    axis.set_minor_locator(_no_ticks())
    ends = _ranged(axes, scale, way)
    _ticked(axis, scale, ends)
    shown = labelled and layout.get("showticklabels", True) and layout.get("visible", True)
    axis.set_tick_params(which="both", length=0, labelsize=9, labelcolor=colour("var(--muted)"))
    if not shown:
        for label in axis.get_ticklabels():
            label.set_visible(False)
        axis.set_tick_params(which="both", labelbottom=False, labelleft=False, labelright=False)
    title = layout.get("title", {}).get("text", "")
    if title and labelled:
        axis.set_label_text(plain(title), color=colour("var(--muted)"), fontsize=9.5)
    if layout.get("showgrid", True) and layout.get("visible", True):
        axis.grid(True, color=colour("var(--rule)"), linewidth=0.8)


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _ranged(axes: Axes, scale: Scale, way: str) -> tuple[float, float]:
    get, put = (axes.get_xlim, axes.set_xlim) if way == "x" else (axes.get_ylim, axes.set_ylim)
    ends = scale.ends()
    if ends is None:
        low, high = get()
        if scale.layout.get("rangemode") == "tozero":
            limits = axes.dataLim.intervalx if way == "x" else axes.dataLim.intervaly
            low, high = (0.0 if limits[0] >= 0 else low), max(high, 0.0)
        ends = (high, low) if scale.layout.get("autorange") == "reversed" else (low, high)
    if ends[0] == ends[1]:  # all values are one: a little room around it
        room = abs(ends[0]) / 20 or 1.0
        ends = (ends[0] - room, ends[1] + room)
    put(*ends)
    return min(ends), max(ends)


def _ticked(axis: Any, scale: Scale, ends: tuple[float, float]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MultipleLocator

    layout = scale.layout
    low, high = ends
    if "tickvals" in layout:
        told = layout.get("ticktext") or [f"{value:g}" for value in layout["tickvals"]]
        kept = [
            (at, plain(str(text)))
            for at, text in zip(scale.each(layout["tickvals"]), told, strict=True)
            if low - 1e-9 <= at <= high + 1e-9 * abs(high)
        ]
        axis.set_ticks([at for at, _ in kept], labels=[text for _, text in kept])
        return
    if scale.is_category:
        places = [place for place in range(len(scale.categories)) if low <= place <= high]
        axis.set_major_locator(FixedLocator(places))
        names = {place: plain(name) for place, name in enumerate(scale.categories)}
        axis.set_major_formatter(FuncFormatter(lambda value, _: names.get(round(value), "")))
        return
    if "dtick" in layout and layout.get("type") != "log":
        axis.set_major_locator(MultipleLocator(layout["dtick"]))
    before, after = layout.get("tickprefix", ""), layout.get("ticksuffix", "")
    form = layout.get("tickformat", "")
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{before}{_number(value, form)}{after}"))


def _number(value: float, form: str) -> str:
    if not form:
        return f"{value:,.10g}"
    found = _D3.fullmatch(form)
    assert found is not None, f"a format of numbers that is not painted: {form}"
    return found[1] + format(value, found[2])


def names_of(layout: Plot, data: Sequence[Plot]) -> Iterator[tuple[str, str]]:
    """The pairs of axes that traces lie on, in order, each once."""
    yield from dict.fromkeys((trace.get("xaxis", "x"), trace.get("yaxis", "y")) for trace in data)


def key_of(name: str) -> str:
    """Where the layout has an axis: `y2` is `yaxis2`."""
    return f"{name[0]}axis{name[1:]}"
