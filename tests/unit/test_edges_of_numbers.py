"""Numbers at the edge: long times and short ones, few tokens and a million, one replica and 20,000."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sim import Result, load, simulate
from sim.workload.arrivals import Poisson
from sim.workload.randomness import RngOf

YEAR_S = 365 * 86_400.0


def line(**parts: Any) -> Result:
    """A run of servers behind one line."""
    pool = {"replica": {"kind": "slots"}, "queue": {"kind": "central"}, "autoscaler": {"kind": "fixed", "replicas": 1}}
    keys = {"name": "edge", "pools": {"one": {**pool, **parts.pop("pool", {})}}}
    return simulate(load({**keys, **parts}))


class Given(Poisson):
    """Arrivals in whole microseconds, from a moment on."""

    begin_s: float

    def arrivals(self, rng_of: RngOf, horizon_s: float) -> Any:
        return self.begin_s + np.cumsum(rng_of("arrivals").integers(0, 9, 400)) * 1e-6


def test_times_keep_their_microseconds_for_a_year() -> None:
    """What comes at the end of a year waits as at its beginning; the steps of a float are 3.7 ns there."""
    step_s = math.ulp(YEAR_S - 1)
    assert step_s == 2.0**-28
    stream = {
        "output_tokens": {"kind": "uniform", "low": 1, "high": 5},
        "prompt_tokens": {"kind": "constant", "value": 0},
        "service": {"kind": "per_token", "base": "1us", "output": "1us"},
    }
    waits_s = []
    for begin_s in (0.0, YEAR_S - 1):
        requests = line(workload={"arrivals": Given(rate=1, begin_s=begin_s), **stream}, horizon=YEAR_S).log.requests
        assert len(requests) == 400
        waits_s.append(requests["start_s"] - requests["arrival_s"])
    assert waits_s[0].max() > 20e-6
    # half a step is rounded off at each end of a service, and within a busy period these add up
    assert np.abs(waits_s[0] - waits_s[1]).max() < 400 * step_s / 2
    assert np.median(np.abs(waits_s[0] - waits_s[1])) < 0.1e-6


@pytest.mark.parametrize("rate", [1e-6, 1e-3, 1e3, 1e6])
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


@pytest.mark.parametrize("queue", ["central", "per_replica"])
def test_a_replica_and_20_000_of_them(queue: str) -> None:
    service = {"kind": "constant", "value": 0.25}
    workload = {"arrivals": {"kind": "poisson", "rate": 40_000}, "service": service}
    fleet = {"queue": {"kind": queue}, "autoscaler": {"kind": "fixed", "replicas": 20_000}, "price": {"on_demand": 2}}
    billing = {"billing": {"granularity": 0}}
    run = line(workload=workload, horizon=0.25, calendar="compiled", pool=fleet | billing)
    requests = run.log.requests
    assert 9_000 < len(requests) < 11_000
    np.testing.assert_array_equal(requests["start_s"], requests["arrival_s"])
    np.testing.assert_allclose(requests["finish_s"] - requests["arrival_s"], 0.25)
    assert len(np.unique(requests["replica"])) == len(requests), "one each: none is asked twice while others are idle"
    alone = line(workload=workload, horizon=0.25, calendar="compiled", pool=billing | {"price": {"on_demand": 2}})
    ends_s = alone.log.requests["finish_s"]
    np.testing.assert_allclose(np.diff(ends_s), 0.25, rtol=1e-9)
    assert run.summary()["cost"]["usd_per_hour"] == pytest.approx(20_000 * 2)
