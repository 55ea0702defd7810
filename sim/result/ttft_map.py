"""Time to first token over time as counts in a grid: bins of the timeline by buckets of a logarithmic histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.result.latency import metric_s
from sim.statistics.histogram import BUCKETS, bucket_of

if TYPE_CHECKING:
    from sim.result.log import RunLog

_CHUNK_ROWS = 1 << 20


def ttft_counts(log: RunLog) -> NDArray[np.int64]:
    """Completed requests by bin of arrival and bucket of their TTFT, shape (bins, BUCKETS), warm-up included.

    Buckets are those of `sim.statistics.histogram`; a first token at once is in the first of them.
    """
    bins = len(log.edges_s) - 1
    if log.tally is not None:
        return log.tally.ttft_over_time(log.edges_s)
    counts = np.zeros(bins * BUCKETS, np.int64)
    for first in range(0, len(log.logical), _CHUNK_ROWS):
        rows = log.logical[first : first + _CHUNK_ROWS]
        ttft_s = metric_s(rows, "ttft")
        place = np.searchsorted(log.edges_s, rows["arrival_s"], side="right") - 1
        there = ~np.isnan(ttft_s) & (place < bins)
        bucket = bucket_of(np.maximum(ttft_s[there], np.finfo(float).tiny))
        counts += np.bincount(place[there] * BUCKETS + bucket, minlength=len(counts))
    return counts.reshape(bins, BUCKETS)
