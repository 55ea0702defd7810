"""Replications of a scenario: independent, the same whoever makes them, and honest about what they do not know."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sim import load, simulate
from sim.scenario import Scenario
from sim.study.executors import in_order
from sim.study.replications import MEANS, Sample, Task, _intervals, measured, replicate


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
    sample = measured(Task(queue().to_yaml(), 0))
    assert {**sample.summary, "run": None} == {**plain, "run": None}
    assert len(sample.latency_s["queue_wait_s"]) == plain["requests"]["completed"]


def test_replications_are_told_together() -> None:
    told = replicate(queue(), 12)
    document = told.summary()
    waits_s = [sample.summary["latency"]["queue_wait_s"]["mean"] for sample in told.samples]
    assert len(set(waits_s)) == 12, "each has random numbers of its own"
    assert document["replications"] == {"number": 12, "stopped": "number"}
    low, high = document["intervals"]["latency.queue_wait_s.mean"]
    assert low < document["latency"]["queue_wait_s"]["mean"] < high
    # M/M/2 at 75 %: Wq = rho^2 / (1 - rho^2) = 1.286
    assert low < 0.75**2 / (1 - 0.75**2) < high
    pooled_s = np.concatenate([sample.latency_s["queue_wait_s"] for sample in told.samples])
    assert document["latency"]["queue_wait_s"]["p99"] == pytest.approx(np.quantile(pooled_s, 0.99))
    within = sum(int((sample.latency_s["queue_wait_s"] <= 2).sum()) for sample in told.samples)
    assert document["slo"][0]["attained"] == pytest.approx(within / len(pooled_s))
    assert set(document["intervals"]["cost.total_usd"]) == {document["cost"]["total_usd"]}, (
        "a fixed fleet costs the same"
    )


def test_who_makes_them_changes_nothing() -> None:
    alone, together = (replicate(queue("300s"), 5, workers=workers).summary() for workers in (1, 2))
    assert {**alone, "run": None} == {**together, "run": None}


def test_it_stops_when_it_is_precise_enough_or_when_the_budget_is_spent() -> None:
    path = "latency.queue_wait_s.mean"
    counts: list[int] = []
    done = replicate(queue(), precision=0.2, paths=[path], watch=counts.append)
    assert done.stopped == "precision"
    assert done.intervals()[path].within(0.2)
    assert counts == list(range(1, len(done.samples) + 1))
    assert len(done.samples) == 10 or not _intervals(done.samples[:-5])[path].within(0.2), (
        "it stopped at the first look"
    )
    short = replicate(queue("200s"), precision=0.001, paths=[path], most=12)
    assert (short.stopped, len(short.samples)) == ("budget", 12)


def test_one_replication_says_nothing_of_chance() -> None:
    document = replicate(queue(), 1).summary()
    assert document["intervals"] == {}
    assert document["requests"] == simulate(queue()).summary()["requests"]


def test_a_tail_with_too_few_requests_has_no_interval() -> None:
    document = replicate(queue("300s", warmup="0s"), 3).summary()  # some 1,350 requests: 13 beyond p99
    assert "latency.queue_wait_s.p90" in document["intervals"]
    assert "latency.queue_wait_s.p99" not in document["intervals"]


def test_what_a_replication_does_not_have_has_no_interval() -> None:
    with_price, without = (measured(Task(queue("200s", pools=POOLS[price]).to_yaml(), 0)) for price in (True, False))
    found = _intervals([with_price, without])
    assert "cost.total_usd" not in found
    assert "requests.completed" in found
    nobody = Sample(1, with_price.summary, {name: values[:0] for name, values in with_price.latency_s.items()})
    assert not [path for path in _intervals([with_price, nobody]) if path.startswith("latency")]
    assert math.isinf(_intervals([with_price])[MEANS[0]].half_width)


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
    done = in_order(_inverse, [1, 2, 0, 4], workers=2)
    assert (next(done), next(done)) == (1.0, 0.5)
    with pytest.raises(ZeroDivisionError):
        next(done)


def _inverse(value: int) -> float:
    return 1 / value
