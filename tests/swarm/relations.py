"""Metamorphic relations of whole scenarios: what a change of the scenario must, and must not, change in its run.

The numbers are those of the project's list of relations; those of the bare model are in
`tests/property/test_metamorphic.py`. Each is tried on every few scenarios of those it is a theorem for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import BaseModel

from sim import Result
from sim.config.errors import ConfigError, DataError
from sim.config.loader import parse
from sim.model.tables import COMPLETED
from sim.scenario import Scenario, load
from sim.workload.streams import Streams
from tests.swarm.ran import differing, left, run

Told = dict[str, Any]
Relation = Callable[[Scenario, Result, Told], bool]


def hold(scenario: Scenario, result: Result, told: Told, seed: int | None, counts: Counter[str]) -> None:
    """Try the theorems, which few scenarios are for, and two of the others, by the seed; all of them without one."""
    every = list(RELATIONS.items())
    some = every if seed is None else [every[(seed + place) % len(every)] for place in (0, 5)]
    some = [*some, *THEOREMS.items()]
    for name, relation in some:
        if relation(scenario, result, told):
            counts[name] += 1


def same_run(result: Result, other: Result, what: str, but: tuple[str, ...] = ()) -> None:
    names = differing(left(result), left(other), but)
    assert not names, f"{what} changes {names}"


def numbers(told: Told) -> Told:
    """A summary without what each run has for itself."""
    return {name: value for name, value in told.items() if name not in ("run", "calendar")}


def changed(scenario: Scenario, change: Callable[[Told], None]) -> Scenario | None:
    """The scenario with its keys changed; None if it cannot be so."""
    keys = json.loads(scenario.model_dump_json(by_alias=True, exclude_none=True))
    change(keys)
    try:
        return load(keys)
    except (ConfigError, DataError):
        return None


def changes_nothing(scenario: Scenario, result: Result, change: Callable[[Told], None], what: str) -> bool:
    """The scenario with its keys changed is the same run; False if it cannot be so."""
    other = changed(scenario, change)
    if other is None:
        return False
    same_run(result, run(other, "compiled"), what)
    return True


# -- the same scenario -------------------------------------------------------------------------------------------------


def again(scenario: Scenario, result: Result, told: Told) -> bool:
    """I1: run again from the file that a run writes, it is the same to the last digit of the summary."""
    text = scenario.to_yaml()
    written = load(parse(text, "scenario.yaml").plain())
    assert written == scenario, "what is written is not what was read"
    assert written.digest == scenario.digest
    other = run(written, "compiled")
    same_run(result, other, "to write and read")
    assert numbers(other.summary()) == numbers(told)
    return True


def permuted(scenario: Scenario, result: Result, told: Told) -> bool:
    """M7: the order in which keys stand says nothing, where they are not the user's names."""

    def turned(value: Any, named: bool) -> Any:
        if isinstance(value, dict):
            names = list(value) if named else list(reversed(value))
            return {name: turned(value[name], name in NAMED) for name in names}
        return [turned(each, False) for each in value] if isinstance(value, list) else value

    other = load(turned(json.loads(scenario.model_dump_json(by_alias=True, exclude_none=True)), False))
    same_run(result, run(other, "compiled"), "the order of keys")
    return True


NAMED = ("pools", "streams", "classes", "tenants", "contracts", "curve", "at", "tiers", "ranges", "limit", "prices")
"""Mappings in which order may mean something."""


def bare(scenario: Scenario, result: Result, told: Told) -> bool:
    """M8: to keep less of a run changes nothing in it."""
    other = run(scenario, "compiled", bare=True)
    same_run(result, other, "bare", but=tuple(name for name in left(result) if name.startswith("samples.")))
    return True


def observed(scenario: Scenario, result: Result, told: Told) -> bool:
    """M8: objectives, assertions, prices of slowness and revenue change no run."""

    def look(keys: Told) -> None:
        keys["slo"] = [{"metric": "ttft", "under": 1, "share": 0.9}, {"metric": "e2e", "under": 9, "share": 0.5}]
        keys["assert"] = ["p99 ttft < 1s"]
        keys["slowness"] = [{"kind": "linear", "metric": "queue_wait", "usd_per_hour": 3.0}]
        keys["revenue"] = [{"kind": "per_request", "price": 0.01}]

    if any(pool.queue.shed is not None for pool in scenario.pools.values()):
        return False  # estimated waits are held against objectives
    return changes_nothing(scenario, result, look, "what is looked at")


def idle_stream(scenario: Scenario, result: Result, told: Told) -> bool:
    """M8: a stream of which nothing comes changes nothing but its name in the list."""
    if not isinstance(scenario.workload, Streams):
        return False

    def add(keys: Told) -> None:
        stream = next(iter(keys["workload"]["streams"].values()))
        law = {"kind": "constant", "value": 1}
        idle = {
            "arrivals": {"kind": "poisson", "rate": 1e-12},
            "service": law,
            "prompt_tokens": law,
            "output_tokens": law,
        }
        kept = {name: stream[name] for name in ("pool", "class", "tenant") if name in stream}
        keys["workload"]["streams"]["idle"] = idle | kept

    other = changed(scenario, add)
    if other is None:
        return False
    same_run(result, run(other, "compiled"), "an idle stream", but=("ends", "notes"))
    return True


# -- prices ------------------------------------------------------------------------------------------------------------


def dearer(scenario: Scenario, result: Result, told: Told) -> bool:
    """M11: all prices doubled double the bill, and nothing else changes."""
    if told["cost"]["total_usd"] is None:
        return False
    other = load_doubled(scenario)
    if other is None:
        return False
    again = run(other, "compiled")
    same_run(result, again, "prices")
    twice = again.summary()
    assert twice["cost"]["total_usd"] == approx(2 * told["cost"]["total_usd"]), "twice the prices is not twice the bill"
    for name, block in twice["pools"].items():
        assert block["cost"]["total_usd"] == approx(2 * told["pools"][name]["cost"]["total_usd"]), name
    assert twice["latency"] == told["latency"]
    return True


def load_doubled(scenario: Scenario) -> Scenario | None:
    """The scenario with every amount of money doubled; None if some price stands in a currency or a book."""
    from sim.pricing.books.book import PriceBook

    if any(isinstance(part, PriceBook) for part in parts(scenario)):
        return None
    return scaled(scenario, {"USD": 2.0})


def parts(value: Any) -> list[BaseModel]:
    """Every model in a scenario."""
    if isinstance(value, BaseModel):
        return [value] + [part for name in type(value).model_fields for part in parts(getattr(value, name))]
    if isinstance(value, dict):
        return [part for each in value.values() for part in parts(each)]
    return [part for each in value for part in parts(each)] if isinstance(value, list | tuple) else []


def scaled(scenario: Scenario, factors: dict[str, float]) -> Scenario | None:
    """The scenario with numbers of some kinds multiplied; None if it cannot be loaded so."""
    from tests.swarm.scaling import multiplied

    try:
        return load(multiplied(json.loads(scenario.model_dump_json(by_alias=True, exclude_none=True)), factors))
    except (ConfigError, DataError):
        return None


# -- degenerate cases --------------------------------------------------------------------------------------------------


def limits_that_nobody_reaches(scenario: Scenario, result: Result, told: Told) -> bool:
    """M10: room for a million, timeouts after decades, a fault that never comes: as none."""
    for pool in scenario.pools.values():
        if pool.faults or pool.queue.max_waiting is not None:
            return False

    def add(keys: Told) -> None:
        for pool in keys["pools"].values():
            pool.setdefault("queue", {})["max_waiting"] = 10**9

    return changes_nothing(scenario, result, add, "a limit that nobody reaches")


def replayed(scenario: Scenario, result: Result, told: Told) -> bool:
    """M10: what a run has drawn, given as the demand of the next, is the same run."""
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    if demand.more is not None:
        return False
    same_run(result, run(scenario, "compiled", demand=demand), "demand that was drawn before")
    return True


def pinned(scenario: Scenario, result: Result, told: Told) -> bool:
    """M10: an autoscaler whose bounds leave no choice is a fixed fleet, in what requests see."""
    from tests.contract.test_policies import ELASTIC

    if len(scenario.pools) != 1 or next(iter(scenario.pools.values())).autoscaler.kind != "fixed":
        return False
    [pool] = scenario.pools.values()
    count = pool.autoscaler.initial_replicas
    if count == 0 or pool.rollouts or pool.faults or pool.supply:
        return False

    def pin(keys: Told) -> None:
        [one] = keys["pools"].values()
        metrics = [{"metric": "num_requests_running", "type": "AverageValue", "target": 2}]
        one["autoscaler"] = {**ELASTIC, "kind": "hpa", "metrics": metrics}
        one["autoscaler"] |= {"min_replicas": count, "max_replicas": count}
        one.pop("metrics", None)

    other = changed(scenario, pin)
    if other is None:
        return False
    again = run(other, "compiled")
    for name in ("start_s", "first_token_s", "finish_s", "outcome"):
        assert again.log.requests[name].tobytes() == result.log.requests[name].tobytes(), f"pinned: {name}"
    return True


# -- theorems of one line ----------------------------------------------------------------------------------------------


def one_line(scenario: Scenario) -> Any:
    """The pool, if the scenario is one line before a fixed number of slots, and clients that just wait."""
    if len(scenario.pools) != 1:
        return None
    [pool] = scenario.pools.values()
    queue, names = pool.queue, scenario.workload.stream_names
    plain = pool.replica.kind == "slots" and queue.kind == "central" and pool.autoscaler.kind == "fixed"
    plain &= queue.order == "fcfs" and queue.fair is None and queue.shed is None and not queue.classes
    plain &= queue.max_waiting_tokens is None and not (pool.faults or pool.supply or pool.rollouts)
    plain &= not any(scenario.workload.clients_of(name).act for name in names)
    plain &= all(scenario.workload.most_in_flight(name) is None for name in names)
    plain &= not any(tenant.quota for tenant in scenario.tenants.values())
    return pool if plain and not result_follows(scenario) else None


def result_follows(scenario: Scenario) -> bool:
    """Whether requests follow others, so that their arrivals go by the fleet."""
    return scenario.workload.demand(scenario.seed, 0, scenario.horizon_s).links is not None


def one_more(scenario: Scenario, result: Result, told: Told) -> bool:
    """M1: with one server more, nobody waits longer. M4: without room to wait, nobody else is turned away."""
    pool = one_line(scenario)
    if pool is None or pool.queue.max_waiting not in (None, 0):
        return False

    def add(keys: Told) -> None:
        [one] = keys["pools"].values()
        one["autoscaler"] = {"kind": "fixed", "replicas": pool.autoscaler.replicas + 1}

    other = changed(scenario, add)
    if other is None:
        return False
    few, more = result.log.requests, run(other, "compiled").log.requests
    if pool.queue.max_waiting == 0:
        assert (more["outcome"] == COMPLETED)[few["outcome"] == COMPLETED].all(), "turned away by one server more"
    else:
        assert (more["start_s"] <= few["start_s"]).all(), "waits longer with one server more"
    return True


def less_work(scenario: Scenario, result: Result, told: Told) -> bool:
    """M2, M3: with shorter services, or without some of the arrivals, nobody (else) waits longer."""
    from dataclasses import replace

    pool = one_line(scenario)
    if pool is None or pool.queue.max_waiting is not None:
        return False
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    rows = result.log.requests
    half = replace(demand, service_s=demand.service_s / 2, first_service_s=demand.first_service_s / 2)
    shorter = run(scenario, "compiled", demand=half).log.requests
    assert (shorter["start_s"] <= rows["start_s"]).all(), "waits longer behind shorter services"
    kept = np.arange(len(demand)) % 3 != 1
    columns = {name: getattr(demand, name) for name in demand.__dataclass_fields__}
    fewer = {name: c[kept] for name, c in columns.items() if isinstance(c, np.ndarray) and len(c) == len(kept)}
    fewer = {name: column for name, column in fewer.items() if not name.startswith("prefix")}
    fewer["prefix0"] = demand.prefix0[kept]
    less = run(scenario, "compiled", demand=replace(demand, **fewer)).log.requests
    assert (less["start_s"] <= rows["start_s"][kept]).all(), "waits longer behind fewer"
    return True


def doubled_time(scenario: Scenario, result: Result, told: Told) -> bool:
    """M5: all times doubled: the same history, twice as slow, to the last bit."""
    from tests.swarm.scaling import doubled

    return doubled(scenario, result)


def approx(value: float | None) -> Any:
    import pytest

    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)


RELATIONS: dict[str, Relation] = {
    "I1 written and read": again,
    "M7 order of keys": permuted,
    "M8 bare": bare,
    "M8 observed": observed,
    "M8 idle stream": idle_stream,
    "M11 prices": dearer,
    "M10 limits": limits_that_nobody_reaches,
    "M10 replayed": replayed,
    "M10 pinned": pinned,
}
THEOREMS: dict[str, Relation] = {
    "M1 M4 one more": one_more,
    "M2 M3 less work": less_work,
    "M5 time": doubled_time,
}
