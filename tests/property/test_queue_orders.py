"""Random fleets with orders, limits, quotas and shedding: both calendars give the same bits, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim.engine.calendars import CompiledCalendar, SimpyCalendar
from sim.fleet.clock import LIFE, NOTICE, Clock
from sim.fleet.sampling import Sampler
from sim.model import lives, state
from sim.model.specs import ClassLimit, PoolSpec, SenderSpec, TenantSpec
from sim.model.tables import REJECTED, UNFINISHED, State
from tests import runs, token_invariants
from tests.oracle import Job
from tests.property.client_cases import client_case
from tests.property.test_calendars import control, late_openings, opened, same
from tests.property.test_oracle import capped_case

Case = tuple[list[PoolSpec], list[Job], list[SenderSpec], list[TenantSpec]]


def ordered_case(seed: int, ties: bool) -> Case:
    """A random fleet, its streams of random classes and tenants, its queues of random orders."""
    specs, jobs, most = capped_case(seed, ties)
    rng = np.random.default_rng((seed, 5))
    streams = int(rng.integers(2, 5))
    jobs = [replace(job, stream=int(rng.integers(streams))) for job in jobs]
    tenants = customers(rng)
    senders = [carrying(rng, SenderSpec(max_in_flight=most[stream % len(most)]), tenants) for stream in range(streams)]
    return [queue_of(rng, spec) for spec in specs], jobs, senders, tenants


def customers(rng: np.random.Generator) -> list[TenantSpec]:
    """Up to three tenants, some of whom have quotas."""
    return [
        TenantSpec(
            weight=float(rng.choice([1, 2, 5])),
            **({"requests_per_s": 2.0, "request_burst": 3.0} if rng.random() < 0.3 else {}),
            **({"tokens_per_s": 400.0, "token_burst": 600.0} if rng.random() < 0.3 else {}),
        )
        for _ in range(int(rng.integers(0, 4)))
    ]


def carrying(rng: np.random.Generator, sender: SenderSpec, tenants: list[TenantSpec]) -> SenderSpec:
    """The same, of a class and perhaps of a tenant."""
    group = int(rng.integers(3))
    return replace(
        sender,
        group=group,
        level=[0, 2, 2][group] if rng.random() < 0.8 else 5,
        weight=float(rng.choice([1, 3])),
        tenant=int(rng.integers(len(tenants))) if tenants and rng.random() < 0.8 else None,
    )


def queue_of(rng: np.random.Generator, spec: PoolSpec) -> PoolSpec:
    order = str(rng.choice(["fcfs", "priority", "priority", "weighted_fair"]))
    told: dict[str, Any] = {"order": order, "fair_tenants": bool(order != "weighted_fair" and rng.random() < 0.4)}
    if order == "priority":
        told |= {"preemptive": bool(rng.random() < 0.6), "aging_s": float(rng.choice([0.25, 1.0, np.inf]))}
    if rng.random() < 0.3:
        told |= {"class_limits": (ClassLimit(), ClassLimit(int(rng.integers(4))), ClassLimit(None, 300, 2.0))}
    shed = str(rng.choice(["nothing", "nothing", "load", "estimated_wait", "codel"]))
    if shed in ("load", "estimated_wait"):
        told |= {"class_limits": tuple(ClassLimit(shed_at=float(at)) for at in rng.choice([0.125, 1.0, np.inf], 3))}
    if rng.random() < 0.2:
        told |= {"max_waiting_tokens": 500}
    return replace(spec, shed=shed, target_s=0.0625, interval_s=0.25, retry_after_s=1.0, **told)


def outcome(calendar: type, case: Case, seed: int, ties: bool) -> tuple[State, dict[str, Any]]:
    specs, jobs, senders, tenants = case
    tables = state.build(specs, runs.table(jobs), senders, *runs.prefixes(jobs), tenants)
    clock = Clock()

    def opening() -> Any:
        for step in opened(late_openings(seed, sum(spec.replicas for spec in specs), ties)):
            yield clock.at(step.at_s, LIFE)
            runs.act(tables, step)

    clock.process(opening())
    sampler = Sampler(clock, tables, np.arange(0, 128) / 32)
    calendar(clock, tables, notice=lambda: None).run()
    found = {name: getattr(tables, name).tobytes() for name in ("requests", "replicas", "pools", "queues", "senders")}
    return tables, found | {"samples": sampler.rows().tobytes()}


@pytest.mark.parametrize("block", range(6))
def test_bit_identical_and_nothing_is_lost(block: int) -> None:
    preempted = rejected = 0
    for seed in range(25 * block, 25 * block + 25):
        ties = seed % 3 == 0
        case = ordered_case(seed, ties)
        tables, one = outcome(SimpyCalendar, case, seed, ties)
        same(one, outcome(CompiledCalendar, case, seed, ties)[1], seed)
        token_invariants.tokens(tables)
        assert not (tables.requests["outcome"] == UNFINISHED).any(), f"somebody waits for ever (seed {seed})"
        preempted += int(tables.requests["preempted"].sum())
        rejected += int((tables.requests["outcome"] == REJECTED).sum())
    assert preempted > 0
    assert rejected > 0


# -- and clients that give up and try again, while replicas come and go -----------------------------------------------


def client_outcome(calendar: type, seed: int, ties: bool) -> tuple[State, dict[str, Any]]:
    """The cases of the clients' oracle, their streams of classes and tenants, their queues with orders."""
    case = client_case(seed, ties)
    rng = np.random.default_rng((seed, 7))
    tenants = customers(rng)
    senders = [carrying(rng, sender, tenants) for sender in case.senders]
    specs = [replace(queue_of(rng, spec), silent=bool(rng.random() < 0.3)) for spec in case.specs]
    requests = runs.table(case.jobs)
    calls = runs.call_table(case.jobs, requests)
    tables = state.build(specs, requests, senders, *runs.prefixes(case.jobs), tenants, calls, case.horizon_s)
    clock = Clock()
    notices: list[float] = []

    def notice() -> None:
        tables.run["noticed"] = 0
        notices.append(float(tables.run["noticed_s"][0]))
        clock.at(notices[-1], NOTICE).callbacks.append(look)

    def look(_: Any) -> None:
        for row in runs.drained(tables) if case.lets_go else ():
            lives.close_replica(tables, row, clock.now, "retry")

    clock.process(control(clock, tables, case.steps))
    calendar(clock, tables, notice=notice, refill=lambda: state.grow(tables, len(tables.requests) + 64)).run()
    used = int(tables.run["rows"][0])  # a calendar may have made room that the other did not need
    found = {name: getattr(tables, name)[:used].tobytes() for name in ("requests", "calls")}
    found |= {name: getattr(tables, name).tobytes() for name in ("replicas", "pools", "queues", "senders")}
    return tables, found | {"notices": notices}


@pytest.mark.parametrize("block", range(10))
def test_bit_identical_with_impatient_clients_on_300_fleets(block: int) -> None:
    for seed in range(30 * block, 30 * block + 30):
        ties = seed % 3 == 0
        tables, one = client_outcome(SimpyCalendar, seed, ties)
        same(one, client_outcome(CompiledCalendar, seed, ties)[1], seed)
        lines_add_up(tables)
        nothing_is_charged_where_nothing_is_shared(tables)


def lines_add_up(tables: State) -> None:
    """What places, lines, classes and levels count is who waits: every request that was sent and not ended."""
    used = int(tables.run["rows"][0])
    rows, calls = tables.requests[:used], tables.calls[:used]
    waiting = (rows["outcome"] == UNFINISHED) & (calls["sent"] == 1)
    places = range(len(tables.pools) + len(tables.replicas))
    assert tables.run["in_system"][0] == waiting.sum()
    assert tables.queues["length"][places].sum() == waiting.sum(), "at the end whoever is not served waits"
    for place in places:
        queue = tables.queues[place]
        if queue["lines"] == 0:
            continue
        lines = tables.queues[queue["line0"] :][: queue["lines"]]
        groups = tables.queues[queue["line0"] + queue["lines"] :][:3]
        for name in ("length", "blocks"):
            assert lines[name].sum() == queue[name]
        for name in ("length", "tokens") if tables.pools[queue["home"]]["booked"] else ():
            assert groups[name].sum() == queue[name]


def nothing_is_charged_where_nothing_is_shared(tables: State) -> None:
    """Tags count what is shared: in a pool without shares all of them stay where they began."""
    for queue in tables.queues:
        if queue["lines"] > 0 and tables.pools[queue["home"]]["fair"] == 0:
            own = tables.queues[queue["line0"] : queue["line0"] + queue["lines"]]
            assert (own["tag"] == 0.0).all()
