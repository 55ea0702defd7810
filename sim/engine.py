"""simulate(scenario) -> Result: demand in, tables, one of the two calendars, the log out.

A calendar only decides when to call the transitions of `sim.model`. The SimPy calendar gives each replica and the
arrivals a SimPy process of their own; the compiled calendar asks the clock for the next control event and lets a
compiled loop do everything before it. Both keep the same order of events at one instant and give the same bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import simpy

from sim.fleet import callers, deadlines, quotas, setup
from sim.fleet.clock import ARRIVAL, COMPLETION, TIMER, Clock
from sim.fleet.feed import Feed, Retired, both, is_streamed
from sim.fleet.fleet import Fleet
from sim.fleet.reserve import Reserve
from sim.fleet.sampling import Sampler, edges
from sim.model import compiled, leaving, lives, loop, state, timers, tournament, transitions
from sim.model.calls import in_order
from sim.model.specs import PoolSpec
from sim.model.tables import NONE, REQUEST, State
from sim.model.work import work_law
from sim.result import Result
from sim.result.frames import RowNames
from sim.result.log import RunLog
from sim.result.tally import Tally
from sim.scenario import Scenario

SMALL = 5_000
"""Up to this many requests, plain Python on the SimPy calendar is done before a compiler has even been loaded."""

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


def simulate(
    scenario: Scenario,
    replication: int = 0,
    progress: Progress | None = None,
    on_compile: Callable[[], None] | None = None,
    stream: bool | None = None,
    retired: Callable[[RowNames], Retired] | None = None,
) -> Result:
    """Run a scenario once.

    `replication` picks independent randomness for the same scenario and seed. `on_compile` is called before the engine
    is compiled for the first time on a machine. `stream`: draw requests in chunks and keep none of their rows (the
    log's `tally` has what is known of them); None: when more than 20 million are expected, and it can be done.
    `retired` is then told what codes in rows stand for, and what it returns is given all rows, some at a time, in
    arrival order. Raises `ConfigError` or `DataError` where a
    request can never be served (it needs more KV memory than a replica has), and for `stream` where rows are needed.
    """
    began = time.perf_counter()
    specs, makes = setup.pool_specs(scenario)
    feed = Feed(scenario, specs, replication) if is_streamed(scenario, stream) else None
    if feed is None:
        demand = scenario.workload.demand(scenario.seed, replication, scenario.horizon_s)
        requests = setup.request_table(scenario, demand)
        setup.check_servable(scenario, specs, requests)
        quotas.check(scenario, demand)
        expected = len(requests)
    else:
        demand, requests = feed.first()
        expected = int(scenario.workload.expected_requests(scenario.horizon_s))
    horizon_s = setup.horizon_s(scenario, demand)
    setup.check_memory(specs, demand)
    deadlines.check(scenario, specs, demand, requests)
    calendar = scenario.calendar
    if calendar == "auto":
        calendar = "simpy" if expected <= SMALL and demand.more is None else "compiled"
    senders, tenants = callers.senders(scenario), callers.tenants(scenario)
    calls = callers.call_table(scenario, demand, requests)
    more, links = demand.more, demand.links
    streams, notes, prefixes, sizes = demand.streams, demand.notes, demand.prefixes, demand.prefix_sizes
    del demand  # its columns are in the table now: at 11 million requests they weigh half a gigabyte

    ends_s = math.inf if scenario.horizon_s is None else scenario.horizon_s
    tables = state.build(specs, requests, senders, prefixes, sizes, tenants, calls, ends_s)
    if expected > SMALL or calendar == "compiled":
        warm_up(calendar, on_compile)
    reserve = Reserve(tables, scenario, specs, more, links)
    clock = Clock()
    fleet = Fleet(clock, tables, scenario, specs, makes, replication, horizon_s)
    bins_s = edges(horizon_s)
    sampler = Sampler(clock, tables, np.unique(np.append(bins_s, scenario.warmup_s)))
    names = RowNames(
        streams,
        tuple(scenario.pools),
        tuple(spec.replicas for spec in specs),
        tuple(scenario.request_classes),
        tuple(scenario.customers),
        _places(scenario.stream_classes, scenario.request_classes),
        _places(scenario.stream_tenants, scenario.customers),
    )
    tally = None
    if feed is not None:
        tally = Tally(
            scenario, specs, streams, names.stream_class, names.stream_tenant, edges_s=bins_s, decisions=feed.decided
        )
        given = tally.add if retired is None else both(tally.add, retired(names))
        feed.attach(tables, clock, given, fleet.decisions)
        tally.add(np.zeros(0, REQUEST), 0.0)  # compiled or loaded now, not while it runs
        progress = None if progress is None else feed.progress(progress, expected)
    started = time.perf_counter()
    run = SimpyCalendar if calendar == "simpy" else CompiledCalendar
    refill = reserve.refill if feed is None else feed.refill
    events = run(clock, tables, horizon_s, fleet.notice, progress, refill).run()
    if feed is not None:
        feed.close()
        notes = feed.notes
    engine_s = time.perf_counter() - started
    decisions = fleet.decisions()
    if tally is not None:
        tally.decisions = partial(tuple, decisions)  # all of them; the fleet may go
    if feed is None:
        requests, calls = in_order(tables)
        if calls is None and any(sender.max_in_flight is not None for sender in senders):
            # a client that holds requests back decides when they arrive: each stream keeps its order, all may not
            requests = requests[np.argsort(requests["arrival_s"], kind="stable")]

    log = RunLog(
        calendar=calendar,
        requests=requests if feed is None else np.zeros(0, REQUEST),
        samples=sampler.rows(),
        edges_s=bins_s,
        spans=fleet.spans(),
        down=fleet.downs(),
        decisions=decisions,
        work=tuple(work_law(specs, row, requests) for row in range(len(specs))) if tally is None else tally.laws(),
        notes=notes,
        end_s=max(horizon_s, float(tables.run[0]["last_finish_s"])),
        events=events,
        preemptions=int(tables.replicas["preemptions"].sum()),
        replication=replication,
        wall_s=time.perf_counter() - began,
        engine_s=engine_s,
        calls=calls,
        tally=tally,
        **names._asdict(),
    )
    fleet.close()
    return Result(scenario, log)


def _places(names: Sequence[str | None], among: Iterable[str]) -> tuple[int, ...]:
    """The place of each name among others, NONE for none; nothing where there are no others."""
    places = {name: place for place, name in enumerate(among)}
    return tuple(NONE if name is None else places[name] for name in names) if places else ()


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


def warm_up(calendar: str, on_compile: Callable[[], None] | None) -> None:
    """Load or compile the transitions on a fleet of one, so that no run's time contains a compiler's."""
    if compiled.disabled():
        return
    compiled.compile_all()
    if not compiled.cached_on_disk() and on_compile is not None:
        on_compile()
    request = np.zeros(1, REQUEST)
    request["prefix0"] = NONE
    tables = state.build([PoolSpec(batching=False, replicas=1, seats=1)], request)
    clock = Clock()
    Sampler(clock, tables, np.zeros(1))
    lives.open_replica(tables, 0, 0.0)
    (SimpyCalendar if calendar == "simpy" else CompiledCalendar)(clock, tables).run()
