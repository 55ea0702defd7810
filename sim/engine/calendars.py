"""The two calendars: who decides when a transition is called.

A calendar only decides when to call the transitions of `sim.model`. The SimPy calendar gives each replica and the
arrivals a SimPy process of their own; the compiled calendar asks the clock for the next control event and lets a
compiled loop do everything before it. Both keep the same order of events at one instant and give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import simpy

from sim.fleet.clock import ARRIVAL, COMPLETION, TIMER, Clock
from sim.model import leaving, loop, timers, tournament, transitions
from sim.model.tables import NONE, State

SLICE_EVENTS = 1_000_000
"""Events between two looks at the progress bar and the keyboard."""

Notice = Callable[[], None]
"""Called when the data plane has noted something that control must see at its time."""

Progress = Callable[[float, int, int, int], None]
"""Called with (simulated seconds, requests arrived, requests ended, requests in all)."""


def _nothing() -> None:
    """Clients that just wait need no more rows."""


def _nobody() -> None:
    raise AssertionError("something was noted, and nobody listens")


class Calendar:
    """Who decides when a transition is called, and what both calendars are told.

    The run is over when every request has ended and the next control event is after `ends_s`.
    """

    def __init__(
        self,
        clock: Clock,
        tables: State,
        ends_s: float = math.inf,
        notice: Notice = _nobody,
        progress: Progress | None = None,
        refill: Callable[[], None] = _nothing,
    ) -> None:
        self.clock = clock
        self.tables = tables
        self.ends_s = ends_s
        self.notice = notice
        self.progress = progress
        self.refill = refill
        """Called when the model's table of requests is full, or users ask for what is not drawn yet."""


class SimpyCalendar(Calendar):
    """Every transition at its own SimPy event: the calendar to read, to step through and to extend."""

    def __init__(self, clock: Clock, tables: State, *told: Any, **more: Any) -> None:
        super().__init__(clock, tables, *told, **more)
        self.events = 0
        self.awake = NONE
        """The replica that has just run: it reads its own plan."""
        self.steps = [self._replica(row) for row in range(len(tables.replicas))]
        self.replicas = [clock.process(steps) for steps in self.steps]
        self.timer_s = math.inf
        """What the process of the timers waits for."""
        self.timers = None
        if _has_timers(tables):
            self.steps.append(self._timers())
            self.timers = clock.process(self.steps[-1])
        clock.process(self._arrivals())

    def _replica(self, row: int) -> Generator[Any, Any, None]:
        """One replica: sleep until it next needs attention; an interrupt means that its plan has changed."""
        clock, tables = self.clock, self.tables
        wake_s = tables.replicas["wake_s"]
        while True:
            try:
                yield clock.at(float(wake_s[row]), COMPLETION + row)
            except simpy.Interrupt:
                continue
            self.events += 1
            self.awake = row
            transitions.wake(tables, row, clock.now)

    def _arrivals(self) -> Generator[Any, Any, None]:
        """All arrivals, one after another."""
        clock, tables = self.clock, self.tables
        run = tables.run[0]
        while run["next_arrival"] < run["arrivals"] or run["more"] == 1:
            first = int(run["next_arrival"])
            for r, at_s in enumerate(tables.requests["arrival_s"][first : run["arrivals"]].tolist(), first):
                yield clock.at(at_s, ARRIVAL)
                run["next_arrival"] = r + 1
                self.events += 1
                transitions.arrive(tables, r, at_s)
            if run["more"] == 1:
                self.refill()

    def _timers(self) -> Generator[Any, Any, None]:
        """What happens to single requests at known times; an interrupt means that another is next."""
        clock, tables = self.clock, self.tables
        while True:
            self.timer_s = timers.next_s(tables)
            try:
                yield clock.at(self.timer_s, TIMER)
            except simpy.Interrupt:
                continue
            self.refill()
            self.events += 1
            leaving.ring(tables, clock.now)

    def _look(self) -> None:
        """Tell the replicas whose plan has changed, all but the one that has just run."""
        touched = self.tables.run["touched"]
        for row in self.tables.lists[len(self.replicas) :][: touched[0]].tolist():
            self.tables.replicas["touched"][row] = 0
            if row != self.awake:
                self.replicas[row].interrupt()
        touched[0] = 0
        self.awake = NONE

    def run(self) -> int:
        """To the end of everything; returns the number of transitions."""
        step, run = self.clock.step, self.tables.run
        names = ("touched", "noticed", "asked", "finished", "expected")
        touched, noticed, asked, finished, expected = (run[name] for name in names)
        try:
            while True:
                for _ in range(SLICE_EVENTS >> 4):
                    step()
                    if asked[0]:
                        self.refill()
                    if self.timers is not None and timers.next_s(self.tables) != self.timer_s:
                        self.timers.interrupt()  # a request that waits has set one, or one has been called off
                    if touched[0]:
                        self._look()
                    if noticed[0]:
                        self.notice()
                    if finished[0] == expected[0] and self.clock.peek() > self.ends_s:
                        return self.events
                _report(self.progress, self.tables, self.clock.now)
        except simpy.core.EmptySchedule:
            return self.events
        finally:
            for steps in self.steps:  # each holds the tables, in a circle with its process
                steps.close()


class CompiledCalendar(Calendar):
    """The same transitions, called by a compiled loop between two control events."""

    def run(self) -> int:
        """To the end of everything; returns the number of transitions."""
        clock, tables, run = self.clock, self.tables, self.tables.run[0]
        wakes = tournament.build(len(tables.replicas))
        while True:
            stop_s = clock.peek()
            if not clock.next_is_internal():
                while not loop.run_until(tables, wakes, stop_s, SLICE_EVENTS):
                    self.refill()
                    _report(self.progress, tables, float(run["last_finish_s"]))
                if run["noticed"] > 0:
                    self.notice()
                    continue
            if stop_s == math.inf or (stop_s > self.ends_s and run["finished"] == run["expected"]):
                return int(run["events"])
            clock.step()
            if run["noticed"] > 0:  # what control has just done is itself something to hear of, before anything later
                self.notice()


def _has_timers(tables: State) -> bool:
    """Whether any request can have one."""
    return len(tables.calls) > 0


def _report(progress: Progress | None, tables: State, now_s: float) -> None:
    if progress is not None:
        run = tables.run[0]
        progress(now_s, int(run["next_arrival"]), int(run["finished"]), int(run["expected"]))
