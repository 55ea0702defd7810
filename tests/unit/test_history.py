"""The metrics history: windows, delays, growth, quantiles and pods, worked out by hand."""

from __future__ import annotations

import random

import pytest

from sim.autoscaling.histograms import BOUNDS, histogram, mean, observed, quantile
from sim.autoscaling.history import STALE_S, History, unanswerable
from sim.autoscaling.observation import KV_USAGE, REQUESTS, RUNNING, TTFT, WAITING, WORK_AHEAD, Pipeline, Query
from sim.config import latency_buckets

LAST = Query(WAITING)
EVERY_15_S = Pipeline(15.0)


def test_the_newest_sample_that_the_delay_lets_through() -> None:
    history = History([LAST], Pipeline(15.0, 20.0))
    for index in range(4):
        history.add(15.0 * index, {WAITING: float(index)})
    assert history.answers(19.0) == {}
    assert history.answers(20.0) == {LAST: 0.0}  # seen from the very second on
    assert history.answers(64.9) == {LAST: 2.0}
    assert history.answers(65.0) == {LAST: 3.0}


@pytest.mark.parametrize(
    ("how", "wanted"), [("last", 1.0), ("mean", 4.0), ("max", 8.0), ("min", 1.0), ("p50", 3.0), ("p90", 7.0)]
)
def test_gauges_over_a_window(how: str, wanted: float) -> None:
    query = Query(WAITING, how, 45.0)  # type: ignore[arg-type]
    history = History([query], EVERY_15_S)
    for index, value in enumerate([100.0, 8.0, 3.0, 1.0]):
        history.add(15.0 * index, {WAITING: value})
    # open on the left: the sample at 0 is not in (0, 45]
    assert history.answers(45.0)[query] == pytest.approx(wanted, rel=1e-12)


def test_a_window_without_samples_and_a_stale_sample_answer_nothing() -> None:
    window = Query(WAITING, "mean", 10.0)
    history = History([LAST, window], EVERY_15_S)
    history.add(0.0, {WAITING: 3.0})
    assert history.answers(5.0) == {LAST: 3.0, window: 3.0}
    assert history.answers(10.0) == {LAST: 3.0}
    assert history.answers(STALE_S) == {LAST: 3.0}
    assert history.answers(STALE_S + 0.5) == {}


def test_what_a_sample_lacks_is_missing_not_zero() -> None:
    window = Query(WAITING, "mean", 60.0)
    history = History([LAST, window, Query(RUNNING)], EVERY_15_S)
    history.add(0.0, {WAITING: 4.0})
    history.add(15.0, {})
    assert history.answers(15.0) == {window: 4.0}


def test_the_pool_and_its_pods_add_up() -> None:
    highest, average = Query(WAITING, across="max"), Query(WAITING, across="mean")
    history = History([LAST, highest, average], EVERY_15_S)
    history.add(0.0, {WAITING: 10.0}, {WAITING: {1: 1.0, 2: 3.0}})
    assert history.answers(0.0) == {LAST: 14.0, highest: 3.0, average: 2.0}
    history.add(15.0, {WAITING: 10.0}, {})
    assert history.answers(15.0) == {LAST: 10.0}
    assert history.metrics == history.pod_metrics == {WAITING}


def test_a_rate_is_growth_over_the_time_between_its_samples() -> None:
    rate, newest = Query(REQUESTS, "rate", 60.0), Query(REQUESTS, "rate")
    history = History([rate, newest], EVERY_15_S)
    for index, count in enumerate([0.0, 30.0, 60.0, 120.0, 240.0]):
        history.add(15.0 * index, {REQUESTS: count})
        if index == 0:
            assert history.answers(0.0) == {}, "one sample has no rate"
    assert history.answers(60.0) == {rate: (240.0 - 30.0) / 45.0, newest: 8.0}


def test_counters_of_pods_that_come_go_and_restart() -> None:
    rate, each = Query(REQUESTS, "rate", 60.0), Query(REQUESTS, "rate", 60.0, "each")
    highest = Query(REQUESTS, "rate", 60.0, "max")
    history = History([rate, each, highest], EVERY_15_S)
    history.add(0.0, {}, {REQUESTS: {1: 1000.0, 2: 500.0}})
    history.add(15.0, {}, {REQUESTS: {1: 1030.0, 3: 70.0}})  # 2 is gone; 3 is new: nothing has grown in it yet
    history.add(30.0, {}, {REQUESTS: {1: 15.0, 3: 100.0}})  # 1 began again
    assert history.answers(30.0) == {rate: (30.0 + 15.0 + 30.0) / 30.0, highest: 2.0}
    assert history.each(30.0) == {1: {each: 45.0 / 30.0}, 3: {each: 30.0 / 15.0}}


def test_each_pod_answers_for_itself() -> None:
    newest, window = Query(KV_USAGE, across="each"), Query(KV_USAGE, "mean", 30.0, "each")
    history = History([newest, window, LAST], Pipeline(15.0, 10.0))
    history.add(0.0, {WAITING: 1.0}, {KV_USAGE: {7: 0.5, 8: 0.1}})
    history.add(15.0, {WAITING: 1.0}, {KV_USAGE: {7: 0.7}})
    assert history.each(9.0) == {}
    assert history.each(25.0) == {7: {newest: 0.7, window: pytest.approx(0.6)}}
    assert history.answers(25.0) == {LAST: 1.0}


def test_quantiles_are_those_of_what_was_observed_in_the_window() -> None:
    p50, average = Query(TTFT, "p50", 60.0), Query(TTFT, "mean", 60.0)
    history = History([p50, average], EVERY_15_S)
    early, late = [9.0] * 1000, [0.3, 0.4, 0.8, 0.9]
    history.add(0.0, {TTFT: observed(early, latency_buckets.TTFT_S)})
    assert history.answers(0.0) == {}
    history.add(15.0, {TTFT: observed(early, latency_buckets.TTFT_S)})
    assert history.answers(15.0) == {}, "nothing was observed between the two"
    history.add(30.0, {TTFT: observed(early + late, latency_buckets.TTFT_S)})
    # two of four in (0.25, 0.5], none in (0.5, 0.75], two in (0.75, 1]: the median is the first bucket's upper end
    assert history.answers(30.0) == {p50: 0.5, average: pytest.approx(0.6)}


def test_a_histogram_of_a_pod_that_restarts() -> None:
    each = Query(TTFT, "mean", 60.0, "each")
    history = History([each, Query(TTFT, "mean", 60.0)], EVERY_15_S)
    for at_s, values in ((0.0, [1.0] * 5), (15.0, [1.0] * 5 + [4.0]), (30.0, [2.0])):
        history.add(at_s, {}, {TTFT: {1: observed(values, latency_buckets.TTFT_S)}})
    assert history.each(30.0) == {1: {each: 3.0}}
    assert list(history.answers(30.0).values()) == [3.0]


def test_quantile_by_hand() -> None:
    counted = histogram([0, 4, 8, 9], 0.0)  # 4 in (1, 2], 4 in (2, 4], 1 above
    bounds = (1.0, 2.0, 4.0)
    assert quantile(0.5, counted, bounds) == pytest.approx(2.25)
    assert quantile(2 / 9, counted, bounds) == pytest.approx(1.5)
    assert quantile(0.99, counted, bounds) == 4.0  # above all bounds: no more is known
    assert quantile(0.5, histogram([2, 2, 2, 2], 0.0), bounds) == 0.5  # the first bucket starts at 0
    assert quantile(0.5, histogram([0, 0, 0, 0], 0.0), bounds) is None
    assert mean(histogram([0, 0, 0, 0], 0.0)) is None
    assert mean(histogram([1, 2, 2, 4], 10.0)) == 2.5


def test_a_value_on_a_bound_is_in_the_bucket_below() -> None:
    assert list(observed([0.1, 0.2], (0.1, 0.15))) == [1.0, 1.0, 2.0, pytest.approx(0.3)]
    for bounds in (latency_buckets.TTFT_S, latency_buckets.ITL_S):
        assert list(bounds) == sorted(set(bounds))


def test_forgetting_changes_no_answer() -> None:
    """Against a history that cannot forget, as it is asked for far more."""
    rng = random.Random(4)
    few = [Query(WAITING, "max", 120.0), Query(REQUESTS, "rate"), Query(REQUESTS, "rate", 90.0), LAST]
    pods = [Query(KV_USAGE, "mean", 60.0, "each"), Query(KV_USAGE, "max", 45.0, "mean")]
    pipeline = Pipeline(15.0, 40.0)
    short = History([*few, *pods], pipeline)
    long = History([*few, *pods, Query(WAITING, "mean", 1e9)], pipeline)
    count, at_s = 0.0, 0.0
    for _ in range(2000):
        at_s += rng.choice([5.0, 15.0, 15.0, 35.0])
        count += rng.randrange(50)
        values = {WAITING: float(rng.randrange(9)), REQUESTS: count} if rng.random() < 0.9 else {}
        kv = {pod: rng.random() for pod in range(rng.randrange(4))}
        for history in (short, long):
            history.add(at_s, values, {KV_USAGE: kv})
        later_s = at_s + rng.choice([0.0, 3.0, 41.0])
        wanted = long.answers(later_s)
        assert short.answers(later_s) == {query: wanted[query] for query in wanted if query.over_s < 1e9}
        assert short.each(later_s) == long.each(later_s)
    assert len(short._times_s) < 200, "the short history keeps what its windows need"


def test_sparse_samples_answer_for_windows_that_are_shorter() -> None:
    queries = [Query(WAITING, "mean", 2.0), Query(REQUESTS, "rate", 3.0), Query(KV_USAGE, "max", 2.0, "each")]
    dense, sparse = (History(queries, Pipeline(1.0), BOUNDS, sparse=far) for far in (False, True))
    for history in (dense, sparse):
        for at_s in (0.0, 15.0):
            history.add(at_s, {WAITING: 4.0 + at_s, REQUESTS: 2.0 * at_s}, {KV_USAGE: {1: 0.5}})
    assert dense.answers(20.0) == {}
    assert dense.each(20.0) == {}
    assert sparse.answers(20.0) == {queries[0]: 19.0, queries[1]: 2.0}
    assert sparse.each(20.0) == {1: {queries[2]: 0.5}}


def test_queries_that_no_server_answers() -> None:
    for query in (LAST, Query(TTFT, "p99", 60.0), Query(REQUESTS, "rate"), Query(REQUESTS, "rate", 30.0)):
        assert unanswerable(query, EVERY_15_S) is None
    assert unanswerable(Query(WORK_AHEAD, over_s=1.0), EVERY_15_S) is None
    for how in ("last", "max", "rate"):
        assert "histogram" in str(unanswerable(Query(TTFT, how, 60.0), EVERY_15_S))
    assert "ask for 15 s or more" in str(unanswerable(Query(WAITING, "mean", 14.0), EVERY_15_S))
    assert "ask for 30 s or more" in str(unanswerable(Query(REQUESTS, "rate", 15.0), EVERY_15_S))
    history = History([Query(WORK_AHEAD), Query(TTFT)], EVERY_15_S)
    assert history.metrics == {TTFT}
    for at_s in (0.0, 15.0):
        history.add(at_s, {TTFT: observed([at_s], BOUNDS[TTFT])})
    assert history.answers(15.0) == {}
