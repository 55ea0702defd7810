"""What a plan assumes, and the scenarios in which one such thing is otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from sim.autoscaling.fixed import Fixed
from sim.config.errors import ConfigError
from sim.scenario import Batching, Scenario
from sim.study.rehearsed.altered import Document, altered, streams_of
from sim.study.sensitivity.scaling import law_times, prices_times, slower, time_times
from sim.workload import Generated
from sim.workload.scaled import scaled

Edit = Callable[[Document], str]
"""Changes a document in place; says why where it cannot."""


@dataclass(frozen=True)
class Otherwise:
    """One assumption, one way: what is different, and the scenario; or why it is not tried."""

    assumption: str
    told: str
    scenario: Scenario | None = None
    why_not: str = ""


def otherwise(planned: Scenario) -> tuple[tuple[Otherwise, ...], ...]:
    """All that is tried, one or two ways for each assumption that the scenario has."""
    streams = [stream for stream in planned.workload.by_name().values() if isinstance(stream, Generated)]
    every = (
        _two(_demand(planned, 0.8, "-20%"), _demand(planned, 1.2, "+20%")),
        _two(*(_edited(planned, "prompt lengths", told, _lengths("prompt_tokens", by)) for told, by in _FIFTH)),
        _two(*(_edited(planned, "output lengths", told, _lengths("output_tokens", by)) for told, by in _FIFTH)),
        _two(*(_edited(planned, "service times", told, _lengths("service", by)) for told, by in _FIFTH)),
        _two(*(_edited(planned, "GPU price", told, _prices(by)) for told, by in _FIFTH)),
        _two(*(_edited(planned, ITERATION, told, _slower(by)) for told, by in _TENTH)),
        _two(_edited(planned, "boot time", "twice", _boots(planned, 2.0))),
        _two(_count(planned, -1), _count(planned, 1)),
    )
    has = {key: any(getattr(stream, key) is not None for stream in streams) or not streams for key in _LAWS.values()}
    batching = any(isinstance(pool.replica, Batching) for pool in planned.pools.values())
    absent = {name for name, key in _LAWS.items() if not has[key]} | (set() if batching else {ITERATION})
    return tuple(ways for ways in every if ways[0].assumption not in absent)


_LAWS = {"prompt lengths": "prompt_tokens", "output lengths": "output_tokens", "service times": "service"}
ITERATION = "time of an iteration"
_FIFTH = (("-20%", 0.8), ("+20%", 1.2))
_TENTH = (("-10%", 0.9), ("+10%", 1.1))


def _two(*each: Otherwise) -> tuple[Otherwise, ...]:
    return each


def _demand(planned: Scenario, factor: float, told: str) -> Otherwise:
    try:
        return Otherwise("demand", told, planned.model_copy(update={"workload": scaled(planned.workload, factor)}))
    except ConfigError as error:
        return Otherwise("demand", told, why_not=error.problems[0].message)


def _edited(planned: Scenario, assumption: str, told: str, edit: Edit) -> Otherwise:
    why = ""

    def change(document: Document) -> None:
        nonlocal why
        why = edit(document)

    try:
        scenario = altered(planned, change)
    except ConfigError as error:
        return Otherwise(assumption, told, why_not=error.problems[0].message)
    return Otherwise(assumption, told, None if why else scenario, why)


def _lengths(key: str, factor: float) -> Edit:
    def edit(document: Document) -> str:
        laws = [stream[key] for stream in _generated(document) if stream.get(key) is not None]
        if not laws:
            return "requests are those of a trace"
        for law in laws:
            if law.get("kind") == "per_token":
                for part in ("base", "prompt", "output"):
                    law[part] = law.get(part, 0.0) * factor
                continue
            why = law_times(law, factor)
            if why:
                return why
        return ""

    return edit


def _generated(document: Document) -> Iterator[Document]:
    return (stream for stream in streams_of(document["workload"]) if "arrivals" in stream)


def _prices(factor: float) -> Edit:
    def edit(document: Document) -> str:
        for pool in document["pools"].values():
            prices_times(pool, factor)
        return ""

    return edit


def _slower(factor: float) -> Edit:
    def edit(document: Document) -> str:
        for pool in document["pools"].values():
            slower(pool, factor)
        return ""

    return edit


def _boots(planned: Scenario, factor: float) -> Edit:
    still = all(
        isinstance(pool.autoscaler, Fixed) and not pool.faults and not pool.rollouts and not pool.supply
        for pool in planned.pools.values()
    )

    def edit(document: Document) -> str:
        if still:
            return "a fixed fleet starts no replica while nothing fails: see the drills"
        for pool in document["pools"].values():
            pool["boot"] = time_times(pool.get("boot", 0.0), factor)
        return ""

    return edit


def _count(planned: Scenario, more: int) -> Otherwise:
    """Availability: a replica of every pool that is down all the time; and one more."""
    told = "one down" if more < 0 else "one more"
    pools = {}
    for name, pool in planned.pools.items():
        policy = pool.autoscaler
        key = "replicas" if isinstance(policy, Fixed) else "min_replicas"
        count = getattr(policy, key, None)
        if count is None or count + more < 1 or not isinstance(policy, BaseModel):
            return Otherwise("replicas that work", told, why_not="there is no number of replicas to take one from")
        changed = policy.model_copy(update={key: count + more})
        pools[name] = pool.model_copy(update={"autoscaler": changed})
    return Otherwise("replicas that work", told, planned.model_copy(update={"pools": pools}))
