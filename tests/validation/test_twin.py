"""Simulations against what the twin says of their scenarios, with the error bands that theory has.

Exact values must not be contradicted by ten replications (see `sim.result.twin.block.contradictions`), and these must
be sharp enough for that to say something. Approximations must be within their band.
"""

from __future__ import annotations

from typing import Any

import pytest

from sim import load, simulate, theory
from sim.result.twin import twin
from sim.result.twin.block import contradictions
from sim.scenario import Scenario
from sim.study.replicated.estimates import at
from sim.study.replicated.replications import replicate
from tests.twins import batches, poisson, slots

SHARP = 0.05
"""Half-width of the interval of what is compared, over its value."""
GAMMA = {"kind": "gamma", "mean": 1, "cv": 0.5}
LOT = {"kind": "per_replica", "router": "random"}
TURNS = {"kind": "per_replica", "router": "round_robin"}
BURSTS = {"kind": "mmpp", "rates": [3, 6], "leave": [0.5, 0.5]}
RENEWAL = {"kind": "renewal", "gap": {"kind": "erlang", "phases": 2, "mean": 1.4}}
PATIENCE = {"patience": {"kind": "exponential", "mean": 2}}
USERS = {"kind": "closed", "users": 20, "think": {"kind": "exponential", "mean": 4}}

EXACT = {
    "M/M/c": slots(poisson(3.6), replicas=5),
    "M/M/c of several slots a replica": slots(poisson(3.6), replicas=2, concurrency=3),
    "M/G/1": slots(poisson(0.7), GAMMA, horizon="8000s"),
    "GI/M/1": slots(RENEWAL, horizon="8000s"),
    "MMPP/M/c": slots(BURSTS, replicas=7),
    "M[X]/G/1": slots({"kind": "batch", "rate": 0.2, "size": {"kind": "constant", "value": 3}}, horizon="10000s"),
    "M/M/c/K": slots(poisson(3.6), replicas=4, queue={"kind": "central", "max_waiting": 4}),
    "Erlang B": slots(poisson(4), GAMMA, 5, queue={"kind": "central", "max_waiting": 0}),
    "Erlang A": slots(poisson(5), replicas=5, clients=PATIENCE),
    "a draw by lot": slots(poisson(2.4), replicas=4, queue=LOT),
    "turns": slots(poisson(2.6), replicas=4, queue=TURNS),
    "closed": slots(USERS, replicas=3, horizon="2000s"),
}
COUNTS = ("M/M/c/K", "Erlang B", "Erlang A")


def of_runs(scenario: Scenario) -> dict[str, Any]:
    return replicate(scenario, 10).summary()


@pytest.mark.parametrize("name", EXACT)
def test_what_is_exact_is_not_contradicted(name: str) -> None:
    summary = of_runs(EXACT[name])
    told = {each["path"]: each for each in summary["theory"]}
    assert contradictions(summary) == []
    path = "utilization.batch_share" if name in COUNTS else "latency.queue_wait_s.mean"
    assert told[path]["kind"] == "exact"
    low, high = summary["intervals"][path]
    assert (high - low) / 2 < (SHARP if name in COUNTS else 3 * SHARP) * told[path]["theory"]


def test_what_is_wrong_is_contradicted() -> None:
    """The rule has teeth: against the theory of 4 % more traffic, a run is."""
    summary = of_runs(EXACT["M/M/c"])
    wrong = by_theory(slots(poisson(3.6 * 1.04), replicas=5))
    found = [{**each, "theory": wrong[each["path"]]} for each in summary["theory"]]
    assert {"utilization.busy_share", "time_average.running"} <= {
        each["path"] for each in contradictions({**summary, "theory": found})
    }


def by_theory(scenario: Scenario) -> dict[str, float]:
    return {each.path: each.value for each in twin(scenario).figures}


# -- approximations, each with its band --------------------------------------------------------------------------------

WAIT = "latency.queue_wait_s.mean"
CONSTANT = {"kind": "constant", "value": 1}
BANDS = {
    "M/D/c": (slots(poisson(6.8), CONSTANT, 8), WAIT, 0.08),
    "M/G/c": (slots(poisson(4.2), GAMMA, 5), WAIT, 0.08),
    "M/G/c, more variable than exponential": (
        slots(poisson(4.2), {"kind": "lognormal", "mean": 1, "cv": 1.5}, 5),
        WAIT,
        0.12,
    ),
    "G/G/c": (
        slots({"kind": "renewal", "gap": {"kind": "gamma", "mean": 0.25, "cv": 0.7}}, GAMMA, 5),
        WAIT,
        0.35,
    ),
    "M/M/c by pieces of time": (
        slots({"kind": "diurnal", "rate": 6, "peak": 1.4, "trough": 0.6, "period": 2000}, replicas=10, warmup=0),
        WAIT,
        0.15,
    ),
}


@pytest.mark.parametrize("name", BANDS)
def test_what_is_approximate_is_within_its_band(name: str) -> None:
    scenario, path, band = BANDS[name]
    summary = of_runs(scenario)
    [told] = [each for each in summary["theory"] if each["path"] == path]
    assert told["kind"] == "approximation"
    assert abs(told["difference_share"]) < band, told


def test_a_balancing_router_is_between_its_bounds() -> None:
    scenario = slots(poisson(3.2), replicas=4, queue={"kind": "per_replica"})
    summary = of_runs(scenario)
    bounds = {each["kind"]: each["theory"] for each in summary["theory"] if each["path"] == WAIT}
    assert bounds["lower bound"] < at(summary, WAIT) < bounds["upper bound"]


def test_an_overload_is_its_fluid() -> None:
    """Seven minutes at 1.5 times the capacity of 40 servers: within a few per cent."""
    spike = {"kind": "spike", "rate": 30, "factor": 2, "at": 300, "duration": 400}
    # the longest queue is that of the first run alone
    summary = of_runs(slots(spike, replicas=40, warmup=0, horizon="2500s"))
    told = {each["path"]: each for each in summary["theory"]}
    for path, band in ((WAIT, 0.04), ("time_average.waiting", 0.04), ("timeline.waiting.max", 0.12)):
        assert told[path]["method"] == "fluid backlog"
        assert abs(told[path]["difference_share"]) < band, told[path]
    assert abs(told["utilization.busy_share"]["difference_share"]) < 0.01


# -- engines -----------------------------------------------------------------------------------------------------------

MEANS = {
    "utilization.batch_share": 0.08,
    "utilization.kv_share": 0.1,
    "time_average.running": 0.08,
    "latency.tpot_s.mean": 0.06,
    "latency.ttft_s.mean": 0.2,
    "latency.e2e_s.mean": 0.08,
}
ENGINES = {
    "one": batches(3.0),
    "four that a router balances": batches(16.0, 4),
    "a rate that drifts": batches({"kind": "cox", "rate": 12.0, "cv": 0.2, "correlation": 60}, 4, horizon="4000s"),
}


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_below_capacity(name: str) -> None:
    summary = simulate(ENGINES[name]).summary()
    told = {each["path"]: each for each in summary["theory"]}
    far = {path: told[path]["difference_share"] for path, band in MEANS.items() if not abs(apart(told, path)) < band}
    assert far == {}


def test_prompts_that_take_several_iterations_gather() -> None:
    """The picture is worst where prompts take much of the time; where they take most, what is off is left out."""
    prompt, output = {"kind": "lognormal", "mean": 3000, "cv": 1}, {"kind": "constant", "value": 60}
    summary = simulate(batches(2.0, prompt=prompt, output=output)).summary()
    told = {each["path"]: each for each in summary["theory"]}
    bands = dict.fromkeys(MEANS, 0.15) | {"utilization.kv_share": 0.4, "latency.ttft_s.mean": 0.25}
    assert {path for path, band in bands.items() if not abs(apart(told, path)) < band} == set()
    summary = simulate(batches(4.0, prompt=prompt, output=output)).summary()
    assert "latency.ttft_s.mean" not in {each["path"] for each in summary["theory"]}


def apart(told: dict[str, Any], path: str) -> float:
    return float(told[path]["difference_share"])


def test_one_engine_with_a_line_and_exponential_answers() -> None:
    """The case that has an exact limit, at a batch that is often full."""
    none = {"kind": "constant", "value": 0}
    law = {"base_s": 0.002, "prefill_s_per_token": 0, "decode_s_per_seq": 1e-4, "attention_s_per_token": 0}
    replica = {"kind": "batching", "max_num_seqs": 8, "max_batched_tokens": 2048}
    pool = {"latency": law, "replica": replica}
    scenario = batches(4.0, prompt=none, output={"kind": "exponential", "mean": 500}, pool=pool, horizon="6000s")
    told = {each["path"]: each for each in simulate(scenario).summary()["theory"]}
    assert theory.batching(4.0, 500.0, 0.002, 1e-4, 8).mean_wait_s > 0.1
    assert abs(apart(told, WAIT)) < 0.15
    assert abs(apart(told, "utilization.batch_share")) < 0.03


@pytest.mark.parametrize("limit", ["seats", "memory", "prompts"])
def test_an_engine_serves_what_it_can_and_no_more(limit: str) -> None:
    """Far beyond capacity it serves its capacity; a tenth below it keeps up."""
    more: dict[str, Any] = {"seats": {}, "memory": {"pool": {"kv_capacity_tokens": 20_000}}}.get(limit, {})
    if limit == "prompts":
        more = {"prompt": {"kind": "constant", "value": 6000}, "output": {"kind": "constant", "value": 20}}
    [pool] = twin(batches(1.0, **more)).pools.values()
    capacity = pool.capacity_per_s
    assert capacity is not None
    kept_up = simulate(batches(0.85 * capacity, **more)).summary()
    assert kept_up["time_average"]["waiting"] < 0.85 * capacity * 10  # nobody waits for ten seconds
    offered, start_s, end_s = 1.5 * capacity, 100.0, 1200.0
    beyond = simulate(batches(offered, **more)).summary()
    # the queue grows evenly from the start, so its mean says by how much
    served = offered - beyond["time_average"]["waiting"] / ((start_s + end_s) / 2)
    assert served == pytest.approx(capacity, rel=0.08)


def test_the_smallest_fleet_is_the_smallest() -> None:
    """Of image generation: what theory finds meets its objectives in a run, and one less does not."""
    scenario = load("image-generation", ["horizon=24h"])
    [pool] = twin(scenario).pools.values()
    least = pool.least_replicas
    assert least is not None
    met = [
        all(
            target["met"]
            for target in simulate(
                load("image-generation", ["horizon=24h", f"pools.images.autoscaler.replicas={replicas}"])
            ).summary()["slo"]
        )
        for replicas in (least - 1, least + 1)
    ]
    assert met == [False, True]
