"""Intervals from replications and MSER-5, by hand and against published figures."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import Any

import numpy as np
import pytest

from sim.statistics.intervals import (
    Interval,
    least_for_bound,
    missing_for_tail,
    of_mean,
    of_quantile,
    of_ratio,
    of_sections,
    order_statistics,
)
from sim.statistics.tails import exact
from sim.statistics.warmup import mser5
from tests.sheets import SHARED

FILE = SHARED / "reference" / "queue_vectors.json"


def vectors(name: str) -> Any:
    if not FILE.is_file():
        pytest.skip("needs the shared reference vectors beside the checkout")
    return json.loads(FILE.read_text())["stat_vectors"][name]


def test_a_mean_of_four() -> None:
    found = of_mean([1.0, 2.0, 3.0, 4.0])
    assert found.estimate == 2.5
    assert found.half_width == pytest.approx(3.182446 * math.sqrt(5 / 3) / 2, rel=1e-6)  # t with 3 degrees
    assert (found.low, found.high) == (2.5 - found.half_width, 2.5 + found.half_width)
    assert of_mean([7.0]).half_width == math.inf


def test_a_ratio_is_that_of_the_sums() -> None:
    found = of_ratio([1, 2, 3], [10, 20, 60])
    assert found.estimate == pytest.approx(6 / 90)
    residuals = [1 - 60 / 90, 2 - 120 / 90, 3 - 360 / 90]
    variance = sum(value**2 for value in residuals) / (2 * 3 * 30**2)
    assert found.half_width == pytest.approx(4.302653 * math.sqrt(variance), rel=1e-6)  # t with 2 degrees
    assert of_ratio([2, 4], [1, 2]).half_width == 0


def test_a_quantile_is_centred_on_the_pooled_one() -> None:
    found = of_sections(10.0, [9.0, 10.0, 14.0])
    assert found.estimate == 10
    assert found.half_width == pytest.approx(4.302653 * math.sqrt((1 + 0 + 16) / 6), rel=1e-6)


def test_a_quantile_is_as_sure_as_how_many_lie_beyond_it() -> None:
    values = np.arange(1, 10_001) / 10_000
    beyond, counts = [20, 25, 30, 25], [2500] * 4
    above = of_ratio(beyond, counts)
    found = of_quantile(lambda share: float(np.quantile(values, share)), 0.99, beyond, counts)
    assert found is not None
    assert found.estimate == np.quantile(values, 0.99)
    # of values spread evenly the lower end is as far off as the share beyond may be larger
    factor = math.exp(above.half_width / above.estimate)
    assert found.half_width == pytest.approx(0.01 * (factor - 1), rel=1e-3)
    assert of_quantile(lambda _: 1.0, 0.99, [0, 0], [10, 10]) is None, "nothing lies beyond the largest"
    assert of_quantile(lambda _: 1.0, 0.99, [900, 0], [1000, 1000]) is None, "so unsure that it may be anything"
    assert of_quantile(lambda _: 1.0, 0.99, [5], [500]) == Interval(1.0, math.inf)


def test_where_few_runs_hold_the_tail_its_interval_says_so() -> None:
    """Runs that are slow now and then: a few of them make the p99 of all, which their own quantiles do not show."""
    random, often, held, sections = np.random.default_rng(2), 0.1, 0, 0
    true = 4 * math.log(often / 0.01)  # the slow spells of mean 4 are exponential, all else is 0
    for _ in range(200):
        runs = np.repeat(random.exponential(4, (20, 15)) * (random.random((20, 15)) < often), 40, axis=1)
        q = float(np.quantile(runs, 0.99))
        ordered = np.sort(runs, axis=None)
        found = of_quantile(
            partial(np.quantile, ordered), 0.99, (runs > q).sum(axis=1).tolist(), np.full(20, 600.0).tolist()
        )
        assert found is not None
        held += found.low <= true <= found.high
        other = of_sections(q, np.quantile(runs, 0.99, axis=1).tolist())
        sections += other.low <= true <= other.high
    assert 0.92 <= held / 200 <= 0.98
    assert sections / 200 < 0.85


def test_precision_is_relative_to_the_true_value() -> None:
    assert Interval(100.0, 4.7).within(0.05)
    assert not Interval(100.0, 4.8).within(0.05)  # 4.8 / 95.2 is above 5 %
    assert Interval(0.0, 0.0).within(0.05)
    assert not Interval(0.0, 0.1).within(0.05)


def test_a_tail_needs_a_hundred_beyond_it() -> None:
    assert missing_for_tail(10_000, 0.99) == 0
    assert missing_for_tail(9_000, 0.99) == 1_000
    assert missing_for_tail(50_000, 0.999) == 50_000


def test_the_interval_of_means_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = sum(
        abs((found := of_mean(list(rng.exponential(size=20)))).estimate - 1) < found.half_width for _ in range(2000)
    )
    assert 0.90 < hits / 2000 < 0.96  # a little below 95 %: twenty exponentials are not quite normal


def test_published_ranks() -> None:
    for case in vectors("quantile_order_stat_ci"):
        assert order_statistics(case["n"], case["p"], case["conf"]) == (case["l"], case["u"]), case


def test_published_least_numbers() -> None:
    for case in vectors("min_n_one_sided_upper"):
        assert least_for_bound(case["p"], case["conf"]) == case["n"], case


def test_published_truncation() -> None:
    case = vectors("mser5")
    found = mser5(np.array(case["series"]))
    assert found.truncate == case["truncate"]
    assert np.mean(case["series"][found.truncate :]) == pytest.approx(case["truncated_mean"])
    assert found.is_long_enough


def test_published_batch_means() -> None:
    case = vectors("batch_means")
    series = np.array(vectors("mser5")["series"][100:500])
    found = of_mean(list(series.reshape(20, 20).mean(axis=1)))
    assert (found.estimate, found.half_width) == pytest.approx((case["mean"], case["half_width95"]), rel=1e-6)


def test_a_series_that_only_climbs_is_too_short() -> None:
    assert not mser5(np.arange(100.0)).is_long_enough
    flat = np.concatenate((np.full(20, 50.0), np.tile([1.0, -1.0, 2.0, -2.0, 0.0], 36)))
    assert mser5(flat).truncate == 20


def test_a_quantile_of_values_in_order_is_numpys_to_the_bit() -> None:
    rng = np.random.default_rng(6)
    for count in (1, 2, 3, 10, 101, 1234):
        values = exact(rng.exponential(size=count))
        for share in (0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0, float(rng.random())):
            assert values.interpolated(share) == np.quantile(values.values, share), (count, share)
