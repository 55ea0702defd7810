"""How many replicas a level of demand takes: a function to be had from the static plan, and a small one of its own.

`Need` turns a few sizes that were searched for into a size for every level, monotone: more demand never takes less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from sim.autoscaling.fixed import Fixed
from sim.result.twin import twin
from sim.scenario import Pool, Scenario
from sim.study.planned.search import Search
from sim.study.purchased.autoscaled import ceiling, used
from sim.study.purchased.bench import Bench, Outcome
from sim.study.purchased.fleets import Make, bounded, fixed, grown, made_of, make_of

PROBE_RUNS = 3
"""Replications of each size that is tried; what is proposed is verified with more, on fresh seeds."""
MOST_REPLICAS = 100_000
LEVELS = 5
"""Of demand at which sizes are searched for; between them they are interpolated."""
_LEAST_FACTOR = 0.02
_HOPELESS = 64
"""Times what theory says: if not even so many replicas do, none will."""


class Sizing(Protocol):
    """The fewest replicas of a pool that keep its promises."""

    def replicas(self, pool: str, make: Make, factor: float) -> int | None:
        """With `factor` times the demand; None: no number does."""
        ...


@dataclass
class Probed:
    """Sizes by gallop and bisection over short runs with common random numbers.

    A pool with an autoscaler is as large as its policy makes it, at the most (`sim.study.purchased.autoscaled`);
    other pools have more than enough.
    """

    scenario: Scenario
    bench: Bench = field(default_factory=Bench)
    runs: int = PROBE_RUNS
    known: Mapping[tuple[str, str, float], int] = field(default_factory=dict)
    """Sizes of fixed fleets that are certain already, by pool, GPU and level of demand."""
    watch: Callable[[str], None] | None = None

    def replicas(self, pool: str, make: Make, factor: float) -> int | None:
        """See `Sizing`."""
        elastic = self.scenario.pools[pool].autoscaler.kind != "fixed"
        if not elastic and (pool, make.name, factor) in self.known and make == make_of(self.scenario.pools[pool]):
            return self.known[pool, make.name, factor]
        if self.watch is not None:
            self.watch(f"{pool}: {make.name} at {factor:.3g} times the demand")
        if elastic:
            return self._as_scaled(pool, make, factor)
        guess = self._guess(pool, make, factor)
        most = min(MOST_REPLICAS, max(guess, 4) * _HOPELESS)
        return Search(lambda number: self._keeps(pool, make, factor, number), 1, most).smallest(guess)

    def _keeps(self, pool: str, make: Make, factor: float, number: int) -> bool:
        """Whether so many replicas keep what is promised, over the runs."""
        pools = self._others(pool, factor) | {pool: fixed(self.scenario.pools[pool], {make: number})}
        return self.bench.outcome(grown(self.scenario, factor, pools), self.runs).keeps(pool)

    def _as_scaled(self, pool: str, make: Make, factor: float) -> int | None:
        """The most replicas that the policy uses; None where not even a fixed fleet of twice as many does."""
        made = made_of(self.scenario.pools[pool], make)

        def runs(most: int) -> Outcome:
            pools = self._others(pool, factor) | {pool: bounded(made, most)}
            return self.bench.outcome(grown(self.scenario, factor, pools), self.runs)

        found = used(runs, pool, ceiling(made, factor, self._guess(pool, make, factor)))
        if found is None:
            return None
        enough = found.keeps or self._keeps(pool, make, factor, 2 * found.peak)
        return max(found.peak, 1) if enough else None

    def _others(self, pool: str, factor: float) -> dict[str, Pool]:
        """Other pools with fleets that keep up, half as large again as their share of the demand."""
        found = {}
        for name, other in self.scenario.pools.items():
            if name != pool and other.autoscaler.kind == "fixed":
                enough = math.ceil(other.autoscaler.most_replicas * max(factor, 0.1) * 1.5)
                found[name] = other.model_copy(update={"autoscaler": Fixed(replicas=enough)})
        return found

    def _guess(self, pool: str, make: Make, factor: float) -> int:
        one = fixed(self.scenario.pools[pool], {make: max(round(8 * factor), 1)})
        told = twin(grown(self.scenario, factor, {pool: one})).pools[pool]
        if told.least_replicas is not None:
            return max(told.least_replicas, 1)
        if told.capacity_per_s and told.replicas:
            return max(math.ceil(told.peak_per_s / (told.capacity_per_s / told.replicas)), 1)
        return max(round(self.scenario.pools[pool].autoscaler.most_replicas * factor), 1)


@dataclass
class Need:
    """Replicas by level of demand, of one pool on one make: piecewise linear between what was searched, rounded up."""

    sizes: dict[float, int] = field(default_factory=dict)
    """By factor."""

    def at(self, factor: float) -> int:
        """Replicas for a level; beyond the largest that was searched in proportion."""
        if factor <= 0:
            return 0
        points = self.points
        first, last = points[0], points[-1]
        if factor >= last[0]:
            return max(math.ceil(last[1] * factor / last[0] - 1e-9), 1)
        if factor <= first[0]:
            return max(math.ceil(first[1] * factor / first[0] - 1e-9), 1) if factor < first[0] / 4 else first[1]
        for (low, few), (high, many) in pairwise(points):
            if factor <= high:
                return max(math.ceil(few + (many - few) * (factor - low) / (high - low) - 1e-9), 1)
        raise AssertionError("levels are in order")

    @property
    def points(self) -> list[tuple[float, int]]:
        """Levels and sizes, rising: a size below one of less demand is luck of the search."""
        most, found = 0, []
        for factor, number in sorted(self.sizes.items()):
            most = max(most, number)
            found.append((factor, most))
        return found

    def raised(self, factor: float, number: int) -> None:
        """So much demand takes at least so many."""
        self.sizes[factor] = max(number, self.sizes.get(factor, 0))


def levels(factors: Iterable[float], count: int = LEVELS) -> list[float]:
    """A few levels from the least to the largest factor, evenly spaced in their logarithm."""
    told = sorted(set(factors))
    low, high = max(told[0], told[-1] * _LEAST_FACTOR), told[-1]
    if high <= low * 1.02:
        return [high]
    number = min(count, max(2, math.ceil(math.log(high / low) / math.log(1.1)) + 1))
    return [round(low * (high / low) ** (place / (number - 1)), 6) for place in range(number - 1)] + [high]


def need_of(sizing: Sizing, pool: str, make: Make, factors: Iterable[float]) -> Need | None:
    """The need of a pool over a range of demand; None if no number of replicas does at some level of it."""
    need = Need()
    for factor in levels(factors):
        number = sizing.replicas(pool, make, factor)
        if number is None:
            return None
        need.sizes[factor] = number
    return need
