"""The picture of errors: every prediction a mark, at its place, told in words when pointed at."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from sim.report.errors_picture import of_validation
from sim.study.fidelity.cases import Source
from sim.study.fidelity.validate import Comparison, Validation

SVG = "{http://www.w3.org/2000/svg}"


def row(case: str, measured: float | None, predicted: float | None, metric: str = "tpot_s_mean") -> Comparison:
    return Comparison(case, metric, measured, predicted, "mine <&>", "x", "test")


def drawn(*rows: Comparison) -> ElementTree.Element:
    return ElementTree.fromstring(of_validation(Validation((Source("mine <&>", "", ""),), rows)))


def marks(picture: ElementTree.Element, kind: str) -> dict[str, ElementTree.Element]:
    found = {mark.find(f"{SVG}title"): mark for mark in picture.iter(f"{SVG}{kind}")}
    return {str(title.text): mark for title, mark in found.items() if title is not None}


def test_a_mark_a_prediction_in_order_of_what_was_measured() -> None:
    picture = drawn(row("a", 0.01, 0.0105), row("b", 0.02, 0.018), row("c", 0.04, 0.04), row("d", None, 1.0))
    dots = marks(picture, "circle")
    assert list(dots) == ["a: +5.0%", "b: -10.0%", "c: +0.0%"]
    at = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in dots.values()]
    assert [x for x, _ in at] == sorted(x for x, _ in at)
    assert at[0][1] < at[2][1] < at[1][1], "too large a prediction stands above"
    assert at[1][0] - at[0][0] == pytest.approx(at[2][0] - at[1][0], abs=0.2), "measured values are on a log axis"


def test_what_is_beyond_the_panel_points_out_of_it() -> None:
    picture = drawn(row("near", 0.01, 0.011), row("above", 0.01, 0.03), row("below", 0.01, 0.001))
    assert list(marks(picture, "circle")) == ["near: +10.0%"]
    tips = {name: re.findall(r"[\d.]+", path.attrib["d"]) for name, path in marks(picture, "path").items()}
    above, below = tips["above: +200.0%"], tips["below: -90.0%"]
    assert float(above[-1]) < float(above[1])
    assert float(below[-1]) > float(below[1])


def test_labels_of_the_axis_do_not_touch() -> None:
    for high in (0.011, 0.05, 3.0, 900.0):
        picture = drawn(row("a", 0.01, 0.01), row("b", high, high))
        texts = [text for text in picture.iter(f"{SVG}text") if text.attrib.get("text-anchor") == "middle"]
        places = [float(text.attrib["x"]) for text in texts]
        assert all(b - a >= 50 for a, b in pairwise(places))


def test_a_panel_a_metric_and_nothing_at_all() -> None:
    heads = [
        text.text
        for text in drawn(row("a", 1.0, 1.0), row("b", 2.0, 2.0, "iteration_s")).iter(f"{SVG}text")
        if text.attrib.get("class") == "head"
    ]
    assert heads == ["TPOT mean", "one iteration"]
    assert not marks(drawn(), "circle")
