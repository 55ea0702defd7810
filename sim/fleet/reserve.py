"""Rows for requests that nobody can foresee: attempts made during the run, and what a closed population asks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim.fleet import callers, setup
from sim.model import state
from sim.model.specs import PoolSpec
from sim.model.tables import State
from sim.scenario import Scenario
from sim.workload.demand import Demand
from sim.workload.links import Links

LEAST_ROOM = 1024
"""Rows by which the table of requests grows at least."""


class Reserve:
    """Keeps the model's table of requests long enough, and draws what users ask next when it is time."""

    def __init__(
        self,
        tables: State,
        scenario: Scenario,
        specs: list[PoolSpec],
        more: Callable[[int], Demand] | None,
        links: Links | None,
    ) -> None:
        self.tables = tables
        self.scenario = scenario
        self.specs = specs
        self.more = more
        self.chunks = 0
        self.tails = np.empty(0, np.int64) if links is None else links.tails.astype(np.int64)

    def refill(self) -> None:
        """To be called between two transitions when the table is full, or users have asked for more."""
        run = self.tables.run[0]
        if run["asked"] == 1:
            run["asked"] = 0
            self._draw()
        if run["calls"] == 1 and run["rows"] == len(self.tables.requests):
            self._make_room(1)

    def _draw(self) -> None:
        """The next chunk of requests of users who ask again and again."""
        assert self.more is not None, "more requests are asked for, and there are none"
        self.chunks += 1
        chunk = self.more(self.chunks)
        assert chunk.links is not None
        requests = setup.request_table(self.scenario, chunk)
        setup.check_servable(self.scenario, self.specs, requests)
        first = int(self.tables.run[0]["rows"])
        calls = callers.call_table(self.scenario, chunk, requests, first)
        assert calls is not None
        self._make_room(len(requests) + 1)
        rows = slice(first, first + len(requests))
        self.tables.requests[rows] = requests
        self.tables.calls[rows] = calls
        self.tables.run[0]["rows"] += len(requests)
        self.tails = callers.go_on(self.tables.calls, self.tails, chunk.links, first)

    def _make_room(self, rows: int) -> None:
        """See to it that so many rows are free, and if that takes a longer table, many more."""
        there = len(self.tables.requests)
        if int(self.tables.run[0]["rows"]) + rows > there:
            state.grow(self.tables, there + max(there >> 2, rows, LEAST_ROOM))
