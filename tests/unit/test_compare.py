"""Scenarios beside each other on the same random numbers."""

from __future__ import annotations

import math

import pytest

from sim.config.errors import ConfigError, Problem
from sim.statistics.intervals import Interval
from sim.study.compared.compare import WAIT, Difference, compare, main_paths
from sim.study.replicated.record import Record, Task
from tests.unit.test_replications import queue


def fleet(replicas: int, **changes: object) -> dict[str, object]:
    return {
        "p": {**queue().model_dump(mode="json", by_alias=True, exclude_none=True)["pools"]["p"], **changes}
        | {"autoscaler": {"kind": "fixed", "replicas": replicas}}
    }


def test_the_same_scenario_twice_differs_in_nothing() -> None:
    _, (found,) = compare([("a", queue("500s")), ("b", queue("500s", seed=99))], 4)
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


def test_it_stops_when_the_main_differences_are_known_or_when_the_budget_is_spent() -> None:
    counts: list[tuple[int, int | None]] = []
    pair = [("two", queue("200s", slo=[])), ("three", queue("200s", slo=[], pools=fleet(3)))]
    ours, (found,) = compare(pair, most=15, watch=lambda done, most: counts.append((done, most)))
    assert (ours.stopped, len(ours.records), len(found.replicated.records)) == ("budget", 15, 15), (
        "p99 TTFT takes more requests than there are"
    )
    assert counts[0] == (3, 30)
    assert counts[-1] == (30, 30)
    assert len(compare(pair, most_requests=1)[0].records) == 5
    few, _ = compare(pair, most_requests=2500)
    assert len(few.records) == 2500 // max(
        r.summary["attempts"]["sent"] for r in (ours.records[0], found.replicated.records[0])
    )
    same, _ = compare([("a", queue("150s")), ("b", queue("150s", seed=9))])
    assert (same.stopped, len(same.records)) == ("precision", 10), (
        "what is the same in every pair needs no more requests"
    )


def test_a_difference_is_known_when_it_is_clear_or_small() -> None:
    def found(more: float, half_width: float, path: str = WAIT) -> Difference:
        return Difference(path, 1.0, 1.0 + more, Interval(more, half_width), 10)

    assert found(0.0, 0.02).is_known, "within 2 % of the baseline"
    assert not found(0.0, 0.021).is_known
    assert found(0.1, 0.099).is_distinguishable
    assert not found(0.1, 0.099).is_known, "one look in nineteen would say so by chance"
    assert found(0.2, 0.09).is_known
    assert not found(0.0, 0.02, "slo.0.attained").is_known, "two points of an attainment are much"
    assert found(0.0, 0.002, "slo.0.attained").is_known
    assert found(0.1, 0.05).at(0.999).more.half_width == pytest.approx(0.05 * 4.781 / 2.262, rel=1e-3)


def test_only_the_same_promises_are_compared() -> None:
    other = queue("150s", slo=[{"metric": "queue_wait", "under": "3s", "share": 0.8}])
    ours, (found,) = compare([("a", queue("150s")), ("b", other)], 2)
    assert "slo.0.attained" not in {each.path for each in found.differences}
    assert main_paths(ours.estimates, found.replicated.estimates) == ("cost.usd_per_day", "latency.ttft_s.p99", WAIT)
    stricter = queue("150s", slo=[{"metric": "queue_wait", "under": "2s", "share": 0.9}])
    _, (found,) = compare([("a", queue("150s")), ("b", stricter)], 2)
    assert found.of("slo.0.attained") is not None, "within the same limit; how many must be does not matter"


def test_an_error_of_a_run_tells_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from sim.study.compared import compare as module

    real = module.measured

    def measured(task: Task) -> Record:
        if task.scenario.name == "bad":
            raise ConfigError(Problem("does not fit", "pools.p"))
        return real(task)

    monkeypatch.setattr(module, "measured", measured)
    with pytest.raises(ConfigError, match=r"^the second: pools\.p: does not fit$"):
        compare([("a", queue("150s")), ("the second", queue("150s", name="bad"))], 2)
    assert math.isfinite(compare([("a", queue("150s")), ("b", queue("150s"))], 2)[1][0].differences[0].more.low)


def test_pairs_to_which_no_request_came_are_left_out() -> None:
    seldom = {"arrivals": {"kind": "poisson", "rate": 1}, "service": {"kind": "exponential", "mean": 1}}
    ours, (found,) = compare([(name, queue("1s", warmup="0s", workload=seldom)) for name in "ab"])
    assert any(not record.summary["requests"]["completed"] for record in ours.records)
    same = found.of(WAIT)
    assert same is not None
    assert same.is_same
    assert same.pairs < len(ours.records)
    assert ours.stopped == "precision"
