"""The two calendars agree bit for bit: every request row, every replica row, every sample, every decision."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.engine.calendars import CompiledCalendar, SimpyCalendar
from sim.fleet.clock import LIFE, NOTICE, Clock
from sim.fleet.sampling import Sampler
from sim.model import lives, state
from sim.model.specs import PoolSpec, SenderSpec
from sim.model.tables import State
from tests import runs
from tests.oracle import Job, Step
from tests.property.test_elastic_oracle import elastic_case
from tests.property.test_oracle import capped_case


def late_openings(seed: int, count: int, ties: bool) -> list[float]:
    """When each replica opens: about half at zero, the rest during the run, on the grid of the arrivals or off it."""
    rng = np.random.default_rng(seed)
    at_s = np.where(rng.random(count) < 0.5, 0.0, rng.uniform(0, 3, count))
    return (np.round(at_s * 32) / 32 if ties else at_s).tolist()


def outcome(
    calendar: type,
    specs: list[PoolSpec],
    jobs: list[Job],
    most_in_flight: list[int | None],
    steps: list[Step],
    lets_go: bool = True,
) -> dict[str, Any]:
    """Everything that a run leaves behind, as bytes, and when control was told of something."""
    requests = runs.table(jobs)
    senders = [SenderSpec(max_in_flight=most) for most in most_in_flight]
    tables = state.build(specs, requests, senders, *runs.prefixes(jobs))
    clock = Clock()
    notices: list[float] = []

    def notice() -> None:
        tables.run["noticed"] = 0
        notices.append(float(tables.run["noticed_s"][0]))
        alarm = clock.at(notices[-1], NOTICE)
        alarm.callbacks.append(look)

    def look(_: Any) -> None:
        for row in runs.drained(tables) if lets_go else ():
            lives.close_replica(tables, row, clock.now, "retry")

    clock.process(control(clock, tables, steps))
    sampler = Sampler(clock, tables, np.arange(0, 128) / 32)
    calendar(clock, tables, notice=notice).run()
    return {
        "requests": requests.tobytes(),
        "replicas": tables.replicas.tobytes(),
        "pools": tables.pools.tobytes(),
        "queues": tables.queues.tobytes(),
        "lists": tables.lists.tobytes(),
        "samples": sampler.rows().tobytes(),
        "notices": notices,
    }


def control(clock: Clock, tables: State, steps: list[Step]) -> Iterator[Any]:
    """A process that does at each time what is planned."""
    for step in steps:
        yield clock.at(step.at_s, LIFE)
        runs.act(tables, step)


def opened(opens_s: list[float]) -> list[Step]:
    """Each replica opens at its time."""
    return sorted((Step(at_s, "open", row) for row, at_s in enumerate(opens_s)), key=lambda step: step.at_s)


def compare(seed: int, ties: bool) -> None:
    specs, jobs, most = capped_case(seed, ties)
    steps = opened(late_openings(seed, sum(spec.replicas for spec in specs), ties))
    same(outcome(SimpyCalendar, specs, jobs, most, steps), outcome(CompiledCalendar, specs, jobs, most, steps), seed)


def compare_elastic(seed: int, ties: bool) -> None:
    case = elastic_case(seed, ties)
    same(outcome(SimpyCalendar, *case), outcome(CompiledCalendar, *case), seed)


def same(one: dict[str, Any], other: dict[str, Any], seed: int) -> None:
    differing = [name for name in one if one[name] != other[name]]
    assert not differing, f"the calendars differ in {differing} (seed {seed})"


@pytest.mark.parametrize("block", range(10))
def test_bit_identical_on_200_random_fleets(block: int) -> None:
    for seed in range(20 * block, 20 * block + 20):
        compare(seed, ties=False)


@pytest.mark.parametrize("block", range(5))
def test_bit_identical_on_100_grids_where_all_times_tie(block: int) -> None:
    for seed in range(1000 + 20 * block, 1020 + 20 * block):
        compare(seed, ties=True)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), ties=st.booleans())
def test_bit_identical_wherever_hypothesis_looks(seed: int, ties: bool) -> None:
    compare(seed, ties)
    compare_elastic(seed, ties)


@pytest.mark.parametrize("block", range(20))
def test_bit_identical_while_replicas_come_and_go_on_300_fleets(block: int) -> None:
    """Half of them on grids where all times tie."""
    for seed in range(15 * block, 15 * block + 15):
        compare_elastic(seed, ties=seed % 2 == 0)


def test_ranks_are_what_makes_ties_agree() -> None:
    """The order at one instant is completion, control, arrival: seen on one replica where all three meet at 1 s."""
    jobs = [Job(0.0, service_s=1.0), Job(1.0, service_s=1.0)]
    spec = PoolSpec(batching=False, replicas=1, seats=1, max_waiting=0)
    for calendar in (SimpyCalendar, CompiledCalendar):
        requests = runs.table(jobs)
        tables = state.build([spec], requests)
        clock = Clock()
        clock.process(control(clock, tables, opened([0.0])))
        sampler = Sampler(clock, tables, np.array([1.0]))
        calendar(clock, tables).run()
        assert requests["finish_s"].tolist() == [1.0, 2.0], "the first left before the second came: nobody is rejected"
        assert sampler.rows()["running_s"][0] == 1.0
        assert tables.replicas["wake_s"][0] == math.inf
