"""The pictures of errors: every prediction a mark, at its place, told in words when pointed at."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest

from sim.report.drawing.figure import Figure
from sim.report.fidelity.errors_picture import dots_of, of_validation, panels_of
from sim.study.fidelity.cases import Source
from sim.study.fidelity.validate import Comparison, Validation


def row(case: str, measured: float | None, predicted: float | None, metric: str = "tpot_s_mean") -> Comparison:
    return Comparison(case, metric, measured, predicted, "mine <&>", "x", "test")


def found(*rows: Comparison) -> Validation:
    return Validation((Source("mine <&>", "", ""),), rows)


def drawn(*rows: Comparison) -> Figure:
    return of_validation(found(*rows))


def marks(*rows: Comparison) -> dict[str, Any]:
    (trace,) = drawn(*rows).plot["data"]
    return dict(trace)


def test_a_mark_a_prediction_in_order_of_what_was_measured() -> None:
    dots = marks(row("a", 0.01, 0.0105), row("b", 0.02, 0.018), row("c", 0.04, 0.04), row("d", None, 1.0))
    assert dots["text"] == ["a: +5.0%", "b: -10.0%", "c: +0.0%"]
    assert dots["x"] == [0.01, 0.02, 0.04]
    assert dots["y"] == pytest.approx([0.05, -0.1, 0.0])
    assert dots["name"] == "mine &lt;&amp;&gt;"


def test_what_is_beyond_the_panel_points_out_of_it() -> None:
    dots = marks(row("near", 0.01, 0.011), row("above", 0.01, 0.03), row("below", 0.01, 0.001))
    assert dots["marker"]["symbol"] == ["circle", "triangle-up", "triangle-down"]
    assert dots["text"][1:] == ["above: +200.0%", "below: -90.0%"]
    assert dots["y"][1:] == [0.5, -0.5]


@pytest.mark.parametrize("high", [0.011, 0.05, 3.0, 900.0])
def test_labels_of_the_axis_do_not_touch(high: float) -> None:
    axis = drawn(row("a", 0.01, 0.01), row("b", high, high)).plot["layout"]["xaxis"]
    low, top = axis["range"]
    places = [(math.log10(tick) - low) / (top - low) for tick in axis["tickvals"]]
    assert places
    assert all(b - a >= 0.12 for a, b in pairwise(places))
    assert all(0 <= place <= 1 for place in places)


def test_a_panel_a_metric_and_nothing_at_all() -> None:
    two = (row("a", 1.0, 1.0), row("b", 2.0, 2.0, "iteration_s"))
    assert [note["text"] for note in drawn(*two).plot["layout"]["annotations"]] == [
        "<b>TPOT mean</b>",
        "<b>one iteration</b>",
    ]
    assert [figure.key for figure in panels_of(dots_of(found(*two)))] == ["tpot_s_mean", "iteration_s"]
    assert drawn().plot["data"] == []
