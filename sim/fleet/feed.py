"""Demand that comes in chunks: the model's table of requests holds those in flight and those about to arrive.

When the table's requests have all arrived, those at its front that have ended are handed on and leave, the others move
up, and the next chunk is drawn behind them. The transitions see the same requests at the same times as in a run that
holds all of them, so rows come out bit for bit the same.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.autoscaling.observation import WORK_AHEAD
from sim.config import machine
from sim.config.errors import ConfigError, Problem
from sim.fleet import quotas, setup
from sim.fleet.clock import Clock
from sim.model import calls, retiring, state
from sim.model.specs import PoolSpec
from sim.model.tables import REQUEST, State
from sim.result.log import DecisionRow
from sim.scenario import Scenario
from sim.workload.chunks import chunks, why_whole
from sim.workload.demand import Demand
from sim.workload.rates import REQUEST_BYTES

CHUNK_ROWS = 1 << 16
"""Requests drawn at a time: few enough for the processor's cache, so many that a chunk's own costs do not matter."""

STREAMED_FROM = 20_000_000
"""Runs that expect more requests are streamed if they can be."""

MOST_SHARE = 0.8
"""Of the memory that there is, for requests that are under way at once."""

Retired = Callable[[NDArray[Any], float], None]
"""Given rows that have ended, in arrival order, and how far the run is. The rows are overwritten afterwards."""


def is_streamed(scenario: Scenario, stream: bool | None) -> bool:
    """Whether a run is to be streamed: as asked, or (None) when it is large and can be.

    Raises ConfigError where it is asked for and cannot be.
    """
    if stream is None:
        large = scenario.workload.expected_requests(scenario.horizon_s) > STREAMED_FROM
        return large and not why_kept(scenario)
    if stream and (problems := why_kept(scenario)):
        last = problems.pop()
        raise ConfigError([*problems, replace(last, message=f"{last.message}; leave --stream out")])
    return stream


def why_kept(scenario: Scenario) -> list[Problem]:
    """What of a scenario needs all requests of a run at once; nothing if it can be streamed."""
    problems = why_whole(scenario.workload)
    if scenario.horizon_s is None:
        problems.append(Problem("a streamed run needs a horizon", "horizon"))
    for name, pool in scenario.pools.items():
        if any(query.metric == WORK_AHEAD for query in pool.autoscaler.queries):
            told = "looks at the work of all requests to come, which a streamed run does not know"
            problems.append(Problem(told, f"pools.{name}.autoscaler"))
    return problems


class Feed:
    """Draws demand ahead of its use, and hands requests on when they have ended: both in a thread of its own.

    What the thread does depends on what it is given alone, never on how far the run is meanwhile.
    """

    def __init__(self, scenario: Scenario, specs: list[PoolSpec], replication: int) -> None:
        self.scenario = scenario
        self.specs = specs
        self.chunks = chunks(scenario.workload, scenario.seed, replication, scenario.horizon_s, CHUNK_ROWS)
        self.smallest = quotas.Smallest(scenario)
        self.drawn = 0
        """Requests drawn so far."""
        self.gone = 0
        """Of these, those that have left the table."""
        self.notes: tuple[str, ...] = ()
        self.thread = ThreadPoolExecutor(1, "demand")
        self.next: Future[NDArray[Any] | None]
        self.buffer = np.empty(0, REQUEST)
        self._decided: tuple[DecisionRow, ...] = ()

    def first(self) -> tuple[Demand, NDArray[Any]]:
        """The first chunk, and its rows for the table."""
        demand = next(self.chunks)
        return demand, self._rows(demand, None)

    def attach(
        self, tables: State, clock: Clock, retired: Retired, decisions: Callable[[], tuple[DecisionRow, ...]]
    ) -> None:
        """Keep this table, which holds the first chunk, filled from now on."""
        self.tables, self.clock, self.retired, self.decisions = tables, clock, retired, decisions
        run = tables.run[0]
        run["more"] = 1
        run["expected"] += 1  # at least, as far as the calendars know
        self.next = self.thread.submit(self._draw, None)

    def decided(self) -> tuple[DecisionRow, ...]:
        """What had been decided when those that are handed on left the table."""
        return self._decided

    def refill(self) -> None:
        """To be called between two transitions when all requests of the table have arrived."""
        run = self.tables.run[0]
        if run["more"] == 0 or run["next_arrival"] < run["arrivals"]:
            return
        rows = self.next.result()
        if rows is None:
            run["more"] = 0
            run["expected"] -= 1
            return
        gone, now_s = self._retire(retiring.ended(self.tables))
        self._append(rows)
        self.next = self.thread.submit(self._go_on, gone, now_s, rows)

    def close(self) -> None:
        """The run is over: whoever is left is handed on, ended or not."""
        self.next.result()
        self.thread.shutdown()
        self.retired(*self._retire(int(self.tables.run[0]["rows"])))

    def progress(self, shown: Callable[[float, int, int, int], None], expected: int) -> Callable[..., None]:
        """What a calendar may call for the rows of its table, so that the user hears of all requests."""

        def told(now_s: float, arrived: int, ended: int, _: int) -> None:
            shown(now_s, self.gone + arrived, ended, max(expected, self.drawn))

        return told

    def _go_on(self, gone: NDArray[Any], now_s: float, over: NDArray[Any]) -> NDArray[Any] | None:
        """Hand on those that have left, then draw the next, over rows that are in the table now."""
        self.retired(gone, now_s)
        return self._draw(over)

    def _draw(self, over: NDArray[Any] | None) -> NDArray[Any] | None:
        """Rows of the next chunk, in the place of rows that nobody needs; None when there are no more."""
        demand = next(self.chunks, None)
        if demand is None:
            self.smallest.refuse()
            return None
        return self._rows(demand, over)

    def _rows(self, demand: Demand, over: NDArray[Any] | None) -> NDArray[Any]:
        self.notes += demand.notes
        self.smallest.see(demand)
        rows = setup.request_table(self.scenario, demand, over)
        setup.check_servable(self.scenario, self.specs, rows, self.drawn)
        self.drawn += len(rows)
        return rows

    def _retire(self, count: int) -> tuple[NDArray[Any], float]:
        """The first rows leave the table: a copy of them, and how far the run is."""
        run = self.tables.run[0]
        last = int(run["next_arrival"]) - 1
        now_s = max(self.clock.now, float(self.tables.requests[last]["arrival_s"]) if last >= 0 else 0.0)
        self._decided = self.decisions()
        if count > len(self.buffer):
            self.buffer = np.empty(count + (count >> 3), REQUEST)
        gone = self.buffer[:count]  # what was here before has been handed on
        gone[:] = self.tables.requests[:count]
        retiring.retire(self.tables, count)
        self.gone += count
        return gone, now_s

    def _check_room(self, rows: int) -> None:
        """Refuse to hold so many requests at once as an overload without end makes it. Raises `ConfigError`."""
        there = machine.memory_bytes()
        if rows * REQUEST_BYTES > MOST_SHARE * there:
            waiting = int(self.tables.run[0]["rows"])
            at_s = float(self.tables.requests[waiting - 1]["arrival_s"]) if waiting else 0.0
            told = (
                f"at {at_s:.6g} s {waiting:,} requests are under way at once, and this machine's memory "
                f"({there / 2**30:.3g} GiB) holds no more: the fleet does not keep up; give it more replicas, bound "
                "its queue (pools.NAME.queue.max_waiting), or shorten the horizon"
            )
            raise ConfigError(Problem(told))

    def _append(self, rows: NDArray[Any]) -> None:
        run = self.tables.run[0]
        first = int(run["rows"])
        needed = first + len(rows)
        if needed > len(self.tables.requests):
            self._check_room(needed + (needed >> 3))
            state.grow(self.tables, needed + (needed >> 3))
        self.tables.requests[first:needed] = rows
        if len(self.tables.calls):
            self.tables.calls[first:needed] = calls.sent(rows, first)
        for name in ("arrivals", "rows"):
            run[name] = needed
        run["expected"] += len(rows)


def both(one: Retired, other: Retired) -> Retired:
    """Both are given the rows."""

    def given(rows: NDArray[Any], now_s: float) -> None:
        one(rows, now_s)
        other(rows, now_s)

    return given
