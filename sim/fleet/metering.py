"""The metrics pipeline of one pool: a SimPy process that scrapes it, and the history that answers the policy's queries.

Samples are taken from the model's tables at their time; a policy sees them as late as the pipeline makes them. The one
metric that no real system has, the work ahead, comes from the requests themselves.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.autoscaling.histograms import histogram
from sim.autoscaling.history import History
from sim.autoscaling.observation import (
    BUSY_SHARE,
    CONCURRENCY,
    FINISHED,
    GENERATION_TOKENS,
    ITL,
    KV_USAGE,
    PROMPT_TOKENS,
    REQUESTS,
    RUNNING,
    TTFT,
    WAITING,
    WORK_AHEAD,
    Query,
)
from sim.fleet.clock import SCRAPE, Clock
from sim.fleet.deployment import Deployment
from sim.fleet.life import Life
from sim.fleet.work import Work
from sim.model import batching, meters, slots, transitions
from sim.model.tables import State

COUNTERS = {
    REQUESTS: "arrived",
    PROMPT_TOKENS: "arrived_tokens",
    FINISHED: "answered",
    GENERATION_TOKENS: "answered_tokens",
}
HISTOGRAMS = {
    TTFT: ("ttft_s", 0, len(meters.TTFT_BOUNDS_S) + 1),
    ITL: ("itl_s", len(meters.TTFT_BOUNDS_S) + 1, meters.WIDTH),
}
"""Sum of a histogram, and where its counts begin and end."""


class Meter:
    """Scrapes one pool every `scrape_s` from the run's start; `answers` are as of some seconds ago.

    Without samples (`scrape_s` 0), they are as of now.
    """

    def __init__(
        self,
        clock: Clock,
        state: State,
        deployment: Deployment,
        queries: tuple[Query, ...],
        work: Work | None,
    ) -> None:
        self.clock = clock
        self.state = state
        self.deployment = deployment
        self.pipeline = deployment.pool.pipeline
        self.history = History(queries, self.pipeline)
        self._ahead = [query for query in queries if query.metric == WORK_AHEAD]
        self._work = work
        self._pool_metrics = tuple(sorted(self.history.metrics))
        self._pod_metrics = tuple(sorted(self.history.pod_metrics))
        self._averages = CONCURRENCY in self._pool_metrics or BUSY_SHARE in self._pool_metrics
        self._before = (0.0, 0.0, 0.0)
        """Time of the last scrape, and the integrals then: requests present, busy time."""
        self._pods_before: dict[int, tuple[float, float]] = {}
        """The same of each replica, without requests."""
        self._is_live = self.pipeline.scrape_s == 0
        self._live_queries = [query for query in queries if query.metric != WORK_AHEAD]
        if self._pool_metrics and not self._is_live:
            clock.process(self._scrape())

    def answers(self, at_s: float) -> dict[Query, float]:
        """What the policy can know of the pool at a time."""
        found = self._live(at_s) if self._is_live else self.history.answers(at_s)
        for query in self._ahead:
            assert self._work is not None
            found[query] = self._work.ahead(at_s, query.over_s)
        return found

    def each(self, at_s: float) -> dict[int, dict[Query, float]]:
        """What it can know of each replica, by the number of its life."""
        return self.history.each(at_s)

    def _live(self, at_s: float) -> dict[Query, float]:
        """Gauges as they are now."""
        present = float(self.state.pools[self.deployment.pool_row]["present"])
        return {
            query: present if query.metric == CONCURRENCY else float(self._pool_value(query.metric, at_s, False))
            for query in self._live_queries
        }

    def _scrape(self) -> Generator[Any, Any, None]:
        count = 0
        while count * self.pipeline.scrape_s <= self.deployment.calm_s:
            yield self.clock.at(count * self.pipeline.scrape_s, SCRAPE)
            count += 1
            now_s = self.clock.now
            pods = self._pods(now_s) if self._pod_metrics else {}
            pool = {name: self._pool_value(name, now_s, name in pods) for name in self._pool_metrics}
            self.history.add(now_s, {name: value for name, value in pool.items() if value is not None}, pods)
            self._remember(now_s)

    def _pool_value(self, name: str, now_s: float, by_pod: bool) -> Any:
        """The pool's total; of what pods have too, only what no pod has. None: nothing."""
        state, row = self.state, self.deployment.pool_row
        pool = state.pools[row]
        if name == WAITING:
            own = float(state.queues[row]["length"])
            return own if by_pod else own + float(self._lines()["length"].sum())
        if by_pod:
            return float(state.queues[row]["length"]) if name == CONCURRENCY else None
        if name == RUNNING:
            return float(self._replicas()["seated"].sum())
        if name == CONCURRENCY:
            span_s = now_s - self._before[0]
            return (self._present_s(now_s) - self._before[1]) / span_s if span_s > 0 else float(pool["present"])
        if name == BUSY_SHARE:
            span_s = now_s - self._before[0]
            busy_s = float(transitions.sample(state, row, now_s)[1])
            return (busy_s - self._before[2]) / span_s if span_s > 0 else 0.0
        if name in COUNTERS:
            return float(pool[COUNTERS[name]])
        if name in HISTOGRAMS:
            total, first, last = HISTOGRAMS[name]
            at = int(pool["meter0"])
            return histogram(np.cumsum(state.lists[at + first : at + last]), float(pool[total]))
        if name == KV_USAGE:
            return float(sum(self._kv_share(life, now_s) for life in self._serving()))
        raise AssertionError(f"no such metric: {name}")

    def _pods(self, now_s: float) -> dict[str, dict[int, Any]]:
        """What each replica that serves shows, by metric and by the number of its life."""
        return {
            name: {life.number: self._pod_value(name, life, now_s) for life in self._serving()}
            for name in self._pod_metrics
            if name in _OF_PODS
        }

    def _pod_value(self, name: str, life: Life, now_s: float) -> float:
        state, row = self.state, life.row
        replica = state.replicas[row]
        if name == WAITING:
            return float(state.queues[len(state.pools) + row]["length"])
        if name == RUNNING:
            return float(replica["seated"])
        if name == KV_USAGE:
            return self._kv_share(life, now_s)
        if name == CONCURRENCY:
            return float(replica["outstanding"])
        before_s, busy_before_s = self._pods_before.get(life.number, (life.opened_s, life.busy_before_s))
        span_s = now_s - before_s
        return (self._busy_s(life, now_s) - busy_before_s) / span_s if span_s > 0 else 0.0

    def _present_s(self, now_s: float) -> float:
        """Request-seconds in the pool so far."""
        pool = self.state.pools[self.deployment.pool_row]
        return float(pool["present_s"] + pool["present"] * (now_s - pool["since_s"]))

    def _busy_s(self, life: Life, now_s: float) -> float:
        replica = self.state.replicas[life.row]
        make = self.state.pools[replica["pool"]]
        if make["batching"] == 1:
            return float(batching.integrals(replica, make, now_s)[0])
        return float(slots.integrals(replica, now_s)[0])

    def _kv_share(self, life: Life, now_s: float) -> float:
        return float(batching.kv_share(self.state, life.row, now_s))

    def _serving(self) -> list[Life]:
        return [life for life in self.deployment.alive if life.phase == "ready"]

    def _replicas(self) -> NDArray[Any]:
        first = self.deployment.row0
        return self.state.replicas[first : first + int(self.state.pools[self.deployment.pool_row]["replicas"])]

    def _lines(self) -> NDArray[Any]:
        first = len(self.state.pools) + self.deployment.row0
        return self.state.queues[first : first + int(self.state.pools[self.deployment.pool_row]["replicas"])]

    def _remember(self, now_s: float) -> None:
        """Keep the integrals that the next scrape's averages begin with."""
        if self._averages:
            busy_s = 0.0
            if BUSY_SHARE in self._pool_metrics:
                busy_s = float(transitions.sample(self.state, self.deployment.pool_row, now_s)[1])
            self._before = (now_s, self._present_s(now_s), busy_s)
        if BUSY_SHARE in self._pod_metrics:
            self._pods_before = {life.number: (now_s, self._busy_s(life, now_s)) for life in self._serving()}


_OF_PODS = (WAITING, RUNNING, KV_USAGE, CONCURRENCY, BUSY_SHARE)
