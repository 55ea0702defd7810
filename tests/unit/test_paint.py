"""Figures as files: every kind of trace is painted where it belongs, and the same figure gives the same bytes."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.paint.canvas import painted
from sim.report.drawing.paint.files import picture, png, svg
from sim.report.drawing.paint.traces import TRACES
from sim.report.drawing.palette import palettes, series
from sim.report.drawing.panels import grid

SVG = "{http://www.w3.org/2000/svg}"
LINE: Plot = {
    "type": "scatter",
    "mode": "lines+markers",
    "name": "a line &lt;x&gt;",
    "x": [1, 2, 3],
    "y": [10, None, 30],
    "line": {"color": "var(--blue)", "dash": "dot", "shape": "hv"},
    "marker": {"color": ["var(--red)", "var(--teal)", "var(--red)"], "symbol": ["circle", "diamond-open", "x"]},
    "error_y": {"type": "data", "symmetric": False, "array": [1, 0, 2], "arrayminus": [0, 0, 1]},
}
BARS: Plot = {
    "type": "bar",
    "orientation": "h",
    "name": "bars",
    "x": [3, -2],
    "y": ["one", "two $x$"],
    "base": [1, 1],
    "text": ["three", "minus two"],
    "textposition": "outside",
    "marker": {"color": "var(--teal)"},
}
CELLS: Plot = {
    "type": "heatmap",
    "x": ["a", "b"],
    "y": ["c", "d"],
    "z": [[1, 2], [None, 4]],
    "text": [["1", "2"], ["n/a", "4"]],
    "texttemplate": "%{text}",
    "colorscale": [[0, "var(--card)"], [1, "var(--orange)"]],
    "showscale": False,
}
ALL = {"scatter": LINE, "bar": BARS, "heatmap": CELLS}


def figure(*data: Plot, shape: str = "small", **layout: Any) -> Figure:
    return Figure("key", "A title <&>", "How to read it.", {"data": list(data), "layout": layout}, shape)


def words(text: str) -> list[str]:
    return [(one.text or "").strip() for one in ElementTree.fromstring(text).iter(f"{SVG}text")]


@pytest.mark.parametrize("kind", sorted(ALL))
def test_every_kind_of_trace_is_painted_alike_each_time(kind: str) -> None:
    one = figure(ALL[kind])
    assert svg(one) == svg(one)
    assert png(one) == png(one)
    assert png(one).startswith(b"\x89PNG")
    assert picture(one, "svg") == svg(one).encode()
    assert "A title <&>" in words(svg(one))


def test_there_is_no_kind_without_a_test() -> None:
    assert set(ALL) == TRACES
    with pytest.raises(AssertionError, match="violin"):
        svg(figure({"type": "violin", "x": [1], "y": [1]}))


def test_words_are_text_and_dollars_stay_dollars() -> None:
    said = words(svg(figure(BARS, LINE | {"xaxis": "x2", "yaxis": "y2"}, xaxis2={"domain": [0.6, 1]})))
    assert {"two $x$", "three", "minus two", "a line <x>"} <= set(said)


def test_colours_are_those_of_the_page_in_light_and_in_dark() -> None:
    text = svg(figure(LINE, BARS | {"yaxis": "y2"}))
    light, dark = palettes()
    head, _, body = text.partition("</style>")
    for name in ("--blue", "--red", "--teal", "--card", "--text"):
        assert f"{name}:{light[name]}" in head
        assert f"{name}:{dark[name]}" in head.split("prefers-color-scheme:dark")[1]
        assert f"var({name})" in body
    assert not [value for value in re.findall(r"#[0-9a-f]{6}", body) if value not in ("#000000",)], "no other colour"
    assert series(0) == series(8) != series(1)


def test_what_is_stacked_stands_on_what_is_below() -> None:
    area = {"type": "scatter", "mode": "lines", "stackgroup": "s", "x": [0, 1]}
    canvas = painted(figure(area | {"y": [1, 2]}, area | {"y": [10, 20], "fill": "tonexty"}))
    lower, upper = (line.get_ydata() for line in canvas.axes[0].lines)
    assert list(lower) == [1, 2]
    assert list(upper) == [11, 22]
    bar = {"type": "bar", "x": ["a", "b"]}
    stacked = painted(figure(bar | {"y": [1, 2]}, bar | {"y": [3, -4]}, barmode="stack"))
    assert [patch.get_y() for patch in stacked.axes[0].patches] == [0, 0, 1, 0]
    beside = painted(figure(bar | {"y": [1, 2]}, bar | {"y": [3, 4]}, barmode="group"))
    left, right = (beside.axes[0].patches[at] for at in (0, 2))
    assert left.get_x() + left.get_width() == pytest.approx(right.get_x())


def test_axes_have_their_range_their_ticks_and_their_place() -> None:
    layout = {
        "xaxis": {"type": "log", "range": [-1, 2], "tickvals": [0.1, 1, 1000], "ticktext": ["100 ms", "1 s", "far"]},
        "yaxis": {"domain": [0.5, 1], "tickformat": ".0%", "range": [0, 1]},
        "yaxis2": {"domain": [0, 0.4], "rangemode": "tozero", "tickprefix": "$"},
        "yaxis3": {"overlaying": "y2", "side": "right"},
    }
    line = {"type": "scatter", "mode": "lines", "x": [1, 10]}
    canvas = painted(
        figure(
            line | {"y": [0, 1]}, line | {"y": [500, 900], "yaxis": "y2"}, line | {"y": [1, 2], "yaxis": "y3"}, **layout
        )
    )
    upper, lower, over = canvas.axes
    assert upper.get_xlim() == pytest.approx((0.1, 100))
    assert [label.get_text() for label in lower.get_xticklabels()] == ["100 ms", "1 s"], (
        "what is out of sight is not told"
    )
    assert upper.get_position().bounds == pytest.approx((0, 0.5, 1, 0.5))
    assert over.get_position().bounds == lower.get_position().bounds == pytest.approx((0, 0, 1, 0.4))
    assert lower.get_ylim()[0] == 0
    assert over.yaxis.get_label_position() == "right"


def test_shapes_and_notes_stand_where_they_say() -> None:
    shapes = [
        {"type": "line", "x0": 2, "x1": 2, "yref": "y domain", "y0": 0, "y1": 1},
        {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": 10, "y1": 20, "fillcolor": "var(--red-soft)"},
    ]
    note = {"text": "<b>here</b>", "x": 2, "y": 1, "yref": "y domain", "showarrow": False}
    canvas = painted(figure(LINE, shapes=shapes, annotations=[note]))
    (axes,) = canvas.axes
    line = next(one for one in axes.lines if list(one.get_xdata()) == [2, 2])
    ends = line.get_transform().transform([(2, 0), (2, 1)])
    box = axes.bbox
    assert ends[:, 1] == pytest.approx([box.y0, box.y1])
    assert ends[:, 0] == pytest.approx([axes.transData.transform((2, 10))[0]] * 2)
    assert "here" in [text.get_text() for text in axes.texts]


def test_panels_have_their_own_axes_and_one_legend() -> None:
    plot = {
        "data": [LINE],
        "layout": {"xaxis": {}, "yaxis": {}, "shapes": [{"type": "line", "x0": 1, "x1": 1, "y0": 0, "y1": 1}]},
    }
    made = grid([("first <", plot), ("second", plot), ("third", plot)], 2)
    assert [trace.get("showlegend", True) for trace in made["data"]] == [True, False, False]
    assert [shape["xref"] for shape in made["layout"]["shapes"]] == ["x", "x2", "x3"]
    assert made["layout"]["xaxis2"]["domain"][0] > made["layout"]["xaxis"]["domain"][1]
    assert made["layout"]["yaxis3"]["domain"][1] < made["layout"]["yaxis"]["domain"][0]
    said = words(svg(Figure("k", "t", "c", made)))
    assert said.count("a line <x>") == 1
    assert "first <" in said
