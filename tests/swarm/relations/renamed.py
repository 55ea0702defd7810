"""M7: names and numbers of things that are alike mean nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sim import Result
from sim.config.errors import ConfigError, DataError
from sim.scenario import Scenario, load
from sim.workload.streams import Streams
from tests.swarm.ran import differing, left, run
from tests.swarm.relations.changes import Relation, Told, keys_of

GIVEN = "default"
"""Of the class of whoever has none: the product's own name."""


def renamed(scenario: Scenario, result: Result, told: Told) -> bool:
    """M7: other names, in another order of the alphabet, for streams, classes, tenants, and pools that draw no lots.

    Demand is drawn before: a stream's random numbers, and those of a fleet, go by its name.
    """
    names = [*scenario.request_classes, *scenario.customers]
    if isinstance(scenario.workload, Streams):
        names += scenario.workload.stream_names
    if not any(pool.faults or pool.supply or pool.rollouts or pool.boot for pool in scenario.pools.values()):
        names += scenario.pools
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    names = sorted(set(names) - {GIVEN, ""})
    if not names or demand.more is not None:
        return False
    other_of = {name: f"n{len(names) - place}-{name}" for place, name in enumerate(names)}
    try:
        other = load(with_names(keys_of(scenario), other_of))
    except (ConfigError, DataError):
        return False
    streams = tuple(other.workload.stream_names)
    assert set(streams) == {other_of.get(name, name) for name in demand.streams}, "a stream has kept its name"
    demand = replace(demand, streams=tuple(other_of.get(name, name) for name in demand.streams))
    again = run(other, "compiled", demand=demand)
    found = differing(left(result), left(again), but=("ends", "notes", "decisions"))
    assert not found, f"other names change {found}"
    for row, twin in zip(result.log.decisions, again.log.decisions, strict=True):
        assert twin == row._replace(pool=other_of.get(row.pool, row.pool)), "other names change a decision"
    assert again.summary()["cost"] == told["cost"], "other names change the bill"
    return True


def with_names(value: Any, other_of: dict[str, str]) -> Any:
    """A scenario's keys with every name in them replaced."""
    if isinstance(value, dict):
        return {other_of.get(key, key): with_names(each, other_of) for key, each in value.items()}
    if isinstance(value, list):
        return [with_names(each, other_of) for each in value]
    return other_of.get(value, value) if isinstance(value, str) else value


NAMES: dict[str, Relation] = {"M7 names": renamed}
