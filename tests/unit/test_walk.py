"""From one scenario to another one change at a time: the steps add up, and the picture shows them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from sim.report.comparison_words import walk_paths, walk_table
from sim.report.walk_picture import of_walk
from sim.scenario import Scenario
from sim.study.compared.compare import COST, compare
from sim.study.compared.walk import Stride, walk
from tests.unit.test_compare import fleet
from tests.unit.test_replications import queue

SLOWER = {"arrivals": {"kind": "poisson", "rate": 1.5}, "service": {"kind": "exponential", "mean": 1.02}}


SHORT = "300s"


def changed() -> Scenario:
    """Slower service, three replicas, and a price."""
    return queue(SHORT, workload=SLOWER, pools=fleet(3, price={"on_demand": 4}))


def test_the_steps_add_up_to_the_whole() -> None:
    _, other, strides = walk(("a", queue(SHORT)), ("b", changed()), 4)
    keys = ["workload.service.mean", "pools.p.autoscaler.replicas", "pools.p.price.on_demand"]
    assert [stride.step.keys for stride in strides] == [(key,) for key in keys]
    for path in (each.path for each in other.differences):
        added = [found.more.estimate for stride in strides if (found := stride.of(path)) is not None]
        whole = other.of(path)
        assert whole is not None
        assert len(added) == 3, path
        assert sum(added) == pytest.approx(whole.more.estimate, rel=1e-9, abs=1e-9 * abs(whole.baseline)), path
    cost = [of.more.estimate for stride in strides if (of := stride.of(COST)) is not None]
    assert cost == pytest.approx([0, 72, 72]), "a third replica at $3 an hour, then three at $1 more"
    slower = strides[0].of("latency.queue_wait_s.mean")
    assert slower is not None
    assert slower.more.low > 0
    # the whole is what a comparison without a walk says
    _, (alone,) = compare([("a", queue(SHORT)), ("b", changed())], 4)
    assert alone.differences == other.differences


def test_the_way_back_takes_away_what_the_way_there_added() -> None:
    _, there, _ = walk(("a", queue(SHORT)), ("b", changed()), 3)
    _, back, strides = walk(("b", changed()), ("a", queue(SHORT)), 3)
    assert [-each.more.estimate for each in back.differences] == [each.more.estimate for each in there.differences]
    assert [stride.step.changes[0].path[-1] for stride in strides] == ["mean", "replicas", "on_demand"]


def test_there_is_nothing_between_the_same() -> None:
    _, other, strides = walk(("a", queue(SHORT)), ("b", queue(SHORT, seed=8)), 2)
    assert strides == []
    assert all(each.is_same for each in other.differences)


def test_a_walk_as_a_table_and_a_picture() -> None:
    ours, _, strides = walk(("a", queue(SHORT)), ("b <new>", changed()), 6)
    sheet = walk_table(ours, strides)
    assert sheet.heading == ("change", "cost a day", "mean wait", "wait ≤ 2 s")
    assert [row[1] for row in sheet.rows] == ["0", "+$72", "+$72", "+$144"]
    assert sheet.rows[1][0] == "replicas: 2 → 3"
    drawn = of_walk("a", "b <new>", ours, strides)
    assert drawn is not None
    assert drawn == of_walk("a", "b <new>", ours, strides)
    picture = ElementTree.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    said = [text.text or "" for text in picture.iter(f"{space}text")]
    assert "From a to b <new>" in said
    assert said.count("+$72") == 2
    bars = [bar for bar in picture.iter(f"{space}rect") if bar.find(f"{space}title") is not None]
    assert len(bars) == len(walk_paths(ours, strides)) * len(strides)
    assert _classes(bars[:3]) == ["hollow c5", "dot c4", "dot c4"], "dearer is worse"
    assert _classes(bars[3:]) == 2 * ["dot c4", "dot c2", "hollow c5"], (
        "slower is worse, faster is better; a price is nothing"
    )
    wide = float(picture.attrib["width"])
    assert all(0 <= float(x) <= wide for x in re.findall(r' x\d?="([-.\d]+)"', drawn))


def test_nothing_is_drawn_of_numbers_that_are_not_there() -> None:
    ours, _, strides = walk(
        ("a", queue("50s", warmup=0, slo=[])), ("b", queue("50s", warmup=0, slo=[], workload=SLOWER)), 2
    )
    empty = [Stride(stride.step, ()) for stride in strides]
    assert strides
    assert of_walk("a", "b", ours, empty) is None


def _classes(bars: list[ElementTree.Element]) -> list[str]:
    return [bar.attrib["class"] for bar in bars]
