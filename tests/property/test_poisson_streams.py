"""M16: Poisson streams together are one Poisson stream, and what lots take from one is Poisson again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from sim import load, simulate
from sim.theory import erlang_c

LEAST_P = 1e-3
RATES = {"one": 1.0, "two": 2.4}
RATE = sum(RATES.values())
REPLICAS = 4


def keys(horizon_s: float, queue: dict[str, Any], rates: dict[str, float]) -> dict[str, Any]:
    law = {"kind": "exponential", "mean": 1}
    return {
        "name": "merged",
        "seed": 16,
        "horizon": horizon_s,
        "calendar": "compiled",
        "workload": {
            "streams": {
                name: {"arrivals": {"kind": "poisson", "rate": rate}, "service": law} for name, rate in rates.items()
            }
        },
        "pools": {
            "pool": {
                "replica": {"kind": "slots"},
                "queue": queue,
                "autoscaler": {"kind": "fixed", "replicas": REPLICAS},
            }
        },
    }


def looks_poisson(times_s: Any, rate: float) -> float:
    """How likely gaps as odd as these are, if they are exponential of this rate."""
    return float(stats.kstest(np.diff(times_s) * rate, "expon").pvalue)


def test_two_streams_are_one_of_their_summed_rate() -> None:
    scenario = load(keys(10_000, {"kind": "central"}, RATES))
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    assert looks_poisson(demand.arrival_s, RATE) > LEAST_P
    assert looks_poisson(demand.arrival_s, 1.05 * RATE) < LEAST_P, "a test that sees no twentieth sees nothing"
    counts = np.histogram(demand.arrival_s, np.arange(0, 10_001, 10))[0]
    assert abs(counts.var() / counts.mean() - 1) < 4 * np.sqrt(2 / len(counts)), "as many as Poisson scatters"
    first = demand.stream == demand.streams.index("one")
    share = RATES["one"] / RATE
    assert abs(first.mean() - share) < 4 * np.sqrt(share * (1 - share) / len(first)), "whose it is, is a lot"
    assert abs((first[1:] & first[:-1]).mean() - share**2) < 0.01, "whatever the one before was"


def test_they_wait_as_one_does() -> None:
    """The mean wait is Erlang's, of the summed rate."""
    exact_s = erlang_c(REPLICAS, RATE) / (REPLICAS - RATE)
    for rates in (RATES, {"all": RATE}):
        told = simulate(load(keys(60_000, {"kind": "central"}, rates))).summary()
        assert told["latency"]["queue_wait_s"]["mean"] == pytest.approx(exact_s, rel=0.06), rates


def test_what_lots_leave_to_a_replica_is_poisson() -> None:
    """Thinned by a random router; one that takes turns leaves gaps of an Erlang law, which the test must see."""
    for router, poisson in (("random", True), ("round_robin", False)):
        rows = simulate(load(keys(10_000, {"kind": "per_replica", "router": router}, RATES))).log.requests
        for replica in range(REPLICAS):
            own = rows["arrival_s"][rows["replica"] == replica]
            assert (looks_poisson(own, RATE / REPLICAS) > LEAST_P) is poisson, (router, replica)
