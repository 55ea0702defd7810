"""Replicas that come and go, against the naive oracle: opened, drained, killed at random, their rows used again."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model import meters, transfer
from sim.model.state import PoolSpec
from sim.model.tables import NONE, OUTCOMES, State
from tests import runs
from tests.oracle import Job, Naive, Step
from tests.property.test_oracle import agree, capped_case

Case = tuple[list[PoolSpec], list[Job], list[int | None], list[Step], bool]


def elastic_case(seed: int, ties: bool) -> Case:
    """A random case whose pools have several makes and metrics, and what control does to it, and whether it lets
    drained replicas go."""
    specs, jobs, most_in_flight = capped_case(seed, ties)
    rng = np.random.default_rng([seed, 2])
    specs = [
        replace(
            spec,
            replicas=int(rng.integers(1, 5)),
            makes=tuple(other_make(spec, rng, ties) for _ in range(int(rng.integers(0, 3)))),
            hears=int(rng.choice([meters.HEARS_NOTHING, meters.HEARS_NOTHING, meters.HEARS_FIRST, meters.HEARS_CHANGES])),
            metered=bool(rng.random() < 0.5),
        )
        for spec in specs
    ]
    last_s = jobs[-1].arrival_s
    steps: list[Step] = []
    row = 0
    for spec in specs:
        for _ in range(spec.replicas):
            steps += row_steps(row, len(spec.makes), last_s, rng, ties)
            row += 1
    return specs, jobs, most_in_flight, sorted(steps, key=lambda step: step.at_s), bool(rng.random() < 0.7)


def other_make(spec: PoolSpec, rng: np.random.Generator, ties: bool) -> PoolSpec:
    """A replica of the same pool with other numbers."""
    if not spec.batching:
        return replace(spec, seats=int(rng.integers(1, 5)), overhead_s=float(rng.choice([0, 1 / 128])))
    drafted = int(rng.choice([0, 1, 3]))
    seats = int(rng.integers(1, 11))
    chunked = bool(rng.random() < 0.7)
    return replace(
        spec,
        seats=seats,
        chunked=chunked,
        max_batched_tokens=int(rng.integers(80, 200)) if not chunked else int(rng.integers(seats * (1 + drafted), 90)),
        kv_capacity_tokens=int(rng.integers(88, 220)),
        drafted=drafted,
        tokens_per_step=1 + drafted * (0.75 if ties else float(rng.uniform(0, 1))),
        base_s=spec.base_s * float(rng.choice([0.5, 2])),
        seqs_s=None if rng.random() < 0.5 else tuple(spec.base_s / 16 * (i // 2) for i in range(seats + 1)),
        overhead_s=float(rng.choice([0, 1 / 128])),
        lookahead=int(rng.random() < 0.5),
    )


def row_steps(row: int, makes: int, last_s: float, rng: np.random.Generator, ties: bool) -> list[Step]:
    """Up to four lives of one row, the last of them often to the end."""

    def at(at_s: float) -> float:
        return round(at_s * 32) / 32 if ties else at_s

    steps = []
    now_s = 0.0 if rng.random() < 0.6 else float(rng.uniform(0, last_s / 2))
    for _ in range(int(rng.integers(0, 4))):
        drain_s = now_s + float(rng.exponential(last_s / 4))
        close_s = drain_s + float(rng.exponential(last_s / 8))
        steps.append(Step(at(now_s), "open", row, make=int(rng.integers(0, makes + 1))))
        if rng.random() < 0.6:
            steps.append(Step(at(drain_s), "drain", row, flag=bool(rng.random() < 0.7)))
        steps.append(Step(at(close_s), "close", row, flag=bool(rng.random() < 0.8)))
        now_s = close_s + float(rng.exponential(last_s / 8))
    if rng.random() < 0.8:
        steps.append(Step(at(now_s), "open", row, make=int(rng.integers(0, makes + 1))))
    return steps


def play(case: Case) -> tuple[Naive, State, list[float]]:
    """Run both."""
    specs, jobs, most_in_flight, steps, lets_go = case
    state, notices = runs.play(specs, runs.table(jobs), steps, most_in_flight, runs.prefixes(jobs)[1], lets_go)
    naive = Naive(specs, jobs, most_in_flight)
    naive.run(steps, lets_go)
    return naive, state, notices


def compare(seed: int, ties: bool) -> bool:
    """Everything must agree; False when rounding decides who is first."""
    naive, state, notices = play(elastic_case(seed, ties))
    if naive.close_together and not ties:
        return False
    agree(state.requests, state, naive)
    np.testing.assert_allclose(notices, naive.notices, rtol=1e-9)
    for kept, name in (("past_ready_s", "ready_s"), ("past_seats_s", "seats_s"), ("past_capacity_s", "capacity_s")):
        np.testing.assert_allclose(state.replicas[kept], [getattr(past, name) for past in naive.past], rtol=1e-9)
    return True


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), ties=st.booleans())
def test_an_elastic_fleet_agrees_with_the_naive_oracle(seed: int, ties: bool) -> None:
    compare(seed, ties)
