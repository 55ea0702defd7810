"""Fewer points, the same picture: every bucket keeps its lowest and its highest point, so no peak is lost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 1000


def extremes(value: NDArray[np.float64], most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Indices to keep, in order, at most `most` of them: in each bucket the least and the greatest value's place.

    A short series is kept whole. NaN is no value; a bucket of nothing else keeps its first place, so a gap stays a gap.
    """
    count = len(value)
    if count <= most:
        return np.arange(count)
    buckets = most // 2
    edges = np.linspace(0, count, buckets + 1).astype(np.int64)
    keep = []
    for first, last in pairwise(edges.tolist()):
        part = value[first:last]
        if np.isnan(part).all():
            keep.append(first)
        else:
            keep.extend((first + np.nanargmin(part), first + np.nanargmax(part)))
    return np.unique(np.array(keep, np.int64))


def short(value: NDArray[np.float64]) -> list[float | None]:
    """Numbers for a picture: five significant digits, None for NaN."""
    return [None if number != number else float(f"{number:.5g}") for number in value.tolist()]
