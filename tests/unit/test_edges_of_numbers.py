"""Numbers at the edge: long times and short ones, few tokens and a million, one replica and 20,000."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sim import Result, Scenario, simulate
from sim.model.specs import PoolSpec
from tests import runs
from tests.oracle import Job

YEAR_S = 365 * 86_400.0


def line(**parts: Any) -> Result:
    """A run of servers behind one line."""
    pool = {"replica": {"kind": "slots"}, "queue": {"kind": "central"}, "autoscaler": {"kind": "fixed", "replicas": 1}}
    keys = {"name": "edge", "pools": {"one": {**pool, **parts.pop("pool", {})}}}
    return simulate(Scenario.model_validate({**keys, **parts}))


def test_times_keep_their_microseconds_for_a_year() -> None:
    """What comes at the end of a year waits as at its beginning; the steps of a float are 3.7 ns there."""
    step_s = math.ulp(YEAR_S - 1)
    assert step_s == 2.0**-28
    rng = np.random.default_rng(3)
    at_us, service_us = np.cumsum(rng.integers(0, 9, 400)), rng.integers(1, 6, 400)
    waits_s = []
    for begin_s in (0.0, YEAR_S - 1):
        jobs = zip(begin_s + at_us * 1e-6, service_us * 1e-6, strict=True)
        rows = runs.table([Job(float(at_s), service_s=float(service_s)) for at_s, service_s in jobs])
        runs.run([PoolSpec(batching=False, replicas=1, seats=1, central=True)], rows)
        waits_s.append(rows["start_s"] - rows["arrival_s"])
    assert waits_s[0].max() > 10e-6
    # half a step is rounded off at each end of a service, and within a busy period these add up
    assert np.abs(waits_s[0] - waits_s[1]).max() < 400 * step_s / 2
    assert np.median(np.abs(waits_s[0] - waits_s[1])) < 0.1e-6


@pytest.mark.parametrize("rate", [1e-6, 1e6])
def test_any_rate_is_the_same_run_on_another_clock(rate: float) -> None:
    def waits(rate: float) -> Any:
        service = {"kind": "exponential", "mean": 0.7 / rate}
        run = line(workload={"arrivals": {"kind": "poisson", "rate": rate}, "service": service}, horizon=1000 / rate)
        return (run.log.requests["start_s"] - run.log.requests["arrival_s"]) * rate

    np.testing.assert_allclose(waits(rate), waits(1.0), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("prompt", "output"), [(1, 1), (1_000_000, 1), (1, 1_000_000), (1_000_000, 1_000_000)])
def test_one_token_and_a_million(prompt: int, output: int) -> None:
    base_s, prefill_s, decode_s, budget = 0.01, 1e-5, 1e-5, 8192
    pool = {
        "replica": {"kind": "batching", "max_num_seqs": 8, "max_batched_tokens": budget},
        "queue": {"kind": "per_replica"},
        "latency": {
            "base_s": base_s,
            "prefill_s_per_token": prefill_s,
            "decode_s_per_seq": decode_s,
            "attention_s_per_token": 0.0,
        },
        "kv_capacity_tokens": 2_100_000,
    }
    lengths = {name: {"kind": "constant", "value": value} for name, value in (("prompt", prompt), ("output", output))}
    stream = {f"{name}_tokens": law for name, law in lengths.items()}
    arrivals = {"kind": "renewal", "gap": {"kind": "constant", "value": 100_000}}
    run = line(workload={"arrivals": arrivals, **stream}, horizon=150_000, pool=pool)
    (request,) = run.log.requests
    alone_s = math.ceil(prompt / budget) * base_s + prompt * prefill_s + (output - 1) * (base_s + decode_s)
    assert request["finish_s"] - request["arrival_s"] == pytest.approx(alone_s, rel=1e-9)
    assert run.summary()["requests"]["completed"] == 1


@pytest.mark.slow
def test_a_replica_and_20_000_of_them() -> None:
    service = {"kind": "constant", "value": 0.25}
    workload = {"arrivals": {"kind": "poisson", "rate": 8_000}, "service": service}
    fleet = {
        "queue": {"kind": "per_replica"},
        "autoscaler": {"kind": "fixed", "replicas": 20_000},
        "price": {"on_demand": 2},
    }
    billing = {"billing": {"granularity": 0}}
    run = line(workload=workload, horizon=0.25, calendar="compiled", pool=fleet | billing)
    requests = run.log.requests
    assert 1_800 < len(requests) < 2_200
    np.testing.assert_array_equal(requests["start_s"], requests["arrival_s"])
    np.testing.assert_allclose(requests["finish_s"] - requests["arrival_s"], 0.25)
    assert len(np.unique(requests["replica"])) == len(requests), "one each: none is asked twice while others are idle"
    alone = line(workload=workload, horizon=0.25, calendar="compiled", pool=billing)
    ends_s = alone.log.requests["finish_s"]
    np.testing.assert_allclose(np.diff(ends_s), 0.25, rtol=1e-9)
    assert run.summary()["cost"]["usd_per_hour"] == pytest.approx(20_000 * 2)
