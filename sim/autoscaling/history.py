"""What a metrics server remembers of a pool: samples go in, answers to a policy's queries come out.

The simulator's scraper and recorded data go through the same `History`, so a policy means the same in both. The rules
are those of Prometheus: a query at time t sees samples up to t - delay; a window is open on the left and closed on the
right, (t - delay - over, t - delay]; what has no answer is missing, never 0.

- `over_s = 0`: the newest sample alone (for growth: since the one before). Otherwise all samples in the window.
- Gauges: `last`, `mean`, `max`, `min` or a quantile of the samples, each counting the same.
- Counters, `rate`: growth in the window over the time between its first and last sample. Unlike `rate()`, nothing is
  extrapolated to the edges of the window. A counter that falls has begun again from 0.
- Histograms, a quantile or `mean`: of what was observed between the first and the last sample of the window.
- Across pods, `sum` adds up at every sample, then looks at the window; `mean` and `max` look at each pod's window, then
  at the pods of the newest sample. A pod that is first seen has grown by nothing yet.

Source: prometheus.io/docs/prometheus/latest/querying (basics; functions).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from sim.autoscaling.histograms import BOUNDS, Histogram, mean, quantile
from sim.autoscaling.observation import BUSY_SHARE, WORK_AHEAD, Pipeline, Query

Value = float | Histogram
"""Of a gauge, of a counter since it began, or a histogram (see `sim.autoscaling.histograms`)."""
Bounds = Mapping[str, tuple[float, ...]]

STALE_S = 300.0
"""A sample older than this answers nothing (Prometheus's lookback delta), unless scrapes are further apart."""

_SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_NOTHING: Mapping[str, Mapping[int, Value]] = {}


def unanswerable(query: Query, pipeline: Pipeline) -> str | None:
    """Why no metrics server could answer this from samples at the pipeline's pace, if none could."""
    if query.metric == WORK_AHEAD:
        return None
    if query.metric in BOUNDS and query.how not in _SHARES and query.how != "mean":
        return f"{query.metric} is a histogram: ask for one of {', '.join(_SHARES)} or mean, not {query.how}"
    needed = _needed(query, BOUNDS)
    averaged = needed > 1 or query.over_s > 0 or query.across != "sum" or query.metric == BUSY_SHARE
    if pipeline.scrape_s == 0.0 and averaged:
        return f"{query.how} of {query.metric}: no samples are taken, so ask for the newest value of a gauge, pool-wide"
    if 0.0 < query.over_s < needed * pipeline.scrape_s:
        samples = "a sample" if needed == 1 else "two samples"
        return (
            f"{query.how} of {query.metric} over {query.over_s:g} s: a window must hold {samples}, and one is taken "
            f"every {pipeline.scrape_s:g} s; ask for {needed * pipeline.scrape_s:g} s or more"
        )
    return None


class History:
    """The samples that some queries may still need."""

    def __init__(
        self, queries: Iterable[Query], pipeline: Pipeline, bounds: Bounds = BOUNDS, sparse: bool = False
    ) -> None:
        """`sparse`: samples were recorded less often than the pipeline takes them, so windows reach back to them."""
        asked = [query for query in dict.fromkeys(queries) if query.metric != WORK_AHEAD]  # no server knows that
        columns: dict[tuple[str, type[_Column]], _Column] = {}
        self._pool: list[tuple[Query, _Column]] = []
        self._each: list[tuple[Query, _Pods]] = []
        for query in asked:
            form = _Pods if query.across != "sum" else _Grown if _grows(query, bounds) else _Gauge
            column = columns.setdefault((query.metric, form), form(query.metric, bounds.get(query.metric)))
            if query.across == "each":
                assert isinstance(column, _Pods)
                self._each.append((query, column))
            else:
                self._pool.append((query, column))
        self._columns = tuple(columns.values())
        self._bounds = bounds
        self._sparse = sparse
        self._times_s: list[float] = []
        self._delay_s = pipeline.delay_s
        self._stale_s = max(STALE_S, 2.0 * pipeline.scrape_s)
        self._longest_s = max((query.over_s for query in asked), default=0.0)
        self._room = 64  # samples, then those no longer needed are dropped

    @property
    def metrics(self) -> frozenset[str]:
        """What samples should hold."""
        return frozenset(column.metric for column in self._columns)

    @property
    def pod_metrics(self) -> frozenset[str]:
        """What samples should hold pod by pod; of the others, the pool's total will do."""
        return frozenset(column.metric for column in self._columns if isinstance(column, _Pods))

    def add(
        self,
        at_s: float,
        pool_values: Mapping[str, Value],
        pod_values: Mapping[str, Mapping[int, Value]] = _NOTHING,
    ) -> None:
        """Keep one sample, later than all before. What a metric has in both is added up across `sum`.

        `pool_values` are the pool's own (its central queue, or its total where no pods are given), `pod_values` those
        of pods by name. Mappings below `pod_values` and arrays are kept as they are: hand over ones that nobody
        changes.
        """
        assert not self._times_s or at_s > self._times_s[-1], "samples come in order"
        self._times_s.append(at_s)
        for column in self._columns:
            column.add(pool_values.get(column.metric), pod_values.get(column.metric))
        if len(self._times_s) >= self._room:
            self._forget(at_s)

    def answers(self, at_s: float) -> dict[Query, float]:
        """The answers across `sum`, `mean` and `max` at a time; what is missing is not there."""
        newest_s, end = self._newest(at_s)
        found: dict[Query, float] = {}
        if end == 0:
            return found
        times_s = self._times_s
        for query, column in self._pool:
            first = self._first(query, newest_s, end) if query.over_s else end - 1
            value = column.answer(query, times_s, first, end)
            if value is not None:
                found[query] = value
        return found

    def each(self, at_s: float) -> dict[int, dict[Query, float]]:
        """The answers across `each`, by pod; a pod that the newest sample does not know is not there."""
        newest_s, end = self._newest(at_s)
        found: dict[int, dict[Query, float]] = {}
        if end == 0:
            return found
        for query, column in self._each:
            first = self._first(query, newest_s, end) if query.over_s else end - 1
            for pod, value in column.by_pod(query, self._times_s, first, end).items():
                found.setdefault(pod, {})[query] = value
        return found

    def _newest(self, at_s: float) -> tuple[float, int]:
        """The time up to which samples are seen, and how many those are; none when the newest is stale."""
        newest_s = at_s - self._delay_s
        end = bisect_right(self._times_s, newest_s)
        return newest_s, end if end and newest_s - self._times_s[end - 1] <= self._stale_s else 0

    def _first(self, query: Query, newest_s: float, end: int) -> int:
        """Where a query's window begins."""
        first = bisect_right(self._times_s, newest_s - query.over_s, 0, end)
        return max(min(first, end - _needed(query, self._bounds)), 0) if self._sparse else first

    def _forget(self, now_s: float) -> None:
        # two samples before the oldest window stay: growth over the newest alone needs the one before it
        unneeded = bisect_right(self._times_s, now_s - self._delay_s - self._longest_s) - 2
        if unneeded > 0:
            del self._times_s[:unneeded]
            for column in self._columns:
                column.forget(unneeded)
        self._room = 2 * len(self._times_s) + 64


def _needed(query: Query, bounds: Bounds) -> int:
    """Samples without which a window says nothing."""
    return 2 if _grows(query, bounds) else 1


def _grows(query: Query, bounds: Bounds) -> bool:
    """Whether growth is asked for, so that where a counter began does not matter."""
    return query.how == "rate" or query.metric in bounds


class _Column:
    """One metric at every sample."""

    def __init__(self, metric: str, bounds: tuple[float, ...] | None) -> None:
        self.metric = metric
        self.bounds = bounds
        self.growth = _counted if bounds is None else _observed
        self.values: list[Any] = []

    def add(self, pool: Value | None, pods: Mapping[int, Value] | None) -> None:
        raise NotImplementedError

    def forget(self, samples: int) -> None:
        del self.values[:samples]

    def answer(self, query: Query, times_s: list[float], first: int, end: int) -> float | None:
        raise NotImplementedError


class _Gauge(_Column):
    """The sum over the pool, as it is; None at a sample that has none."""

    def add(self, pool: Value | None, pods: Mapping[int, Value] | None) -> None:
        value: Any = pool
        if pods:
            value = (0.0 if pool is None else pool) + sum(pods.values())
        self.values.append(value)

    def answer(self, query: Query, times_s: list[float], first: int, end: int) -> float | None:
        if end - first == 1:
            only: float | None = self.values[first]
            return only
        return _over_time(query.how, [value for value in self.values[first:end] if value is not None])


class _Grown(_Column):
    """What the pool's counters have grown by together since the first sample; None at a sample that has none."""

    def __init__(self, metric: str, bounds: tuple[float, ...] | None) -> None:
        super().__init__(metric, bounds)
        self.total: Any = 0.0
        self.pool: Value | None = None
        self.pods: Mapping[int, Value] = {}

    def add(self, pool: Value | None, pods: Mapping[int, Value] | None) -> None:
        if pool is None and not pods:
            self.values.append(None)
            return
        if pool is not None:
            self.total = self.total + self.growth(self.pool, pool)
            self.pool = pool
        if pods:
            before = self.pods
            for pod, value in pods.items():
                self.total = self.total + self.growth(before.get(pod), value)
            # a pod that one sample lacks may come back; forgetting those keeps the memory as large as the pool
            self.pods = pods
        self.values.append(self.total)

    def answer(self, query: Query, times_s: list[float], first: int, end: int) -> float | None:
        if not query.over_s:
            first = max(end - 2, 0)
        values = self.values
        while first < end and values[first] is None:
            first += 1
        last = end - 1
        while last > first and values[last] is None:
            last -= 1
        if last <= first:
            return None
        return _of_growth(query.how, values[last] - values[first], times_s[last] - times_s[first], self.bounds)


class _Pods(_Column):
    """The values of every pod, as they are."""

    def add(self, pool: Value | None, pods: Mapping[int, Value] | None) -> None:
        self.values.append(pods or {})

    def answer(self, query: Query, times_s: list[float], first: int, end: int) -> float | None:
        found = self.by_pod(query, times_s, first, end).values()
        if not found:
            return None
        return max(found) if query.across == "max" else math.fsum(found) / len(found)

    def by_pod(self, query: Query, times_s: list[float], first: int, end: int) -> Mapping[int, float]:
        """The answer of each pod in the newest sample; those without one are not there."""
        grows = query.how == "rate" or self.bounds is not None
        if not grows and end - first == 1:
            gauges: Mapping[int, float] = self.values[first]
            return gauges
        if not query.over_s:
            first = max(end - 2, 0)
        found: dict[int, float] = {}
        for pod in self.values[end - 1] if end > first else ():
            seen = [
                (times_s[index], self.values[index][pod]) for index in range(first, end) if pod in self.values[index]
            ]
            value = self._grown(query, seen) if grows else _over_time(query.how, [each for _, each in seen])
            if value is not None:
                found[pod] = value
        return found

    def _grown(self, query: Query, seen: list[tuple[float, Any]]) -> float | None:
        if len(seen) < 2:
            return None
        total = sum(self.growth(before, now) for (_, before), (_, now) in pairwise(seen))
        return _of_growth(query.how, total, seen[-1][0] - seen[0][0], self.bounds)


def _counted(before: Any, now: Any) -> Any:
    """What a counter has grown by since the sample before; nothing if it was not seen before."""
    if before is None:
        return 0.0
    return now - before if now >= before else now


def _observed(before: Any, now: Any) -> Any:
    """What a histogram has observed since the sample before; nothing if it was not seen before."""
    if before is None:
        return now - now
    return now - before if now[-2] >= before[-2] else now


def _of_growth(how: str, growth: Any, span_s: float, bounds: tuple[float, ...] | None) -> float | None:
    """A rate of a counter's growth, or what a histogram's growth says."""
    if bounds is None:
        return float(growth / span_s)
    return quantile(_SHARES[how], growth, bounds) if how in _SHARES else mean(growth) if how == "mean" else None


def _over_time(how: str, values: list[float]) -> float | None:
    """What a gauge did in a window."""
    if not values:
        return None
    if how == "last":
        return values[-1]
    if how == "mean":
        return math.fsum(values) / len(values)
    if how in ("max", "min"):
        return max(values) if how == "max" else min(values)
    ordered = sorted(values)
    rank = _SHARES[how] * (len(ordered) - 1)
    below = int(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)
