"""The work of requests: what a saturated replica does of it, and what of it is seen ahead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.engine import simulate
from sim.fleet import setup
from sim.fleet.work import Work
from sim.model.work import work_law
from sim.scenario import load

LATENCY = {"base_s": 0.02, "prefill_s_per_token": 5e-5, "decode_s_per_seq": 2e-4, "attention_s_per_token": 1e-8}
MINUTES = (5 * 60.0, 25 * 60.0)
"""Of a run of half an hour, when its queue is long already."""


def lengths(mean: int) -> dict[str, Any]:
    return (
        {"kind": "lognormal", "mean": mean, "cv": 0.5, "max": 3 * mean}
        if mean > 1
        else {"kind": "constant", "value": 1}
    )


def batching(prompt: int, output: int, rate: float, **pool: Any) -> dict[str, Any]:
    base = {"latency": LATENCY, "kv_capacity_tokens": 400_000, "autoscaler": {"replicas": 1}}
    stream = {"prompt_tokens": lengths(prompt), "output_tokens": lengths(output)}
    arrivals = {"arrivals": {"kind": "poisson", "rate": rate}}
    return {"name": "work", "horizon": "30m", "workload": arrivals | stream, "pools": {"chat": base | pool}}


def done(scenario: Any) -> dict[str, float]:
    """Replica-seconds of work that each pool's only replica does in a second of its time."""
    wanted = load(scenario)
    specs, _ = setup.pool_specs(wanted)
    requests = simulate(wanted).log.requests
    from_s, to_s = MINUTES
    found = {}
    for row, name in enumerate(wanted.pools):
        ended_s = requests["first_token_s" if specs[row].next_pool is not None else "finish_s"]
        inside = (ended_s >= from_s) & (ended_s < to_s)
        found[name] = float(work_law(specs, row, requests).work_s(requests)[inside].sum()) / (to_s - from_s)
    return found


@pytest.mark.parametrize(
    ("prompt", "output", "rate", "replica"),
    [
        (6000, 10, 8, {}),  # almost all prefill
        (6000, 1, 8, {}),
        (20_000, 1, 3, {}),  # prompts longer than an iteration
        (200, 300, 30, {"max_num_seqs": 64}),  # almost all decode
        (1000, 200, 20, {"max_batched_tokens": 256, "max_num_seqs": 64}),  # short of token budget
    ],
)
def test_a_saturated_batching_replica_does_a_second_of_work_a_second(
    prompt: int, output: int, rate: float, replica: dict[str, int]
) -> None:
    found = done(batching(prompt, output, rate, replica={"kind": "batching", **replica}))
    assert found == {"chat": pytest.approx(1.0, rel=0.03)}


def test_one_that_is_short_of_kv_memory_does_less_for_it_recomputes() -> None:
    found = done(batching(20, 600, 20, kv_capacity_tokens=20_000))
    assert 0.85 < found["chat"] < 1.0


def test_prefill_and_decode_have_each_their_own_work() -> None:
    model = {"model": "llama-3-8b", "gpu": "h100-sxm", "latency": LATENCY, "kv_capacity_tokens": 400_000}
    model |= {"autoscaler": {"replicas": 1}, "replica": {"kind": "batching", "max_num_seqs": 64}}
    scenario = batching(2000, 200, 30)
    scenario["pools"] = {"prefill": {**model, "kv_transfer": {"to": "decode", "bandwidth": "200GB/s"}}, "decode": model}
    found = done(scenario)
    assert found["prefill"] == pytest.approx(1.0, rel=0.05)
    scenario["workload"]["prompt_tokens"] = lengths(50)  # now the second pool is the one that is short
    assert done(scenario)["decode"] == pytest.approx(1.0, rel=0.05)


def test_a_slot_is_its_share_of_a_replica_and_other_pools_requests_are_no_work() -> None:
    stream = {"arrivals": {"kind": "poisson", "rate": 1}, "service": {"kind": "constant", "value": "3s"}}
    pool = {"replica": {"kind": "slots", "concurrency": 4}, "autoscaler": {"replicas": 9}}
    wanted = load(
        {
            "name": "two",
            "horizon": "1m",
            "workload": {"streams": {"a": stream, "b": stream}},
            "pools": {"a": pool, "b": pool},
        }
    )
    specs, _ = setup.pool_specs(wanted)
    requests = simulate(wanted).log.requests
    for row in (0, 1):
        assert np.array_equal(
            work_law(specs, row, requests).work_s(requests), np.where(requests["pool"] == row, 0.75, 0.0)
        )
    assert set(requests["pool"].tolist()) == {0, 1}


def test_work_ahead_is_what_arrives_from_now_on_a_second() -> None:
    work = Work(np.array([0.0, 10.0, 20.0, 30.0]), np.array([1.0, 2.0, 4.0, 8.0]))
    assert work.ahead(0.0, 10.0) == 0.1, "who comes at the end of the window is of the next"
    assert work.ahead(10.0, 20.0) == (2.0 + 4.0) / 20.0
    assert work.ahead(30.5, 10.0) == 0.0
    assert work.ahead(0.0, 0.0) == 0.0


def test_beyond_the_end_of_arrivals_traffic_goes_on_as_it_was() -> None:
    arrival_s = np.arange(0.0, 100.0, 2.0) + 1.0
    work = Work(arrival_s, np.where(arrival_s < 80.0, 1.0, 3.0), ends_s=100.0)
    assert work.ahead(90.0, 20.0) == pytest.approx(1.5)
    assert work.ahead(100.0, 40.0) == pytest.approx((10 * 3.0 + 10 * 1.0) / 40.0)
    assert work.ahead(150.0, 1000.0) >= 0.0, "even further than it began"
