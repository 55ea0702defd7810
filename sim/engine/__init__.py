"""simulate(scenario) -> Result: demand in, tables, one of the two calendars, the log out.

Where rows are not kept, demand comes in chunks and rows leave as they end (see `sim.fleet.feed`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.calendars import CompiledCalendar, Progress, SimpyCalendar
from sim.fleet import callers, deadlines, quotas, setup
from sim.fleet.clock import Clock
from sim.fleet.feed import Feed, Retired, both, is_streamed
from sim.fleet.fleet import Fleet
from sim.fleet.reserve import Reserve
from sim.fleet.sampling import Sampler, edges
from sim.model import compiled, lives, state
from sim.model.calls import in_order
from sim.model.specs import PoolSpec
from sim.model.tables import NONE, REQUEST
from sim.model.work import WorkLaw, work_law
from sim.result import Result
from sim.result.frames import RowNames
from sim.result.log import RunLog
from sim.result.tally import NOTE, Tally
from sim.scenario import Scenario
from sim.workload.demand import Demand

SMALL = 5_000
"""Up to this many requests, plain Python on the SimPy calendar is done before a compiler has even been loaded."""


def simulate(
    scenario: Scenario,
    replication: int = 0,
    progress: Progress | None = None,
    on_compile: Callable[[], None] | None = None,
    stream: bool | None = None,
    retired: Callable[[RowNames], Retired] | None = None,
    demand: Demand | None = None,
    bare: bool = False,
) -> Result:
    """Run a scenario once.

    `replication` picks independent randomness for the same scenario and seed. `on_compile` is called before the engine
    is compiled for the first time on a machine. `stream`: draw requests in chunks and keep none of their rows (the
    log's `tally` has what is known of them); None: when more than 20 million are expected, and it can be done.
    `retired` is then told what codes in rows stand for, and what it returns is given all rows, some at a time, in
    arrival order. `demand`: what `scenario.workload.demand` has drawn before, with this seed, replication and horizon;
    it is not changed. `bare`: a log for latencies, outcomes and the bill alone, with a timeline of one bin and no
    ledger, in two thirds of the time; what it has is the same. Raises `ConfigError` or `DataError` where a request can
    never be served (it needs more KV memory than a replica has), and for `stream` where rows are needed.
    """
    began = time.perf_counter()
    specs, makes = setup.pool_specs(scenario)
    feed = Feed(scenario, specs, replication) if is_streamed(scenario, stream) else None
    if feed is None:
        if demand is None:
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
    bins_s = np.array((0.0, horizon_s)) if bare else edges(horizon_s)
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
        notes = (*feed.notes, NOTE)
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
        work=() if bare else _laws(specs, requests, tally),
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


def _laws(specs: list[PoolSpec], requests: NDArray[Any], tally: Tally | None) -> tuple[WorkLaw, ...]:
    if tally is not None:
        return tally.laws()
    return tuple(work_law(specs, row, requests) for row in range(len(specs)))


def _places(names: Sequence[str | None], among: Iterable[str]) -> tuple[int, ...]:
    """The place of each name among others, NONE for none; nothing where there are no others."""
    places = {name: place for place, name in enumerate(among)}
    return tuple(NONE if name is None else places[name] for name in names) if places else ()


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
