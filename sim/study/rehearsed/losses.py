"""Drills in which replicas are lost: a node, a zone, spot capacity, all of them at once.

Replicas are lost by an outage of a zone, which the engine knows: for a node, the pool's replicas are spread over as
many zones as it takes nodes, one of which goes down and can be had again at once; for all of them there is one zone.
"""

from __future__ import annotations

import math

from sim.config.errors import ConfigError
from sim.result import words
from sim.result.twin.traffic import horizon_of
from sim.scenario import Pool, Scenario
from sim.study.rehearsed.altered import LATEST, Document, altered, busy_s
from sim.study.rehearsed.drill import Drill

GPUS_PER_NODE = 8
BOOT_S = 300.0
"""Of a pool that does not say how long a replica takes to be ready."""
OUTAGE_S = 1800.0
LEAST_WATCHED_S = 300.0
SPOT_REGION = "spot-market"
BLINK_S = 1e-3
"""An outage that takes what is there, after which new replicas can be had at once."""


def node_lost(scenario: Scenario) -> Drill:
    """A node of every pool is gone at once, with all replicas on it; new ones boot on another."""
    name = "a node lost"
    per_node = _gpus_per_node(scenario)
    each = {pool: max(per_node // one.gpus_per_replica, 1) for pool, one in scenario.pools.items()}
    lost = ", ".join(
        f"{words.plural(min(count, scenario.pools[pool].autoscaler.initial_replicas), 'replica')} of {pool}"
        for pool, count in each.items()
    )

    def edit(document: Document) -> None:
        for pool, one in scenario.pools.items():
            nodes = max(math.ceil(one.autoscaler.initial_replicas / each[pool]), 1)
            _goes_down(document["pools"][pool], one, busy_s(scenario), BLINK_S, zones=nodes)

    return _drill(
        scenario, name, f"A node of {per_node} GPUs fails at the busiest time: {lost} at once{_then(scenario)}", edit
    )


def zone_lost(scenario: Scenario) -> Drill:
    """One zone is down for half an hour, for every pool that stands in several."""
    name, what = "a zone lost", "A zone is down for 30 min at the busiest time"
    zoned = _zones(scenario)
    if not zoned:
        told = "no pool stands in several zones (supply.zones, or plan.survive.of)"
        return Drill(name, what, why_not=told)

    def edit(document: Document) -> None:
        for pool, zones in zoned.items():
            _goes_down(document["pools"][pool], scenario.pools[pool], busy_s(scenario), OUTAGE_S, zones=zones)

    told = ", ".join(f"one of {zones} zones of {pool}" for pool, zones in zoned.items())
    return _drill(scenario, name, f"{what}: {told}{_then(scenario)}", edit)


def spot_reclaimed(scenario: Scenario) -> Drill:
    """All spot replicas are taken at once, and none can be had for half an hour."""
    name, what = "spot reclaimed", "All spot replicas are taken at once, and none can be had for 30 min"
    if not any(offer.market == "spot" for pool in scenario.pools.values() for offer in pool.supply):
        return Drill(name, what, why_not="no pool runs on spot")

    def edit(document: Document) -> None:
        for pool, one in scenario.pools.items():
            spot = [place for place, offer in enumerate(one.supply) if offer.market == "spot"]
            for place in spot:
                document["pools"][pool]["supply"][place] |= {"region": SPOT_REGION, "zones": 1}
            if spot:
                _booting(document["pools"][pool], one)
                _fault(document["pools"][pool], busy_s(scenario), OUTAGE_S, SPOT_REGION)

    return _drill(scenario, name, f"{what}; other offers stand in as far as they go{_then(scenario)}", edit)


def cold_start(scenario: Scenario) -> Drill:
    """Every replica of every pool restarts at once under full load."""
    name = "cold start"

    def edit(document: Document) -> None:
        for pool, one in scenario.pools.items():
            _goes_down(document["pools"][pool], one, busy_s(scenario), BLINK_S, zones=1)

    return _drill(scenario, name, f"All replicas restart at once under the highest load{_then(scenario)}", edit)


def boot_s(pool: Pool) -> float:
    """Mean seconds until a new replica is ready; `BOOT_S` where the pool does not say."""
    return pool.stages.mean_s(pool.weight_bytes) or BOOT_S


def watched_s(scenario: Scenario, at_s: float) -> float:
    """How long from an event attainment is looked at: twice the boot, five minutes at least, to the end at most."""
    longest_s = max(boot_s(pool) for pool in scenario.pools.values())
    return min(max(2 * longest_s, LEAST_WATCHED_S), horizon_of(scenario) - at_s)


def long_enough(scenario: Scenario) -> Scenario:
    """The scenario, longer where a fault and what follows would not fit into it; a trace is as long as it is."""
    if scenario.horizon_s is None or scenario.workload.is_finite:
        return scenario
    after_s = 2 * max(boot_s(pool) for pool in scenario.pools.values()) + LEAST_WATCHED_S
    least_s = scenario.warmup_s + after_s / (1 - LATEST)
    return scenario.model_copy(update={"horizon_s": max(scenario.horizon_s, least_s)})


def _drill(scenario: Scenario, name: str, what: str, edit: object) -> Drill:
    assert callable(edit)
    at_s = busy_s(scenario)
    try:
        changed = altered(scenario, edit)
    except ConfigError as error:
        return Drill(name, what, why_not=f"it does not fit this scenario: {error.problems[0].message}")
    return Drill(name, what, changed, at_s, watched_s(scenario, at_s))


def _goes_down(pool: Document, one: Pool, at_s: float, lasts_s: float, zones: int) -> None:
    offers = pool.setdefault("supply", []) or [{"name": one.offers[0].name}]
    for offer in offers:
        offer["zones"] = zones
    pool["supply"] = offers
    _booting(pool, one)
    for region in dict.fromkeys(offer.get("region", "") for offer in offers):
        _fault(pool, at_s, lasts_s, region)


def _fault(pool: Document, at_s: float, lasts_s: float, region: str) -> None:
    fault = {"kind": "zone_outage", "zone": 0, "at": at_s, "lasts": lasts_s} | ({"region": region} if region else {})
    pool["faults"] = [*pool.get("faults", []), fault]


def _booting(pool: Document, one: Pool) -> None:
    if one.stages.is_instant:
        pool["boot"] = BOOT_S


def _then(scenario: Scenario) -> str:
    """When those ordered in their place are there."""
    times = {words.duration(boot_s(pool)) for pool in scenario.pools.values()}
    assumed = any(pool.stages.is_instant for pool in scenario.pools.values())
    told = "; ordered again at once, ready after " + (f"about {times.pop()}" if len(times) == 1 else "their boot time")
    return told + (" (assumed: the scenario gives no boot time)" if assumed else "")


def _zones(scenario: Scenario) -> dict[str, int]:
    """Zones of each pool that stands in several."""
    survive = scenario.plan.survive if scenario.plan is not None else None
    asked = survive.of if survive is not None and survive.zones is not None else None
    found = {name: max(offer.zones for offer in pool.offers) for name, pool in scenario.pools.items()}
    return {name: asked or zones for name, zones in found.items() if (asked or zones) > 1}


def _gpus_per_node(scenario: Scenario) -> int:
    survive = scenario.plan.survive if scenario.plan is not None else None
    return GPUS_PER_NODE if survive is None else survive.gpus_per_node
