"""Mixes of GPUs by the length of prompts: a MILP says which GPU serves which, the simulator how many replicas it takes.

See `sim.study.purchased.mixed`. Beside them stand the mixes behind one router (`mixes`), which any pool can have.
"""

from __future__ import annotations

from sim.autoscaling.fixed import Fixed
from sim.scenario import Scenario
from sim.scenario.replica import Batching
from sim.study.planned.designs import Design, fleets
from sim.study.planned.mixes import Found
from sim.study.planned.runs import Runs
from sim.study.purchased.bench import Bench
from sim.study.purchased.fleets import Make
from sim.study.purchased.mixed.buckets import merged_rules
from sim.study.purchased.mixed.mix import Mix, mix


def can_be_split(scenario: Scenario, name: str) -> bool:
    """Whether a pool's requests can be told apart by length, and sent to fleets of their own."""
    pool = scenario.pools[name]
    handed = any(other.kv_transfer is not None for other in scenario.pools.values())
    return isinstance(pool.replica, Batching) and pool.autoscaler.kind == "fixed" and pool.priced and not handed


def split(scenario: Scenario, name: str, alone: list[Found], runs: Runs) -> tuple[Found, Mix] | None:
    """The cheapest mix by length of the GPUs that have been tried alone; None: one GPU for all is cheaper, by the MILP.

    `alone`: fleets that keep what is promised, each with one GPU in the pool, the cheapest first.
    """
    first: dict[str, Design] = {}
    for one in alone:
        design = one.fleets.designs[name]
        if design.mixed is None and design.pool.gpu is not None:
            first.setdefault(design.pool.gpu.name, design)
    if len(first) < 2:
        return None
    designs = list(first.values())
    makes = [Make(design.pool.gpu, design.pool.gpus_per_replica) for design in designs]
    others = {pool: design.with_replicas(alone[0].fleet[pool]) for pool, design in alone[0].fleets.designs.items()}
    base = scenario.model_copy(update={"pools": others, "plan": None})
    found = mix(base, name, makes, bench=Bench(runs.executor, runs.kept))
    if found is None or len(found.replicas) < 2:
        return None
    (each,), _ = fleets(found.scenario)
    fleet = {pool: _replicas(found.scenario, pool) for pool in found.scenario.pools}
    return Found(each, fleet, each.usd_per_hour(fleet), found.meets), found


def told_of(found: Mix) -> str:
    """What became of it, in words."""
    ranges = merged_rules(found.choice, found.buckets)
    served = ", ".join(f"{_tokens(over, at_most)} to {gpu}" for over, at_most, gpu in ranges)
    verdict = "meets the promises" if found.meets else "does not meet the promises"
    return (
        f"split by the length of prompts ({served}): {verdict}; the MILP said "
        f"${found.proposed_usd_per_hour:,.2f} an hour, simulated it takes ${found.usd_per_hour:,.2f}"
    )


def _tokens(over: int | None, at_most: int | None) -> str:
    """A range of prompt tokens in words."""
    if at_most is None:
        return f"more than {over or 0:,} tokens"
    return f"{(over or 0) + 1:,}-{at_most:,} tokens"


def _replicas(scenario: Scenario, pool: str) -> int:
    policy = scenario.pools[pool].autoscaler
    assert isinstance(policy, Fixed), "a mix is of fixed fleets"
    return policy.replicas
