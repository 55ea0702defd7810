"""Scenarios beside each other on the same random numbers."""

from __future__ import annotations

import pytest

from sim.study.compare import compare
from tests.unit.test_replications import queue


def fleet(replicas: int, **changes: object) -> dict[str, object]:
    return {
        "p": {**queue().model_dump(mode="json", by_alias=True, exclude_none=True)["pools"]["p"], **changes}
        | {"autoscaler": {"kind": "fixed", "replicas": replicas}}
    }


def test_the_same_scenario_twice_differs_in_nothing() -> None:
    _, (found,) = compare([("a", queue()), ("b", queue(seed=99))], 4)
    assert found.differences
    assert {each.more.estimate for each in found.differences} == {0.0}
    assert not any(each.is_distinguishable for each in found.differences)


def test_one_more_replica_costs_its_price_and_takes_waits_away() -> None:
    baseline, (found,) = compare([("two", queue()), ("three", queue(pools=fleet(3)))], 10)
    cost, wait = found.of("cost.usd_per_day"), found.of("latency.queue_wait_s.mean")
    assert cost is not None
    assert wait is not None
    assert (cost.more.low, cost.more.high) == (pytest.approx(72), pytest.approx(72)), (
        "3 USD an hour, and no chance in it"
    )
    assert cost.is_distinguishable
    # M/M/2 against M/M/3 at 1.5 Erlang: 1.286 and 0.158 s
    assert wait.more.low < 0.158 - 1.286 < wait.more.high < 0
    assert wait.baseline == baseline.intervals["latency.queue_wait_s.mean"].estimate


def test_pairs_see_more_than_independent_runs() -> None:
    """A service slower by 1 %, which is there in every pair and lost between runs of different traffic."""
    slower = queue(
        workload={"arrivals": {"kind": "poisson", "rate": 1.5}, "service": {"kind": "exponential", "mean": 1.01}}
    )
    _, (paired,) = compare([("a", queue()), ("b", slower)], 10)
    wait = paired.of("latency.queue_wait_s.mean")
    assert wait is not None
    assert wait.more.low > 0
    alone = [each.replicated.intervals["latency.queue_wait_s.mean"].half_width for each in (paired,)]
    assert wait.more.half_width < alone[0] / 3
