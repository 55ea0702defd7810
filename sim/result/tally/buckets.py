"""The bucket of a value from its bits: the same as `sim.statistics.histogram.bucket_of`, with no logarithm.

As OpenTelemetry's implementations do: the exponent gives the doubling, and within it a table says how many of the
thresholds lie below the fraction. A 64th of a doubling has at most one threshold in it.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model.compiled import compiled
from sim.statistics.histogram import BUCKETS, FIRST, PER_DOUBLING, bucket_of

FRACTION_BITS = 52
PART_BITS = 6
"""Leading bits of a fraction that choose a row of the table."""
_BIAS = 1023

TABLE = np.dtype([("below", "i8"), ("threshold", "i8")])
"""For fractions that begin so: thresholds below all of them, and the bits of the one that may be among them."""


@functools.cache
def table() -> NDArray[Any]:
    """Rows of `TABLE`, by the leading bits of a fraction, shape (2 ** PART_BITS,)."""
    thresholds = _thresholds()
    parts = np.arange(1 << PART_BITS, dtype=np.int64) << (FRACTION_BITS - PART_BITS)
    rows = np.zeros(len(parts), TABLE)
    rows["below"] = np.searchsorted(thresholds, parts, side="left")
    rows["threshold"] = np.append(thresholds, np.int64(1) << FRACTION_BITS)[rows["below"]]
    return rows


def _thresholds() -> NDArray[np.int64]:
    """The bits of the largest fraction in each bucket of a doubling, shape (PER_DOUBLING,): found by halving."""
    one = np.float64(1.0).view(np.int64)
    places = bucket_of(np.array([1.0]))[0] + np.arange(PER_DOUBLING)
    low = np.zeros(PER_DOUBLING, np.int64)
    high = np.full(PER_DOUBLING, 1 << FRACTION_BITS, np.int64)
    while (high - low > 1).any():
        middle = (low + high) >> 1
        inside = bucket_of((one + middle).view(np.float64)) <= places
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low


@compiled
def place(rows: Any, value: Any) -> int:
    """The bucket of a positive double; `rows`: the `table`."""
    bits = np.float64(value).view(np.int64)
    fraction = bits & ((1 << FRACTION_BITS) - 1)
    row = rows[fraction >> (FRACTION_BITS - PART_BITS)]
    found = int(((bits >> FRACTION_BITS) - _BIAS) * PER_DOUBLING + row["below"] - 1 - FIRST)
    if fraction > row["threshold"]:
        found += 1
    return min(max(found, 0), BUCKETS - 1)
