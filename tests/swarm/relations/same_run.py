"""What must change nothing: another order of keys, a look at the run, a stream of which nothing comes."""

from __future__ import annotations

from typing import Any

from sim import Result
from sim.config.loader import parse
from sim.scenario import Scenario, load
from sim.workload.streams import Streams
from tests.swarm.ran import left, run
from tests.swarm.relations.changes import Relation, Told, changed, changes_nothing, keys_of, numbers, same_run


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

    other = load(turned(keys_of(scenario), False))
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


SAME: dict[str, Relation] = {
    "I1 written and read": again,
    "M7 order of keys": permuted,
    "M8 bare": bare,
    "M8 observed": observed,
    "M8 idle stream": idle_stream,
}
