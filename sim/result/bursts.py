"""Bursts in what is offered: stretches that stand out from the load around them, found from counts over time alone.

What is usual is local, so that the rhythm of a day is no burst; and it is a median, so that the burst itself does not
move it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FACTOR = 1.5
"""A burst offers at least this many times the usual rate,"""
SPREADS = 3.5
"""stands out by as many standard deviations of what the rate is around its usual (of its logarithm: rates that drift
do so by factors),"""
CHANCE = 5.0
"""and by as many of the number of requests that come by chance."""
AROUND_S = 2 * 3600.0
"""What is usual is the median over a quarter of the run, but at most this, on either side."""
LEAST_LOOKS = 12
"""Fewer say nothing about what is usual."""


@dataclass(frozen=True)
class Burst:
    """Looks [first, last) that stand out."""

    first: int
    last: int
    offered_per_s: float
    usual_per_s: float


def bursts(offered: Floats, edges_s: Floats) -> list[Burst]:
    """The bursts in counts `offered`, shape (looks,), between `edges_s`, shape (looks + 1,), in order of time.

    A look alone that is as usual does not end a burst. One that lasts longer than half of what is looked at around it
    is what is usual there, and no burst.
    """
    length_s = np.diff(edges_s)
    if len(offered) < LEAST_LOOKS:
        return []
    rate = offered / length_s
    usual = _usual(rate, edges_s)
    there = usual > 0
    factor = np.divide(rate, usual, out=np.ones_like(rate), where=there)
    drift = np.abs(np.log(factor, out=np.zeros_like(factor), where=factor > 0))
    spread = 1.4826 * float(np.median(drift))  # of a normal law, the median deviation times this
    expected = usual * length_s
    stands_out = there & (factor >= max(FACTOR, np.exp(SPREADS * spread)))
    stands_out &= offered - expected >= CHANCE * np.sqrt(np.maximum(expected, 1.0))
    return [
        Burst(
            first,
            last,
            float(offered[first:last].sum() / length_s[first:last].sum()),
            float(np.median(usual[first:last])),
        )
        for first, last in _stretches(stands_out)
    ]


def _usual(rate: Floats, edges_s: Floats) -> Floats:
    """The median rate around each look."""
    side_s = min((edges_s[-1] - edges_s[0]) / 4, AROUND_S)
    side = max(1, round(side_s / float(np.median(np.diff(edges_s)))))
    return np.array([np.median(rate[max(0, at - side) : at + side + 1]) for at in range(len(rate))])


def _stretches(chosen: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of chosen places as [first, last); one that is not chosen between two that are does not part them."""
    found: list[tuple[int, int]] = []
    for place in np.flatnonzero(chosen).tolist():
        if found and place - found[-1][1] <= 1:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found
