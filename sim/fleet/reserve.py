"""Rows for requests that nobody can foresee: attempts made during the run, and what a closed population asks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim.config.errors import ConfigError, Problem
from sim.fleet import callers, setup
from sim.model import state
from sim.model.specs import PoolSpec
from sim.model.tables import State
from sim.scenario import Scenario
from sim.workload.demand import Demand
from sim.workload.links import Links

LEAST_ROOM = 1024
"""Rows by which the table of requests grows at least."""

STANDSTILL = 3
"""So many chunks, each larger than the one before, asked for at one instant: time will not go on any more. By luck (a
law of thinking that is often 0) that does not happen."""


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
        self.first_row = len(tables.requests)
        """Of what was drawn since the run began."""
        self.drawn_s: list[float] = []
        """The latest times at which something was asked when chunks were drawn."""
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
        self._must_go_on()
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

    def _must_go_on(self) -> None:
        """Refuse users who are answered at once, think no time, and so ask for ever at one instant."""
        drawn = self.tables.requests[self.first_row : int(self.tables.run[0]["rows"])]
        asked_s = drawn["arrival_s"][np.isfinite(drawn["arrival_s"])]
        self.drawn_s.append(float(asked_s.max(initial=-1.0)))
        last = self.drawn_s[-STANDSTILL:]
        if len(last) < STANDSTILL or last[0] < last[-1] or not len(asked_s):
            return
        stream = int(np.bincount(drawn["stream"][drawn["arrival_s"] == last[-1]]).argmax())
        name = self.scenario.workload.stream_names[stream]
        told = (
            f"users of stream '{name}' ask again without end at {last[-1]:g} s: they do not think, and are turned away "
            "(or answered) at once; give them time to think, such as think: 1s, or room to wait in"
        )
        raise ConfigError(Problem(told, ".".join((*self.scenario.stream_place(name), "arrivals", "think"))))

    def _make_room(self, rows: int) -> None:
        """See to it that so many rows are free, and if that takes a longer table, many more."""
        there = len(self.tables.requests)
        if int(self.tables.run[0]["rows"]) + rows > there:
            state.grow(self.tables, there + max(there >> 2, rows, LEAST_ROOM))
