"""What a tuned policy is compared with: the smallest fixed fleet that does as well, and one that knows the future.

Both are found the same way: by bisection along a list of ever roomier fleets, on the fresh seeds, for the first that
keeps what is needed. Bisection takes for granted that roomier ones keep it too; the one that is told of has been run as
often as all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sim.autoscaling import Fixed
from sim.scenario import Scenario
from sim.study.regret import UTILIZATIONS, clairvoyant
from sim.study.tuned.fresh import Fresh, measure
from sim.study.tuned.runs import Runs
from sim.study.tuned.space import Candidate

PROBES = 2
"""Runs of each step of the bisection."""
STEPS_UP = 4
"""How many roomier fleets are tried where the one that was found does not keep it in all runs."""


@dataclass(frozen=True)
class Reference:
    """A fleet to compare with."""

    fresh: Fresh
    keeps: bool
    about: dict[str, Any]
    """What it is: replicas of each pool, or the utilization that is planned for."""


def least(
    runs: Runs, seed: int, number: int, needed: Sequence[float], rungs: Sequence[Candidate]
) -> tuple[int, Fresh] | None:
    """The first of the rungs that keeps what is needed, measured like the finalists; None: it cannot be run.

    Where none does, the last is measured.
    """
    low, high = -1, len(rungs) - 1
    while high - low > 1:
        middle = (low + high) // 2
        (probe,) = measure(runs, [rungs[middle]], seed, min(PROBES, number)) or (None,)
        if probe is not None and probe.keeps(needed):
            high = middle
        else:
            low = middle
    for place in range(high, min(high + STEPS_UP, len(rungs))):
        found = measure(runs, [rungs[place]], seed, number)
        if found and (found[0].keeps(needed) or place + 1 == min(high + STEPS_UP, len(rungs))):
            return place, found[0]
    return None


def elastic(scenario: Scenario) -> list[str]:
    """The pools whose size a policy changes."""
    return [
        name for name, pool in scenario.pools.items() if pool.autoscaler.floor_replicas < pool.autoscaler.most_replicas
    ]


def fixed(runs: Runs, base: Candidate, seed: int, number: int, needed: Sequence[float]) -> Reference | None:
    """The smallest fleet of fixed size; several elastic pools are sized together, in proportion to their most."""
    names = elastic(base.scenario) or [
        name for name, pool in base.scenario.pools.items() if isinstance(pool.autoscaler, Fixed)
    ]
    if not names:
        return None
    most = {name: 2 * base.scenario.pools[name].autoscaler.most_replicas for name in names}
    top = max(most.values())

    def sized(step: int) -> dict[str, int]:
        return {name: max(-(-step * one // top), 1) for name, one in most.items()}

    def made(step: int) -> Candidate:
        sizes = sized(step)
        return _with(base, names, lambda name: Fixed(replicas=sizes[name]))

    found = least(runs, seed, number, needed, [made(step) for step in range(1, top + 1)])
    if found is None:
        return None
    place, fresh = found
    return Reference(fresh, fresh.keeps(needed), {"replicas": sized(place + 1)})


def foreseeing(runs: Runs, base: Candidate, seed: int, number: int, needed: Sequence[float]) -> Reference | None:
    """The clairvoyant policy at the highest utilization that keeps what is needed; None where no pool is elastic."""
    names = elastic(base.scenario)
    if not names:
        return None

    def made(share: float) -> Candidate:
        return _with(base, names, lambda name: clairvoyant(base.scenario.pools[name], share))

    found = least(runs, seed, number, needed, [made(share) for share in UTILIZATIONS])
    if found is None:
        return None
    place, fresh = found
    return Reference(fresh, fresh.keeps(needed), {"utilization_share": UTILIZATIONS[place]})


def _with(base: Candidate, names: Sequence[str], policy: Callable[[str], Any]) -> Candidate:
    """The scenario with other policies in some pools."""
    pools = dict(base.scenario.pools)
    for name in names:
        pools[name] = pools[name].model_copy(update={"autoscaler": policy(name)})
    return replace(base, scenario=base.scenario.model_copy(update={"pools": pools}))
