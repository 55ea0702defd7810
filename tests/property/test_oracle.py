"""The transitions against the naive oracle: the same times to 1e-9, on random fleets and on grids where times tie."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.model import transfer
from sim.model.specs import PoolSpec
from sim.model.tables import NONE, OUTCOMES, State
from tests import runs
from tests.oracle import Job, Naive

PIECE = 16
"""Tokens of a block of a prompt that has an id, a multiple of all block sizes below."""
ROUTERS = ["round_robin", "random", "power_of_two", "least_outstanding", "least_tokens", "least_kv"]


def random_case(seed: int, ties: bool) -> tuple[list[PoolSpec], list[Job]]:
    """A fleet of one or two small pools, 5 to 120 jobs of two streams. With ties, times are multiples of 1/1024 s."""
    rng = np.random.default_rng(seed)
    specs = []
    for _ in range(int(rng.integers(1, 3))):
        batching = bool(rng.random() < 0.75)
        common = {
            "batching": batching,
            "replicas": int(rng.integers(1, 5)),
            "central": bool(rng.random() < 0.4),
            "router": str(rng.choice(ROUTERS)),
            "max_waiting": None if rng.random() < 0.6 else int(rng.integers(0, 6)),
        }
        if batching:
            seats = int(rng.integers(1, 9))
            chunked = bool(rng.random() < 0.7)
            unit = 1 / 1024 if ties else float(rng.uniform(0.0005, 0.002))
            drafted = int(rng.choice([0, 0, 1, 3]))
            specs.append(
                PoolSpec(
                    **common,
                    seats=seats,
                    chunked=chunked,
                    max_batched_tokens=int(rng.integers(80, 200))
                    if not chunked
                    else int(rng.integers(seats * (1 + drafted), 90)),
                    kv_capacity_tokens=int(rng.integers(88, 220)),
                    block_tokens=int(rng.choice([1, 1, 4, 16])),
                    watermark_share=float(rng.choice([0, 0.05])),
                    drafted=drafted,
                    tokens_per_step=1 + drafted * (0.75 if ties else float(rng.uniform(0, 1))),
                    base_s=16 * unit,
                    prefill_s_per_token=unit * float(rng.choice([0, 1])),
                    decode_s_per_seq=unit * float(rng.choice([0, 1])),
                    attention_s_per_token=unit * float(rng.choice([0, 1])) / (1 if ties else 7),
                    prefill_s_per_token_sq=unit * float(rng.choice([0, 0, 1])) / (1 if ties else 50),
                    overhead_s=float(rng.choice([0, 1 / 128])),
                    mixed_s=float(rng.choice([0, 1 / 256])),
                    tokens_s=(0.0,) if rng.random() < 0.5 else tuple(unit * (i // 4) for i in range(60)),
                    seqs_s=None if rng.random() < 0.5 else tuple(unit * (i // 2) for i in range(seats + 1)),
                    lookahead=int(rng.random() < 0.5),
                )
            )
        else:
            specs.append(PoolSpec(**common, seats=int(rng.integers(1, 4))))
    count = int(rng.integers(5, 120))
    gaps = rng.exponential(float(rng.uniform(0.01, 0.4)), count)
    service = rng.exponential(0.5, count)
    if ties:
        gaps, service = np.round(gaps * 32) / 32, np.round(service * 32) / 32
    longest = int(rng.integers(1, 40))
    jobs = [
        Job(
            arrival_s=float(at),
            prompt=int(rng.integers(0 if rng.random() < 0.2 else 1, 41)),
            output=int(rng.integers(1, longest + 1)),
            service_s=float(service[i]),
            ticket=float(rng.random()),
            pool=int(rng.integers(0, len(specs))),
            stream=int(rng.integers(0, 2)),
        )
        for i, at in enumerate(np.cumsum(gaps))
    ]
    for job in jobs:
        if rng.random() < 0.2:
            job.cached = int(rng.integers(0, max(job.prompt, 1)))
    return specs, jobs


def name_blocks(jobs: list[Job], rng: np.random.Generator) -> None:
    """Give the blocks of most prompts ids, such that many begin alike."""
    ids: dict[tuple[int, ...], int] = {}
    for job in jobs:
        sizes = [min(PIECE, job.prompt - begin) for begin in range(0, job.prompt, PIECE)]
        path: tuple[int, ...] = ()
        names = []
        for size in sizes if rng.random() < 0.8 else sizes[: int(rng.integers(0, len(sizes) + 1))]:
            path = (*path, int(rng.integers(0, 2)))
            names.append(ids.setdefault((*path, size), len(ids)))
        job.prefix, job.sizes = tuple(names), tuple(sizes[: len(names)])


def name_talks(jobs: list[Job], rng: np.random.Generator, block_tokens: int) -> None:
    """Some jobs go on where another ended: their prompt is that one's, its answer and more. Each part has an id.

    Some come while the other one is served still, and some from two sides.
    """
    ids = itertools.count()

    def whole(tokens: int) -> int:
        return tokens // block_tokens * block_tokens

    for at, job in enumerate(jobs):
        before = jobs[int(rng.integers(max(at - 8, 0), at))] if at and rng.random() < 0.8 else None
        end = 0
        if before is not None and (told := before.prompt + before.output + int(rng.integers(0, 9))) <= 41:
            job.prompt = told
            own = [] if before.answer < 0 else [(before.answer, before.answer_tokens)]
            job.prefix = (*before.prefix, *(name for name, _ in own))
            job.sizes = (*before.sizes, *(size for _, size in own))
            end = sum(job.sizes)
        if size := whole(job.prompt) - end:
            job.prefix, job.sizes = (*job.prefix, next(ids)), (*job.sizes, size)
        if size := whole(job.prompt + job.output - 1) - whole(job.prompt):
            job.answer, job.answer_tokens = next(ids), size
        job.cached = 0


def capped_case(seed: int, ties: bool) -> tuple[list[PoolSpec], list[Job], list[int | None]]:
    """A random case and how many requests its clients have in flight.

    Some have prompts that begin alike, some with two pools hand over from one to the other.
    """
    rng = np.random.default_rng([seed, 1])
    specs, jobs = random_case(seed, ties)
    named = rng.random()
    if named < 0.3:
        name_blocks(jobs, rng)
    elif named < 0.5:
        name_talks(jobs, rng, max(spec.block_tokens for spec in specs))
    if len(specs) == 2 and specs[0].batching and specs[1].batching and rng.random() < 0.7:
        link = {
            "link_s_per_token": float(rng.choice([0, 1 / 512, 1 / 64])),
            "link_latency_s": float(rng.choice([0, 1 / 64])),
        }
        specs[0] = replace(specs[0], next_pool=1, link_shared=bool(rng.random() < 0.5), **link)
    return specs, jobs, [None if rng.random() < 0.6 else int(rng.integers(1, 12)) for _ in range(2)]


def compare(specs: list[PoolSpec], jobs: list[Job], most_in_flight: list[int | None], ties: bool) -> int:
    """Run both; every column must agree. Returns the preemptions seen, so that a test can ask for some."""
    rows = runs.table(jobs)
    state = runs.run(specs, rows, most_in_flight, runs.prefixes(jobs))
    naive = Naive(specs, jobs, most_in_flight)
    naive.run()
    if naive.close_together and not ties:
        # two replicas in step: k times a step and k steps added up differ in the last bit, which decides who is first
        return 0
    agree(rows, state, naive)
    return int(state.replicas["preemptions"].sum())


def agree(rows: NDArray[Any], state: State, naive: Naive) -> None:
    """What the transitions have left behind is what the naive model says, to 1e-9."""
    for name, value in (
        ("arrival_s", lambda job: job.arrival_s),
        ("start_s", lambda job: job.start_s),
        ("first_token_s", lambda job: job.first_token_s),
        ("finish_s", lambda job: job.finish_s),
        ("replica", lambda job: job.replica),
        ("cached_tokens", lambda job: job.cached),
        ("lost", lambda job: job.lost),
    ):
        expected = [value(job) for job in naive.jobs]
        np.testing.assert_allclose(rows[name], expected, rtol=1e-9, atol=1e-9, err_msg=name)
    assert [OUTCOMES[outcome] for outcome in rows["outcome"]] == [job.outcome for job in naive.jobs]
    for name in ("busy_s", "running_s", "kv_s", "preemptions", "lives"):
        expected = [getattr(past, name) for past in naive.past]
        np.testing.assert_allclose(state.replicas[name], expected, rtol=1e-9, atol=1e-9, err_msg=name)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), ties=st.booleans())
def test_transitions_agree_with_the_naive_oracle(seed: int, ties: bool) -> None:
    compare(*capped_case(seed, ties), ties)


def test_the_comparison_covers_preemption() -> None:
    """Random fleets small enough in memory that the comparison above has met preemption many times."""
    assert sum(compare(*capped_case(seed, ties=seed % 2 == 0), ties=seed % 2 == 0) for seed in range(200)) > 40


def test_the_comparison_covers_what_is_rare() -> None:
    """Requests handed over, some preempted after it; several tokens an iteration; hits in prefix caches."""
    handed = np.zeros(4, int)
    speculating = hits = answers = 0
    for seed in range(100):
        specs, jobs, most_in_flight = capped_case(seed, ties=False)
        rows = runs.table(jobs)
        runs.run(specs, rows, most_in_flight, runs.prefixes(jobs))
        hits += np.count_nonzero(rows["cached_tokens"][rows["prefix0"] != NONE])
        kept = {job.answer for job in jobs}
        for row, job in zip(rows, jobs, strict=True):
            reached = np.cumsum(job.sizes) <= row["cached_tokens"]
            answers += sum(name in kept for name, reach in zip(job.prefix, reached, strict=True) if reach)
        handed += np.bincount(rows["handed"], minlength=4)
        speculating += sum(spec.tokens_per_step > 1 for spec in specs)
    assert handed[transfer.GOES_ON] > 200
    assert handed[transfer.STARTS_OVER] > 0
    assert speculating > 20
    assert hits > 300
    assert answers > 50
