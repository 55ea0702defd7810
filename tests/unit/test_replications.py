"""Replications of a scenario: independent, the same whoever makes them, and honest about what they do not know."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sim import load, simulate
from sim.scenario import Scenario
from sim.statistics.tails import Exact
from sim.study.compared.compare import compare
from sim.study.executors import executor
from sim.study.replicated import record as records
from sim.study.replicated.estimates import Estimates
from sim.study.replicated.record import Record, Task, measured
from sim.study.replicated.replications import Precision, replicate, summary_of


def queue(horizon: str = "2000s", **changes: Any) -> Scenario:
    """M/M/2 at 75 % load."""
    return load(
        {
            "name": "replicated",
            "seed": 3,
            "horizon": horizon,
            "warmup": "100s",
            "workload": {"arrivals": {"kind": "poisson", "rate": 1.5}, "service": {"kind": "exponential", "mean": 1}},
            "pools": {
                "p": {
                    "replica": {"kind": "slots", "concurrency": 1},
                    "queue": {"kind": "central"},
                    "autoscaler": {"kind": "fixed", "replicas": 2},
                    "price": {"on_demand": 3},
                }
            },
            "slo": [{"metric": "queue_wait", "under": "2s", "share": 0.8}],
            **changes,
        }
    )


def test_the_first_replication_is_the_plain_run() -> None:
    plain = simulate(queue()).summary()
    record = measured(Task(queue()))
    assert {**record.summary, "run": None} == {**plain, "run": None}
    assert record.latency["queue_wait_s"].count == plain["requests"]["completed"]


def test_replications_are_told_together() -> None:
    told = replicate(queue(), 12)
    document = told.summary()
    waits_s = told.estimates.values("latency.queue_wait_s.mean")
    assert len(set(waits_s)) == 12, "each has random numbers of its own"
    assert document["replications"] == {"number": 12, "stopped": "number"}
    low, high = document["intervals"]["latency.queue_wait_s.mean"]
    assert low < document["latency"]["queue_wait_s"]["mean"] < high
    # M/M/2 at 75 %: Wq = rho^2 / (1 - rho^2) = 1.286
    assert low < 0.75**2 / (1 - 0.75**2) < high
    pooled_s = np.concatenate([values(record, "queue_wait_s") for record in told.records])
    assert document["latency"]["queue_wait_s"]["p99"] == pytest.approx(np.quantile(pooled_s, 0.99))
    within = int((pooled_s <= 2).sum())
    assert document["slo"][0]["attained"] == pytest.approx(within / len(pooled_s))
    assert set(document["intervals"]["cost.total_usd"]) == {document["cost"]["total_usd"]}, (
        "a fixed fleet costs the same"
    )


def test_who_makes_them_changes_nothing() -> None:
    alone = replicate(queue("300s"), 5)
    with executor(2) as workers:
        together = replicate(queue("300s"), 5, executor=workers)
    assert alone.summary() == together.summary()


def test_it_stops_when_it_is_precise_enough_or_when_the_budget_is_spent() -> None:
    path = "latency.queue_wait_s.mean"
    counts: list[int] = []
    done = replicate(queue(), goals=[Precision(0.2, (path,))], watch=lambda count, _: counts.append(count))
    assert done.stopped == "precision"
    assert done.intervals[path].within(0.2)
    assert sorted(set(counts)) == list(range(1, len(done.records) + 1))
    assert len(done.records) == 10 or not Estimates(done.records[:-5]).intervals[path].within(0.2), (
        "it stopped at the first look"
    )
    short = replicate(queue("200s"), goals=[Precision(0.001, (path,))], most=12)
    assert (short.stopped, len(short.records)) == ("budget", 12)
    few = replicate(queue("200s"), goals=[Precision(0.001, (path,))], most_requests=1_200)
    assert (few.stopped, len(few.records)) == ("budget", 1_200 // few.records[0].summary["attempts"]["sent"])


def test_the_goal_by_default_is_what_the_scenario_has() -> None:
    record = measured(Task(queue("200s")))
    paths = ("latency.ttft_s.p99", "slo.0.attained", "cost.usd_per_day")
    assert Precision().paths_in(record.summary) == paths
    assert Precision().paths_in(measured(Task(queue("200s", slo=[], pools=POOLS[False]))).summary) == paths[:1]


def test_one_replication_says_nothing_of_chance() -> None:
    document = replicate(queue(), 1).summary()
    assert document["intervals"] == {}
    assert document["requests"] == simulate(queue()).summary()["requests"]


def test_a_tail_with_too_few_requests_has_no_interval() -> None:
    document = replicate(queue("300s", warmup="0s"), 3).summary()  # some 1,350 requests: 13 beyond p99
    assert "latency.queue_wait_s.p90" in document["intervals"]
    assert "latency.queue_wait_s.p99" not in document["intervals"]
    assert document["latency"]["queue_wait_s"]["p99"] is None
    missing = document["refused"]["latency.queue_wait_s.p99"]
    assert missing == 10_000 - int(3 * document["requests"]["completed"] + 0.5)


def test_what_a_replication_does_not_have_has_no_interval() -> None:
    with_price, without = (measured(Task(queue("200s", pools=POOLS[price]))) for price in (True, False))
    found = Estimates([with_price, without]).intervals
    assert "cost.total_usd" not in found
    assert "requests.completed" in found
    assert math.isinf(Estimates([with_price]).intervals["requests.completed"].half_width)


def test_numbers_of_a_pool_have_intervals_too() -> None:
    found = replicate(queue(), 12)
    assert found.intervals["pools.p.requests.completed"] == found.intervals["requests.completed"]
    assert found.intervals["pools.p.slo.0.attained"] == found.intervals["slo.0.attained"]
    assert found.summary()["pools"]["p"]["cost"] == found.summary()["cost"]


def test_histograms_tell_nearly_the_same() -> None:
    path = "latency.queue_wait_s.p99"
    exact, condensed = (replicate(queue(), 12, condensed=each) for each in (False, True))
    assert condensed.intervals[path].estimate == pytest.approx(exact.intervals[path].estimate, rel=2e-3)
    assert condensed.estimates.values(path) == exact.estimates.values(path)
    assert {
        name: value for name, value in condensed.intervals.items() if name.count("p9") == 0 and "p50" not in name
    } == {name: value for name, value in exact.intervals.items() if name.count("p9") == 0 and "p50" not in name}


def test_quantiles_of_pools_and_classes_are_those_of_all_their_requests() -> None:
    part = {"arrivals": {"kind": "poisson", "rate": 0.3}, "service": {"kind": "exponential", "mean": 1}}
    streams = {name: {**part, "pool": name, "class": f"of-{name}"} for name in ("a", "b")}
    scenario = load(
        {
            "name": "several",
            "horizon": "300s",
            "workload": {"streams": streams},
            "pools": dict.fromkeys(("a", "b"), POOLS[True]["p"]),
        }
    )
    alone, condensed = (replicate(scenario, 20, condensed=each) for each in (False, True))
    for block in ("pools.a", "classes.of-a"):
        path = f"{block}.latency.e2e_s.p90"
        tails = [values(record, f"{block}.e2e_s") for record in alone.records]
        wanted_s = float(np.quantile(np.concatenate(tails), 0.9))
        of_runs = float(np.mean([np.quantile(tail, 0.9) for tail in tails]))
        assert alone.intervals[path].estimate == pytest.approx(wanted_s)
        assert wanted_s != pytest.approx(of_runs, rel=1e-3), "and not the mean of the runs' own"
        assert condensed.intervals[path].estimate == pytest.approx(wanted_s, rel=0.011)


def test_costs_of_tokens_are_ratios_of_sums() -> None:
    done = replicate(load("chat-h100", ["horizon=60s", "warmup=0s"]), 5)
    summaries = [record.summary for record in done.records]
    for name in ("prompt", "output"):
        spent = [one["cost"][f"{name}_usd"] for one in summaries]
        each = [one["cost"][f"{name}_usd_per_million_tokens"] for one in summaries]
        tokens = [usd / price for usd, price in zip(spent, each, strict=True)]
        found = done.intervals[f"cost.{name}_usd_per_million_tokens"].estimate
        assert found == pytest.approx(sum(spent) / sum(tokens), rel=1e-9)


def test_latencies_of_many_requests_are_not_kept_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = replicate(queue(), 4, condensed=True)
    monkeypatch.setattr(records, "MOST_EXACT", 4000)  # one run has some 2,850 requests, four have more
    assert all(isinstance(record.latency["e2e_s"], Exact) for record in replicate(queue(), 1).records)
    done = replicate(queue(), 4)
    assert not any(isinstance(tail, Exact) for record in done.records for tail in record.latency.values())
    assert done.intervals == wanted.intervals
    ours, [other] = compare([("one", queue()), ("other", queue("1500s"))], 4)
    for several in (ours.records, other.replicated.records):
        assert not any(isinstance(record.latency["e2e_s"], Exact) for record in several)


def values(record: Record, metric: str) -> np.ndarray:
    found = record.latency[metric]
    assert isinstance(found, Exact)
    return found.values


POOLS = {
    priced: {
        "p": {
            "replica": {"kind": "slots"},
            "autoscaler": {"kind": "fixed", "replicas": 2},
            **({"price": {"on_demand": 3}} if priced else {}),
        }
    }
    for priced in (True, False)
}


def test_an_error_comes_out_at_its_task() -> None:
    for workers in (1, 2):
        with executor(workers) as made:
            done = made.in_order(_inverse, [1, 2, 0, 4])
            assert (next(done), next(done)) == (1.0, 0.5)
            with pytest.raises(ZeroDivisionError):
                next(done)


def _inverse(value: int) -> float:
    return 1 / value


SELDOM = {"workload": {"arrivals": {"kind": "poisson", "rate": 1}, "service": {"kind": "exponential", "mean": 1}}}


def test_replications_to_which_no_request_came_do_not_leave_the_first_to_speak_for_all() -> None:
    """With 1 s at 1/s more than a third of the runs have nothing to measure."""
    told = replicate(queue("1s", warmup="0s", **SELDOM), 40)
    document, estimates = told.summary(), told.estimates
    empty = [record for record in told.records if not record.summary["requests"]["completed"]]
    assert 5 < len(empty) < 25
    waits_s = np.concatenate([values(record, "queue_wait_s") for record in told.records])
    assert document["latency"]["queue_wait_s"]["mean"] == pytest.approx(waits_s.mean())
    assert document["latency"]["queue_wait_s"]["max"] == waits_s.max()
    sojourns_s = np.concatenate([values(record, "e2e_s") for record in told.records])
    assert document["latency"]["e2e_s"]["mean"] == pytest.approx(sojourns_s.mean())
    assert document["latency"]["e2e_s"]["p99"] is None
    assert document["refused"]["latency.e2e_s.p99"] == 10_000 - len(sojourns_s)
    spent = sum(record.summary["cost"]["total_usd"] for record in told.records)
    assert document["cost"]["usd_per_request"] == pytest.approx(spent / len(sojourns_s)), "empty runs cost as well"
    assert "slo.0.attained" in estimates.intervals
    assert not estimates.absent & set(document["intervals"])
    assert not Precision().reached(told.records), "a p99 that is not told is not known"


def test_what_one_of_several_runs_has_is_told_without_an_interval() -> None:
    summaries = [measured(Task(queue("1s", warmup="0s", **SELDOM), replication)) for replication in range(12)]
    one = next(record for record in summaries if record.summary["requests"]["completed"] == 1)
    none = [record for record in summaries if not record.summary["requests"]["completed"]][:2]
    document = summary_of([*none, one], "number", found := Estimates([*none, one]))
    assert document["latency"]["e2e_s"]["mean"] == one.summary["latency"]["e2e_s"]["mean"]
    assert math.isinf(found.intervals["latency.e2e_s.mean"].half_width)
    assert "latency.e2e_s.mean" not in document["intervals"]
    assert document["refused"]["latency.e2e_s.p50"] == 199
    assert document["cost"]["usd_per_request"] == pytest.approx(3 * one.summary["cost"]["usd_per_request"])
