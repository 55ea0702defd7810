"""A whole picture: its panels, what is drawn over them, the legend and the title."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.paint.colours import colour
from sim.report.drawing.paint.panel import DASHES, PX, Panel
from sim.report.drawing.paint.scales import Scale, dressed, key_of, names_of, plain, short
from sim.report.drawing.paint.traces import drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.transforms import Transform

SIZES = {"small": (7.2, 3.7), "wide": (10.4, 4.9), "tall": (10.4, 6.4), "short": (7.2, 2.6)}
"""Inches of the panels, by the shape of a figure."""
_LETTER = 0.075
"""Inches of a letter of the legend, about."""


def painted(figure: Figure) -> Canvas:
    """The figure on a canvas, to be saved in whatever format."""
    from matplotlib.figure import Figure as Canvas

    wide, high = SIZES[figure.shape]
    canvas = Canvas(figsize=(wide, high), facecolor=colour("var(--card)"))
    data, layout = figure.plot["data"], figure.plot["layout"]
    panels = _panels(canvas, data, layout)
    handles: list[tuple[str, Any]] = []
    for trace in data:
        handle = drawn(panels[trace.get("xaxis", "x"), trace.get("yaxis", "y")], trace)
        if handle is not None and trace.get("name") and trace.get("showlegend", True):
            handles.append((plain(trace["name"]), handle))
    _dress(panels, layout)
    for shape in layout.get("shapes", ()):
        _shape(canvas, panels, shape)
    for note in layout.get("annotations", ()):
        _note(canvas, panels, note)
    top = _legend(canvas, handles, wide) if layout.get("showlegend", True) else 1.0
    canvas.text(
        0.0, top + 0.16 / high, short(figure.title), fontsize=12, fontweight="bold", color=colour("var(--text)")
    )
    return canvas


# -- panels ------------------------------------------------------------------------------------------------------------


def _panels(canvas: Canvas, data: Sequence[Plot], layout: Plot) -> dict[tuple[str, str], Panel]:
    pairs = list(names_of(layout, data))
    scales = {name: Scale(name, layout.get(key_of(name), {})) for pair in pairs for name in pair}
    for trace in data:
        for way in ("x", "y"):
            scales[trace.get(f"{way}axis", way)].learn(trace.get(way) or ())
    found: dict[tuple[str, str], Panel] = {}
    for x_name, y_name in pairs:
        x, y = scales[x_name], scales[y_name]
        base = scales.get(str(y.layout.get("overlaying", y_name)), y)
        (left, right), (bottom, top) = x.domain, base.domain
        shared = next((one.axes for (name, _), one in found.items() if name == x_name), None)
        alike = next((one.axes for (_, name), one in found.items() if name == y_name), None)
        axes = canvas.add_axes((left, bottom, right - left, top - bottom), sharex=shared, sharey=alike)
        axes.patch.set_visible(False)
        bars = sum(
            trace.get("type") == "bar" and (trace.get("xaxis", "x"), trace.get("yaxis", "y")) == (x_name, y_name)
            for trace in data
        )
        found[x_name, y_name] = Panel(axes, x, y, layout, bars=bars)
    return found


def _dress(panels: dict[tuple[str, str], Panel], layout: Plot) -> None:
    lowest = {x: min(p.y.domain[0] for (name, _), p in panels.items() if name == x) for x, _ in panels}
    for (x_name, _), panel in panels.items():
        over = "overlaying" in panel.y.layout
        for side in panel.axes.spines.values():
            side.set_visible(False)
        is_lowest = panel.y.domain[0] <= lowest[x_name] and not over
        dressed(panel.axes, panel.x, "x", is_lowest)
        dressed(panel.axes, panel.y, "y", True)
        if over or panel.y.layout.get("side") == "right":
            panel.axes.yaxis.tick_right()
            panel.axes.yaxis.set_label_position("right")
            panel.axes.yaxis.set_tick_params(length=0)
            panel.axes.grid(False)


# -- what is drawn over them -------------------------------------------------------------------------------------------


def _across(canvas: Canvas, panels: dict[tuple[str, str], Panel], item: Plot) -> tuple[Axes, Transform, Panel]:
    """Where a shape or a note is at home: axes, and how its places are to be read."""
    from matplotlib.transforms import blended_transform_factory

    x_ref, y_ref = item.get("xref", "x"), item.get("yref", "y")
    own = [x_ref.removesuffix(" domain"), y_ref.removesuffix(" domain")]
    first = next(iter(panels.values()))
    panel = next(
        (p for (x, y), p in panels.items() if own[0] in (x, "paper") and own[1] in (y, "paper")),
        first,
    )
    assert panel is not first or own[0] in ("x", "paper"), f"no traces on {own}"
    kinds = {"paper": canvas.transFigure, "domain": panel.axes.transAxes}
    ways = [kinds.get(ref.rpartition(" ")[2], panel.axes.transData) for ref in (x_ref, y_ref)]
    return panel.axes, ways[0] if ways[0] is ways[1] else blended_transform_factory(*ways), panel


def _shape(canvas: Canvas, panels: dict[tuple[str, str], Panel], shape: Plot) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    axes, transform, panel = _across(canvas, panels, shape)
    (x0, x1), (y0, y1) = ([_place(panel, shape, way, end) for end in "01"] for way in "xy")
    line = shape.get("line", {})
    order = 0.8 if shape.get("layer") == "below" else 3.2
    artist: Any
    if shape["type"] == "line":
        artist = Line2D(
            [x0, x1],
            [y0, y1],
            color=colour(line.get("color", "var(--text)")),
            linewidth=line.get("width", 2) * PX,
            linestyle=DASHES[line.get("dash", "solid")],
        )
    else:
        assert shape["type"] == "rect", f"a shape that is not painted: {shape['type']}"
        tint = colour(shape.get("fillcolor", "transparent"))
        artist = Rectangle((x0, y0), x1 - x0, y1 - y0, facecolor=tint, edgecolor="none", alpha=shape.get("opacity"))
    artist.set(transform=transform, zorder=order)
    artist.set_clip_on(False)
    axes.add_artist(artist)
    if "paper" not in (shape.get("xref", "x"), shape.get("yref", "y")):
        artist.set_clip_on(True)
    artist.set_in_layout(False)
    label = shape.get("label", {}).get("text", "")
    if label:
        at: dict[str, Any] = {
            "xycoords": transform,
            "textcoords": "offset points",
            "xytext": (3, -3),
            "annotation_clip": False,
        }
        look: dict[str, Any] = {
            "fontsize": 8.5,
            "color": colour("var(--muted)"),
            "ha": "left",
            "va": "top",
            "zorder": 5,
        }
        axes.annotate(plain(label), (min(x0, x1), max(y0, y1)), **at, **look)


def _place(panel: Panel, item: Plot, way: str, end: str = "") -> float:
    ref = item.get(f"{way}ref", way)
    value = item[f"{way}{end}"]
    if ref == "paper" or ref.endswith(" domain"):
        return float(value)
    return (panel.x if way == "x" else panel.y).at(value)


def _note(canvas: Canvas, panels: dict[tuple[str, str], Panel], note: Plot) -> None:
    axes, transform, panel = _across(canvas, panels, note)
    font = note.get("font", {})
    x, y = _place(panel, note, "x"), _place(panel, note, "y")
    logs = [one.layout.get("type") == "log" for one in (panel.x, panel.y)]
    x = 10**x if logs[0] and note.get("xref", "x") == panel.x.name else x
    y = 10**y if logs[1] and note.get("yref", "y") == panel.y.name else y
    heavy = "bold" if note["text"].startswith("<b>") else "normal"
    made = axes.annotate(
        plain(note["text"]),
        (x, y),
        xycoords=transform,
        xytext=(note.get("xshift", 0) * PX, note.get("yshift", 0) * PX),
        textcoords="offset points",
        ha=note.get("xanchor", "center").replace("auto", "center"),
        va={"auto": "center", "middle": "center"}.get(note.get("yanchor", "center"), note.get("yanchor", "center")),
        color=colour(font.get("color", "var(--muted)")),
        fontsize=font.get("size", 12.5) * PX,
        fontweight=heavy,
        annotation_clip=False,
        zorder=6,
    )
    made.set_in_layout(True)


# -- the legend --------------------------------------------------------------------------------------------------------


def _legend(canvas: Canvas, handles: Sequence[tuple[str, Any]], wide: float) -> float:
    """Draw it above the panels, in as many lines as it takes; how high the picture is then, as a share of them."""
    named = list(dict(reversed(handles)).items())[::-1]  # the first of a name
    if not named:
        return 1.0
    longest = max(len(name) for name, _ in named) * _LETTER + 0.5
    made = canvas.legend(
        [handle for _, handle in named],
        [name for name, _ in named],
        loc="lower left",
        bbox_to_anchor=(0.0, 1.03),
        ncols=max(1, min(len(named), int(wide / longest))),
        frameon=False,
        fontsize=9,
        labelcolor=colour("var(--muted)"),
        borderaxespad=0.0,
        borderpad=0.0,
        handlelength=1.8,
        columnspacing=1.6,
    )
    canvas.draw_without_rendering()
    box = made.get_window_extent().transformed(canvas.transFigure.inverted())
    return float(box.y1)
