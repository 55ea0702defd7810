"""Histograms as a metrics server keeps them: the bounds of vLLM's buckets, and quantiles of what was counted.

A histogram is one array: how many observations were at most each bound so far, then how many there were at all, then
their sum. Its growth between two samples is a subtraction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.autoscaling.observation import ITL, TTFT
from sim.config import latency_buckets

Histogram = NDArray[np.float64]

BOUNDS: Mapping[str, tuple[float, ...]] = {TTFT: latency_buckets.TTFT_S, ITL: latency_buckets.ITL_S}
"""The metrics that are histograms, and their bounds but for the last, which is infinite."""


def histogram(counts: Sequence[float] | NDArray[np.generic], total: float) -> Histogram:
    """A histogram from its cumulative counts (one a bound, then all observations) and the sum of its observations."""
    return np.append(np.asarray(counts, dtype=np.float64), total)


def observed(values: Sequence[float] | NDArray[np.generic], bounds: Sequence[float]) -> Histogram:
    """The histogram of these observations."""
    values = np.asarray(values, dtype=np.float64)
    at_most = np.searchsorted(np.sort(values), bounds, side="right")
    return histogram([*at_most, len(values)], float(values.sum()))


def quantile(share: float, counted: Histogram, bounds: Sequence[float]) -> float | None:
    """The quantile of a histogram, by linear interpolation within its bucket; None when nothing was counted.

    As Prometheus's histogram_quantile: the first bucket starts at 0, and what lies in the last, which has no upper
    bound, is said to be at its lower one. Source: prometheus.io/docs/prometheus/latest/querying/functions.
    """
    rank = share * float(counted[-2])
    if counted[-2] <= 0:
        return None
    bucket = int(np.searchsorted(counted[:-2], rank, side="left"))
    if bucket == len(bounds):
        return bounds[-1]
    low_s, before = (bounds[bucket - 1], float(counted[bucket - 1])) if bucket else (0.0, 0.0)
    inside = float(counted[bucket]) - before
    return low_s + (bounds[bucket] - low_s) * (rank - before) / inside if inside else bounds[bucket]


def mean(counted: Histogram) -> float | None:
    """The mean of the observations; None when there were none."""
    return float(counted[-1] / counted[-2]) if counted[-2] > 0 else None
