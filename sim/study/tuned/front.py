"""The front of cost against the tail, and how sure it is that a point belongs to it.

Whole runs are drawn again with replacement, the same ones for every point (a bootstrap that keeps common random
numbers); a point's confidence is the share of draws in which no other is both cheaper and faster.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.study.tuned.fresh import Fresh

DRAWS = 1000
CONFIDENT = 0.9


def memberships(points: Sequence[Fresh], seed: int) -> list[tuple[bool, float]]:
    """Of each point, whether it is on the front, and its confidence."""
    cost = np.array([[run.cost for run in point.figures] for point in points])
    tail = np.array([[run.p99_s for run in point.figures] for point in points])
    count = cost.shape[1]
    drawn = np.random.Generator(np.random.Philox(seed % 2**63)).integers(0, count, (DRAWS, count))
    here = _front(cost.mean(axis=1)[:, None], tail.mean(axis=1)[:, None])[:, 0]
    # (points, draws): the mean of each point over the runs of each draw
    shares = _front(cost[:, drawn].mean(axis=2), tail[:, drawn].mean(axis=2)).mean(axis=1)
    return [(bool(is_on), float(share)) for is_on, share in zip(here, shares, strict=True)]


def _front(cost: NDArray[np.float64], tail: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points none dominates: no dearer and no slower, and one of them better. Shapes (points, draws)."""
    found = np.ones(cost.shape, bool)
    for place in range(len(cost)):
        no_worse = (cost <= cost[place]) & (tail <= tail[place])
        better = (cost < cost[place]) | (tail < tail[place])
        found[place] = ~(no_worse & better).any(axis=0)
    return found
