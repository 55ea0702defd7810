"""How many replicas a level of demand takes: a function to be had from the static plan, and a small one of its own.

`Need` turns a few sizes that were searched for into a size for every level, monotone: more demand never takes less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sim.result.twin import twin
from sim.scenario import Scenario
from sim.study.executors import Executor, Here
from sim.study.purchased.fleets import Make, fixed, grown, made_of
from sim.study.replicated.replications import replicate

PROBE_RUNS = 3
"""Replications of each size that is tried; what is proposed is verified with more, on fresh seeds."""
MOST_REPLICAS = 100_000
LEVELS = 5
"""Of demand at which sizes are searched for; between them they are interpolated."""
_LEAST_FACTOR = 0.02


class Sizing(Protocol):
    """The fewest replicas of a pool that keep its promises."""

    def replicas(self, pool: str, make: Make, factor: float) -> int | None:
        """With `factor` times the demand; None: no number does."""
        ...


@dataclass
class Probed:
    """Sizes by gallop and bisection over short runs with common random numbers.

    A pool with an autoscaler is as large as its policy makes it, at the most; other pools have more than enough.
    """

    scenario: Scenario
    runs: int = PROBE_RUNS
    executor: Executor = field(default_factory=Here)
    slack_share: float = 0.0
    """Attainment this close to the promise counts as kept."""
    requests: int = 0
    """Simulated so far."""
    watch: Callable[[str], None] | None = None

    def replicas(self, pool: str, make: Make, factor: float) -> int | None:
        """See `Sizing`."""
        if self.watch is not None:
            self.watch(f"{pool}: {make.name} at {factor:.3g} times the demand")
        if self.scenario.pools[pool].autoscaler.kind != "fixed":
            return self._as_scaled(pool, make, factor)
        return least(lambda number: self.keeps(pool, make, factor, number), self._guess(pool, make, factor))

    def keeps(self, pool: str, make: Make, factor: float, number: int) -> bool:
        """Whether so many replicas keep what is promised, on average over the runs."""
        pools = self._others(pool, factor) | {pool: fixed(self.scenario.pools[pool], {make: number})}
        summary = self._summary(grown(self.scenario, factor, pools))
        return promises_kept(summary, pool, self.slack_share)

    def _as_scaled(self, pool: str, make: Make, factor: float) -> int | None:
        """The most replicas that the policy has, if its promises are kept with them."""
        pools = self._others(pool, factor) | {pool: made_of(self.scenario.pools[pool], make)}
        summary = self._summary(grown(self.scenario, factor, pools))
        kept = promises_kept(summary, pool, self.slack_share)
        return math.ceil(block_of(summary, pool)["replicas"]["max"]) if kept else None

    def _others(self, pool: str, factor: float) -> dict[str, Any]:
        """Other pools with fleets that keep up, half as large again as their share of the demand."""
        found = {}
        for name, other in self.scenario.pools.items():
            if name != pool and other.autoscaler.kind == "fixed":
                enough = math.ceil(other.autoscaler.most_replicas * max(factor, 0.1) * 1.5)
                found[name] = other.model_copy(
                    update={"autoscaler": other.autoscaler.model_copy(update={"replicas": enough})}
                )
        return found

    def _guess(self, pool: str, make: Make, factor: float) -> int:
        one = fixed(self.scenario.pools[pool], {make: max(round(8 * factor), 1)})
        told = twin(grown(self.scenario, factor, {pool: one})).pools[pool]
        if told.least_replicas is not None:
            return max(told.least_replicas, 1)
        if told.capacity_per_s and told.replicas:
            return max(math.ceil(told.peak_per_s / (told.capacity_per_s / told.replicas)), 1)
        return max(round(self.scenario.pools[pool].autoscaler.most_replicas * factor), 1)

    def _summary(self, scenario: Scenario) -> dict[str, Any]:
        found = replicate(scenario, self.runs, (), executor=self.executor)
        self.requests += sum(int(record.summary["attempts"]["sent"]) for record in found.records)
        return found.summary()


def least(keeps: Callable[[int], bool], guess: int, most: int = MOST_REPLICAS) -> int | None:
    """The smallest number for which something holds, taken as monotone: gallop from a guess, then bisect."""
    low, high = 0, min(max(guess, 1), most)  # low fails, high is to hold
    if keeps(high):
        step = 1
        while high - step > 0 and keeps(high - step):
            high, step = high - step, step * 2
        low = max(high - step, 0)
    else:
        step = 1
        while True:
            low = high
            if high >= most or high > 64 * max(guess, 4):
                return None
            high = min(high + step, most)
            step *= 2
            if keeps(high):
                break
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if keeps(middle) else (middle, high)
    return high


def block_of(summary: dict[str, Any], pool: str) -> dict[str, Any]:
    """A pool's block of a summary."""
    block: dict[str, Any] = summary["pools"][pool]
    return block


def missed(summary: dict[str, Any], pool: str) -> float:
    """By how much the objective that is kept worst is missed, in share; below 0: all are kept."""
    slo = block_of(summary, pool)["slo"]
    return max((target["share"] - target["attained"] for target in slo if target["attained"] is not None), default=-1.0)


def promises_kept(summary: dict[str, Any], pool: str, slack_share: float = 0.0) -> bool:
    """Whether every objective is attained by a pool's requests; without objectives, whether all of them are served."""
    block = block_of(summary, pool)
    if block["slo"]:
        return missed(summary, pool) <= slack_share
    served, arrived = block["requests"]["completed"], block["requests"]["arrived"]
    return bool(served >= arrived * (1 - max(slack_share, 1e-3)))


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
        for (low, few), (high, many) in zip(points, points[1:], strict=False):
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
