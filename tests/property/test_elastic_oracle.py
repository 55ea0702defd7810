"""Replicas that come and go, against the naive oracle: opened, drained, killed at random, their rows used again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model import meters
from sim.model.specs import PoolSpec
from sim.model.tables import State
from tests import runs
from tests.oracle import Job, Naive, Step
from tests.oracle.parts import Books, Machine
from tests.property.test_oracle import agree, capped_case

Case = tuple[list[PoolSpec], list[Job], list[int | None], list[Step], bool]


def elastic_case(seed: int, ties: bool) -> Case:
    """A random case whose pools have several makes and metrics, and what control does to it, and whether it lets
    drained replicas go."""
    specs, jobs, most_in_flight = capped_case(seed, ties)
    rng = np.random.default_rng([seed, 2])
    if len(specs) == 1 and specs[0].batching and rng.random() < 0.5:
        decodes = replace(specs[0], central=bool(rng.random() < 0.3), seats=int(rng.integers(1, 4)), seqs_s=None)
        link = {"link_s_per_token": 1 / 512, "link_latency_s": 1 / 64, "link_shared": bool(rng.random() < 0.5)}
        specs = [replace(specs[0], next_pool=1, **link), decodes]
    specs = [
        replace(
            spec,
            replicas=int(rng.integers(1, 5)),
            link_s_per_token=spec.link_s_per_token * float(rng.choice([1, 4])),
            makes=tuple(other_make(spec, rng, ties) for _ in range(int(rng.integers(0, 3)))),
            hears=int(
                rng.choice([meters.HEARS_NOTHING, meters.HEARS_NOTHING, meters.HEARS_FIRST, meters.HEARS_CHANGES])
            ),
            metered=bool(rng.random() < 0.5),
        )
        for spec in specs
    ]
    if rng.random() < 0.5:  # a rush to replicas with little memory, so that many wait and some are preempted
        specs = [replace(spec, kv_capacity_tokens=int(rng.integers(88, 112))) for spec in specs]
        for job in jobs:
            job.arrival_s /= 8
    last_s = jobs[-1].arrival_s + 1.0
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
    state, notices = runs.play(specs, runs.table(jobs), steps, most_in_flight, runs.prefixes(jobs), lets_go)
    naive = Naive(specs, jobs, most_in_flight)
    naive.run(steps, lets_go)
    return naive, state, notices


def resuming_case(seed: int, ties: bool) -> Case:
    """The same, but what is lost and retried mostly goes on from where it was."""
    specs, jobs, most_in_flight, steps, lets_go = elastic_case(seed, ties)
    goes_on = np.random.default_rng([seed, 3]).random(len(steps)) < 0.8
    steps = [replace(step, resume=bool(resume)) for step, resume in zip(steps, goes_on, strict=True)]
    return specs, jobs, most_in_flight, steps, lets_go


def compare(seed: int, ties: bool, case: Callable[[int, bool], Case] = elastic_case) -> bool:
    """Everything must agree; False when rounding decides who is first."""
    naive, state, notices = play(case(seed, ties))
    if naive.close_together and not ties:
        return False
    agree(state.requests, state, naive)
    np.testing.assert_allclose(notices, naive.notices, rtol=1e-9)
    for kept, name in (("past_ready_s", "ready_s"), ("past_seats_s", "seats_s"), ("past_capacity_s", "capacity_s")):
        np.testing.assert_allclose(state.replicas[kept], [getattr(past, name) for past in naive.past], rtol=1e-9)
    for row, spec in enumerate(naive.specs):
        counted(state, row, naive.books[row] if spec.metered or spec.hears != meters.HEARS_NOTHING else Books())
    return True


def counted(state: State, row: int, books: Books) -> None:
    """A pool's counters and histograms are what its books say (an empty book: nothing is counted)."""
    pool = state.pools[row]
    for name in ("present", "arrived", "arrived_tokens", "answered", "answered_tokens"):
        assert pool[name] == getattr(books, name), name
    assert pool["present_s"] == pytest.approx(books.present_s, rel=1e-9, abs=1e-9)
    bounds = (("ttft_s", books.ttft_s, meters.TTFT_BOUNDS_S), ("itl_s", books.itl_s, meters.ITL_BOUNDS_S))
    counts = state.lists[pool["meter0"] : pool["meter0"] + meters.WIDTH]
    expected = [np.bincount(np.searchsorted(upto, seen), minlength=len(upto) + 1) for _, seen, upto in bounds]
    assert counts.tolist() == np.concatenate(expected).tolist()
    for name, seen, _ in bounds:
        assert pool[name] == pytest.approx(sum(seen), rel=1e-9, abs=1e-9)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), ties=st.booleans())
def test_an_elastic_fleet_agrees_with_the_naive_oracle(seed: int, ties: bool) -> None:
    compare(seed, ties)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), ties=st.booleans())
def test_requests_that_go_on_elsewhere_agree_too(seed: int, ties: bool) -> None:
    compare(seed, ties, resuming_case)


class Watched(Naive):
    """Counts what control runs into."""

    def __init__(self, specs: list[PoolSpec], jobs: list[Job], most_in_flight: list[int | None]) -> None:
        super().__init__(specs, jobs, most_in_flight)
        self.seen: Counter[str] = Counter()
        self.makes: dict[int, int] = {}

    def close(self, machine: Machine, retry: bool, now_s: float, resume: bool = False) -> None:
        on_link = [entry for entry in self.on_links if entry[3] is machine]
        lost = [*machine.batch, *machine.waiting, *(entry[2] for entry in on_link)]
        self.seen["killed mid-batch"] += machine.spec.batching and bool(machine.decoding)
        self.seen["killed mid-prefill"] += any(job.prefilling and job.begun for job in machine.batch)
        self.seen["killed while others are preempted"] += any(job.been_in for job in machine.waiting)
        self.seen["killed with services under way"] += not machine.spec.batching and bool(machine.batch)
        self.seen["killed with caches on its own link"] += bool(on_link) and not machine.spec.link_shared
        self.seen["killed with caches on the shared link"] += bool(on_link) and machine.spec.link_shared
        self.seen["killed while it decodes for another pool"] += any(job.sent for job in machine.batch)
        self.seen["killed with prefix caches"] += bool(machine.idle or any(job.holds for job in machine.batch))
        self.seen["failed"] += bool(lost) and not retry
        self.seen["lost a second time"] += any(job.lost for job in lost)
        self.seen["closed with nothing to do"] += not lost
        super().close(machine, retry, now_s, resume)

    def drain(self, machine: Machine, redirect: bool, now_s: float) -> None:
        if redirect:
            self.seen["redirected"] += any(not job.been_in for job in machine.waiting)
            self.seen["redirected with its KV cache"] += any(job.arrived for job in machine.waiting)
            self.seen["redirected after it was lost"] += any(job.lost and not job.been_in for job in machine.waiting)
            self.seen["preempted, so it stays"] += any(job.been_in for job in machine.waiting)
        super().drain(machine, redirect, now_s)

    def open(self, row: int, make: int, now_s: float) -> None:
        line = bool(self.central[self.pool_of_row[row]])
        self.seen["opened to a central queue"] += line and self.specs[self.pool_of_row[row]].central
        self.seen["opened to those who came to an empty pool"] += line and not self.specs[self.pool_of_row[row]].central
        self.seen["a row used again by another make"] += self.makes.get(row, make) != make
        self.makes[row] = make
        super().open(row, make, now_s)

    def reject(self, job: Job, pool: int, now_s: float) -> None:
        self.seen["rejected after it was lost"] += job.lost > 0
        self.seen["rejected by an empty pool"] += not self.ready[pool]
        super().reject(job, pool, now_s)


def test_the_comparison_covers_what_is_rare() -> None:
    """Each thing that control can run into happens in at least three of these cases."""
    cases: Counter[str] = Counter()
    for seed in range(250):
        specs, jobs, most_in_flight, steps, lets_go = elastic_case(seed, ties=seed % 2 == 0)
        watched = Watched(specs, jobs, most_in_flight)
        watched.run(steps, lets_go)
        cases.update(
            {name: int(count > 0) for name, count in watched.seen.items()} | {"told": int(len(watched.notices) > 0)}
        )
    assert min(cases.values()) >= 3, cases


CAUGHT = [
    ("slots of another make than the pool's own", 1, False),
    ("a service that begins again keeps when it first began", 1, True),
    ("shared blocks make room for one more, at the opening too", 58, True),
    ("who was lost before, and never in this batch, is redirected", 11, True),
    ("KV caches on a link are lost in the order in which they would have come", 29, True),
    ("a new replica begins with iteration 0", 2, False),
    ("the link that a pool shares survives its first replica", 29, False),
    ("every KV cache counts as an arrival at the pool that decodes", 10, False),
    ("a first token that its client has not seen when it fails", 3, True),
    ("a KV cache of no tokens on the link", 96, True),
    ("the head of a central queue was kept for a replica that drains", 276, True),
]


@pytest.mark.parametrize(("what", "seed", "ties"), CAUGHT, ids=[what for what, _, _ in CAUGHT])
def test_what_this_comparison_has_found(what: str, seed: int, ties: bool) -> None:
    """Each of these cases fails when that is got wrong."""
    assert compare(seed, ties)


@pytest.mark.parametrize("block", range(10))
def test_300_seeds_that_never_change(block: int) -> None:
    compared = [compare(seed, ties=seed % 2 == 1) for seed in range(30 * block, 30 * block + 30)]
    assert sum(compared) >= 25, "rounding decides too often for this to prove much"
