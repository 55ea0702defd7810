"""The scenario of a mix: a pool for each make in the place of one, and routes by the length of prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sim.scenario import Pool, Scenario
from sim.scenario.routes import Between, Route
from sim.study.purchased.fleets import Make, fixed
from sim.study.purchased.mixed.buckets import Bucket, merged_rules
from sim.workload import Streams


def pool_name(pool: str, make: str) -> str:
    """Of the part of a pool that is of one make."""
    return f"{pool}-{make}".replace(".", "-")


def with_mix(
    scenario: Scenario,
    pool: str,
    makes: Mapping[str, Make],
    buckets: Sequence[Bucket],
    choice: Sequence[str],
    replicas: Mapping[str, int],
) -> Scenario:
    """The scenario with so many replicas of each make, and every bucket routed to the make chosen for it.

    A pool of one make keeps its name, and there are no routes.
    """
    own = scenario.pools[pool]
    used = [make for make in makes if replicas.get(make)]
    if len(used) == 1:
        only = fixed(own, {makes[used[0]]: replicas[used[0]]})
        return scenario.model_copy(update={"pools": {**scenario.pools, pool: only}})
    pools: dict[str, Pool] = {name: each for name, each in scenario.pools.items() if name != pool}
    pools |= {pool_name(pool, make): fixed(own, {makes[make]: replicas[make]}) for make in used}
    homes = dict(zip(scenario.workload.stream_names, scenario.stream_pools, strict=True))
    mine = [stream for stream, home in homes.items() if home == pool]
    rules = merged_rules(choice, buckets)
    routes = [
        Route(
            stream=None if len(homes) == 1 else stream,
            prompt_tokens=Between(over_tokens=over, at_most_tokens=at_most),
            to=pool_name(pool, make),
        )
        for over, at_most, make in rules
        for stream in mine
    ]
    kept = tuple(route for route in scenario.routes or () if route.to != pool)
    update: dict[str, Any] = {
        "pools": pools,
        "routes": (*kept, *routes),
        "workload": _sent_to(scenario, mine, pool_name(pool, choice[0])),
    }
    return scenario.model_copy(update=update)


def _sent_to(scenario: Scenario, streams: Sequence[str], pool: str) -> Any:
    """The workload with a new home for some streams, for requests that no route is for: there are none."""
    workload = scenario.workload
    if not isinstance(workload, Streams):
        return workload.model_copy(update={"pool": pool})
    changed = {
        name: each.model_copy(update={"pool": pool}) if name in streams else each
        for name, each in workload.streams.items()
    }
    return workload.model_copy(update={"streams": changed})
