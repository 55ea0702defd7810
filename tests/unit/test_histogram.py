"""The log-bucket histogram: its buckets, its promise of 1.09 %, and that merging knows no order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.statistics.histogram import BUCKETS, FIRST, bucket_of, empty, histogram_of, merged, upper_edges

VALUES = st.lists(st.one_of(st.just(0.0), st.floats(1e-8, 1e9)), min_size=1, max_size=50)


def test_the_buckets_are_opentelemetrys_at_scale_5() -> None:
    """Upper-inclusive, base 2^(1/32): index 0 is (1, 2^(1/32)], and 1 itself is in index -1."""
    of = bucket_of(np.array([1.0, np.nextafter(1.0, 2), 2 ** (1 / 32) * 1.0000001, 2.0, 4.0, 0.5])) + FIRST
    assert of.tolist() == [-1, 0, 1, 31, 63, -33]
    edges = upper_edges()
    assert (bucket_of(edges * (1 - 1e-12)) == np.arange(BUCKETS)).all()


@given(VALUES, st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999, 1.0]))
def test_a_quantile_is_within_its_promise(values: list[float], share: float) -> None:
    exact = float(np.quantile(values, share, method="lower"))
    found = histogram_of(np.array(values))
    assert found.quantile(share) == pytest.approx(exact, rel=0.0109, abs=0)
    assert min(values) <= found.interpolated(share) <= max(values)


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_merging_knows_no_order(parts: list[list[float]]) -> None:
    whole = histogram_of(np.concatenate([np.array(part) for part in parts]))
    made = [histogram_of(np.array(part)) for part in parts]
    one, other = merged(made), merged(made[::-1])
    assert (one.counts == whole.counts).all()
    assert (other.counts == whole.counts).all()
    assert (one.zeros, one.least, one.most) == (whole.zeros, whole.least, whole.most)
    assert one.sum == other.sum == pytest.approx(whole.sum)


def test_shares_at_or_under_a_limit() -> None:
    found = histogram_of(np.array([0.0, 1.0, 10.0, 100.0, np.nan]))
    assert [found.at_most(limit) for limit in (-1, 0, 5, 50, 100, 1e9)] == [0, 0.25, 0.5, 0.75, 1, 1]


def test_nothing_has_no_count() -> None:
    assert empty().count == 0
    assert merged([]).count == 0
    assert merged([empty(), histogram_of(np.array([2.0]))]).most == 2.0
