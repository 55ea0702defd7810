"""The bucket of a value from its bits is the one that the logarithm gives."""

from __future__ import annotations

import numpy as np

from sim.result.tally import buckets
from sim.statistics.histogram import FIRST, PER_DOUBLING, bucket_of


def test_every_threshold_and_its_neighbours() -> None:
    edges = np.exp2((np.arange(-40, 3000, 7) + FIRST) / PER_DOUBLING)
    values = np.concatenate((edges, 2.0 ** np.arange(-35, 45)))
    values = np.concatenate((values, np.nextafter(values, 0), np.nextafter(values, np.inf)))
    assert [buckets.place(buckets.table(), value) for value in values] == bucket_of(values).tolist()


def test_any_value() -> None:
    values = np.exp(np.random.default_rng(7).uniform(-25, 32, 5_000))
    assert [buckets.place(buckets.table(), value) for value in values] == bucket_of(values).tolist()
