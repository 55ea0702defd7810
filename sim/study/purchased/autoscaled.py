"""What a pool that keeps its autoscaler takes: the most replicas that its own policy uses, not the fewest that do.

More replicas than the policy asks for help nobody. So where a promise is missed although there is no lack of them
(replicas come too late, or leave too soon), that is told, and the size stays what the policy uses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sim.scenario import Pool
from sim.study.purchased.bench import Outcome

BETTER_SHARE = 0.002
"""Attainment that much better, with twice the replicas to be had, is no better."""
_DOUBLINGS = 6

Runs = Callable[[int], Outcome]
"""Outcomes of a pool with at most so many replicas."""


@dataclass(frozen=True)
class Used:
    """What a policy does where replicas are not what it lacks."""

    peak: int
    """The most replicas that it had."""
    keeps: bool
    """Whether the promises are kept."""


def ceiling(pool: Pool, factor: float, least: int = 1) -> int:
    """The most replicas that a policy may have at a level of demand: its own limit, which grows with demand."""
    return max(math.ceil(pool.autoscaler.most_replicas * max(factor, 1.0) - 1e-9), least)


def used(runs: Runs, pool: str, first: int, slack_share: float = 0.0) -> Used | None:
    """What a policy uses, where it may have as many as are of use to it; None: its replicas cannot be run.

    Runs that miss with every replica that may be there are made again with twice as many, as long as that helps.
    """
    most, before = first, runs(first)
    for _ in range(_DOUBLINGS):
        if not before.summaries:
            return None
        if before.keeps(pool, slack_share) or before.most_replicas(pool) < most:
            break
        most *= 2
        found = runs(most)
        if found.missed_share(pool) > before.missed_share(pool) - BETTER_SHARE:
            break  # the smaller one is as good
        before = found
    return Used(before.most_replicas(pool), before.keeps(pool, slack_share))
