"""From one scenario to another one change at a time: the steps add up, and the picture shows them."""

from __future__ import annotations

import pytest

from sim.report.comparison.walk_picture import of_walk, walk_figures
from sim.report.comparison.words import walk_paths, walk_table
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
    assert drawn == of_walk("a", "b <new>", ours, strides)
    assert drawn is not None
    assert drawn.title == "From a to b <new>"
    data = drawn.plot["data"]
    assert [text for trace in data if trace["name"] == "what it adds" for text in trace["text"]].count("+$72") == 2
    assert drawn.plot["layout"]["yaxis"]["ticktext"][-1] == "b &lt;new&gt;"
    bars = [(trace["yaxis"], row, trace["name"]) for trace in data if trace["type"] == "bar" for row in trace["y"]]
    assert len(bars) == len(walk_paths(ours, strides)) * len(strides)
    looks = [look for *_, look in sorted(bars)]
    assert looks[:3] == ["not distinguishable", "worse", "worse"], "dearer is worse"
    assert looks[3:] == 2 * ["worse", "better", "not distinguishable"], (
        "slower is worse, faster is better; a price is nothing"
    )
    for trace in data:
        if trace["type"] == "bar":
            low, high = drawn.plot["layout"][f"xaxis{trace['xaxis'][1:]}"]["range"]
            ends = [base + more for base, more in zip(trace["base"], trace["x"], strict=True)]
            assert all(low < end < high for end in (*trace["base"], *ends)), "all of it is in the picture"
    one_each = walk_figures("a", "b <new>", ours, strides)
    assert [figure.title for figure in one_each] == [
        "Walk: cost a day",
        "Walk: mean wait",
        "Walk: attainment of wait ≤ 2 s",
    ]


def test_nothing_is_drawn_of_numbers_that_are_not_there() -> None:
    ours, _, strides = walk(
        ("a", queue("50s", warmup=0, slo=[])), ("b", queue("50s", warmup=0, slo=[], workload=SLOWER)), 2
    )
    empty = [Stride(stride.step, ()) for stride in strides]
    assert strides
    assert of_walk("a", "b", ours, empty) is None
