"""Bursts in what is offered: stretches that stand out from the load around them, found from counts over time alone.

What is usual is local, so that the rhythm of a day is no burst; and it is a median, so that the burst itself does not
move it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FACTOR = 1.2
"""A burst offers at least this many times the usual rate,"""
SPREADS = 3.5
"""stands out by as many standard deviations of what the rate is around its usual (of its logarithm: rates that drift
do so by factors),"""
CHANCE = 5.0
"""and by as many of the number of requests that come by chance."""
AROUND_S = 2 * 3600.0
"""What is usual is the median over a quarter of the run, but at most this, on either side; as much on both."""
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

    A look alone that is as usual does not end a burst. One that lasts longer than what is looked at on either side of
    it is what is usual there, and no burst.
    """
    length_s = np.diff(edges_s)
    if len(offered) < LEAST_LOOKS:
        return []
    rate = offered / length_s
    most = max(1, round(min((edges_s[-1] - edges_s[0]) / 4, AROUND_S) / float(np.median(length_s))))
    usual = _usual(rate, most)
    least = max(FACTOR, float(np.exp(SPREADS * _spread(rate, usual))))
    expected = usual * length_s
    stands_out = (rate >= least * usual) & (usual > 0)
    stands_out &= offered - expected >= CHANCE * np.sqrt(np.maximum(expected, 1.0))
    found: list[Burst] = []
    for first, last in _stretches(stands_out):
        if found and first < found[-1].last:
            continue
        burst = _whole(rate, length_s, first, last, least, float(usual[first:last].min()))
        if burst.last - burst.first <= most:
            found.append(burst)
    return found


def _usual(rate: Floats, most: int) -> Floats:
    """The median rate around each look: as far to one side as to the other, so that no trend looks like a burst."""
    places = np.arange(len(rate))
    sides = np.minimum(most, np.minimum(places, places[::-1])).tolist()
    return np.array([np.median(rate[at - side : at + side + 1]) for at, side in enumerate(sides)])


def _spread(rate: Floats, usual: Floats) -> float:
    """Standard deviation of the logarithm of the rate over its usual, from the median: bursts do not count."""
    there = (rate > 0) & (usual > 0)
    drift = np.abs(np.log(rate[there] / usual[there]))
    return 1.4826 * float(np.median(drift)) if len(drift) else 0.0  # of a normal law, the median deviation times this


def _whole(rate: Floats, length_s: Floats, first: int, last: int, least: float, usual_per_s: float) -> Burst:
    """A burst with what belongs to it on either side: near an end of the run it is itself a part of the usual."""
    while first > 0 and rate[first - 1] >= least * usual_per_s:
        first -= 1
    while last < len(rate) and rate[last] >= least * usual_per_s:
        last += 1
    offered = float(rate[first:last] @ length_s[first:last])
    return Burst(first, last, offered / float(length_s[first:last].sum()), usual_per_s)


def _stretches(chosen: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of chosen places as [first, last); one that is not chosen between two that are does not part them."""
    found: list[tuple[int, int]] = []
    for place in np.flatnonzero(chosen).tolist():
        if found and place - found[-1][1] <= 1:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found
