"""Relations between two runs that must hold whatever the trace: more servers, less work, scaled time, parts alone.

Theorems are asserted for every request; nothing here rests on a mean over luck. What only seems true (more replicas
are faster, a faster engine is faster) is not here: counterexamples are in tests/validation/test_sample_paths.py.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.model.specs import PoolSpec
from sim.model.tables import COMPLETED, REJECTED
from tests import runs
from tests.oracle import Job
from tests.property.test_oracle import random_case

SECONDS = ("start_s", "first_token_s", "finish_s")
Rows = NDArray[Any]

gap_s = st.one_of(st.integers(0, 4).map(lambda n: n / 4), st.floats(0, 3, width=32))
trace = st.lists(st.tuples(gap_s, gap_s), min_size=1, max_size=30)
servers = st.integers(1, 4)
patient = settings(max_examples=60, deadline=None)  # two cores, shared
cases = st.builds(random_case, st.integers(0, 2**32 - 1), st.booleans())
apart = cases.map(lambda case: ([replace(spec, next_pool=None) for spec in case[0]], case[1]))
"""Pools that hand nothing over: each of them can be run alone."""


def jobs_of(drawn: list[tuple[float, float]]) -> list[Job]:
    """Gaps and services as jobs; many times tie."""
    arrival_s = np.cumsum([gap for gap, _ in drawn])
    return [Job(float(at), service_s=float(service)) for at, (_, service) in zip(arrival_s, drawn, strict=True)]


def line(replicas: int, **changes: Any) -> PoolSpec:
    """Servers of one slot behind one line."""
    return replace(PoolSpec(batching=False, replicas=replicas, seats=1, central=True), **changes)


def ran(specs: list[PoolSpec], jobs: list[Job]) -> Rows:
    rows = runs.table(jobs)
    runs.run(specs, rows)
    return rows


def waits_s(spec: PoolSpec, jobs: list[Job]) -> Rows:
    rows = ran([spec], jobs)
    return np.asarray(rows["start_s"] - rows["arrival_s"])


def same(rows: Rows, other: Rows, scale: float = 1.0, shift_s: float = 0.0, replica: bool = True) -> None:
    """The same history, every time scaled, then shifted: exactly."""
    for name in SECONDS:
        np.testing.assert_array_equal(rows[name] * scale + shift_s, other[name], err_msg=name)
    np.testing.assert_array_equal(rows["outcome"], other["outcome"])
    if replica:
        np.testing.assert_array_equal(rows["replica"], other["replica"])


# -- one line, any number of servers: Kiefer and Wolfowitz ---------------------------------------------------------


@patient
@given(trace, servers)
def test_m1_one_server_more_makes_nobody_wait_longer(drawn: list[tuple[float, float]], count: int) -> None:
    jobs = jobs_of(drawn)
    assert (waits_s(line(count + 1), jobs) <= waits_s(line(count), jobs)).all()


@patient
@given(trace, servers, st.data())
def test_m2_shorter_services_make_nobody_wait_longer(
    drawn: list[tuple[float, float]], count: int, data: st.DataObject
) -> None:
    jobs = jobs_of(drawn)
    part = data.draw(st.lists(st.floats(0, 1), min_size=len(jobs), max_size=len(jobs)))
    shorter = [replace(job, service_s=job.service_s * share) for job, share in zip(jobs, part, strict=True)]
    assert (waits_s(line(count), shorter) <= waits_s(line(count), jobs)).all()


@patient
@given(trace, servers, st.data())
def test_m3_without_one_request_nobody_else_waits_longer(
    drawn: list[tuple[float, float]], count: int, data: st.DataObject
) -> None:
    jobs = jobs_of(drawn)
    gone = data.draw(st.integers(0, len(jobs) - 1))
    kept = [job for place, job in enumerate(jobs) if place != gone]
    assume(kept)
    assert (waits_s(line(count), kept) <= np.delete(waits_s(line(count), jobs), gone)).all()


@patient
@given(trace, servers)
def test_m4_without_a_line_one_server_more_takes_in_whoever_was_taken_in(
    drawn: list[tuple[float, float]], count: int
) -> None:
    jobs = jobs_of(drawn)
    few = ran([line(count, max_waiting=0)], jobs)["outcome"] == COMPLETED
    more = ran([line(count + 1, max_waiting=0)], jobs)["outcome"] == COMPLETED
    assert (few <= more).all()


# -- units of time -----------------------------------------------------------------------------------------------------

_TIMES = (
    *("base_s", "prefill_s_per_token", "prefill_s_per_token_sq", "decode_s_per_seq", "attention_s_per_token"),
    *("mixed_s", "overhead_s", "link_s_per_token", "link_latency_s", "refresh_s"),
    *("aging_s", "target_s", "interval_s", "retry_after_s"),
)


def test_every_time_of_a_pool_is_scaled() -> None:
    names = {field.name for field in fields(PoolSpec) if field.type == "float" and "_s" in field.name}
    assert names - {"watermark_share", "tokens_per_step"} == set(_TIMES)


def scaled(spec: PoolSpec, scale: float) -> PoolSpec:
    tables = {
        name: tuple(np.asarray(getattr(spec, name)) * scale) for name in ("tokens_s", "seqs_s") if getattr(spec, name)
    }
    return replace(spec, **tables, **{name: getattr(spec, name) * scale for name in _TIMES})


@patient
@given(cases, st.integers(-12, 12))
def test_m5_time_has_no_natural_unit(case: tuple[list[PoolSpec], list[Job]], power: int) -> None:
    """All times doubled, or halved, any number of times: the same history to the last bit. Finds hidden seconds."""
    specs, jobs = case
    scale = 2.0**power
    other = [replace(job, arrival_s=job.arrival_s * scale, service_s=job.service_s * scale) for job in jobs]
    same(ran(specs, jobs), ran([scaled(spec, scale) for spec in specs], other), scale=scale)


@patient
@given(st.integers(0, 2**32 - 1), st.integers(1, 10_000))
def test_m6_the_day_can_start_later(seed: int, shift_s: int) -> None:
    """On a grid where sums are exact, a trace that comes later is served later, and not otherwise."""
    specs, jobs = random_case(seed, ties=True)
    later = [replace(job, arrival_s=job.arrival_s + shift_s) for job in jobs]
    same(ran(specs, jobs), ran(specs, later), shift_s=float(shift_s))


# -- equivalences ------------------------------------------------------------------------------------------------------


@patient
@given(apart, st.sampled_from(["round_robin", "random"]))
def test_m10_replicas_behind_a_blind_router_are_replicas_alone(
    case: tuple[list[PoolSpec], list[Job]], router: str
) -> None:
    """Who is sent to a replica without a look at it is served as if that replica were the whole fleet."""
    spec = replace(case[0][0], central=False, router=router)
    jobs = [replace(job, pool=0) for job in case[1]]
    together = ran([spec], jobs)
    place = np.arange(len(jobs)) % spec.replicas
    if router == "random":
        place = np.array([int(job.ticket * spec.replicas) for job in jobs])
    for replica in range(spec.replicas):
        mine = place == replica
        alone = ran([replace(spec, replicas=1)], [job for job, here in zip(jobs, mine, strict=True) if here])
        same(together[mine], alone, replica=False)


@patient
@given(apart)
def test_m10_pools_do_not_touch_each_other(case: tuple[list[PoolSpec], list[Job]]) -> None:
    specs, jobs = case
    together = ran(specs, jobs)
    for row, spec in enumerate(specs):
        alone = ran([spec], [replace(job, pool=0) for job in jobs if job.pool == row])
        same(together[together["pool"] == row], alone, replica=False)


@patient
@given(apart, st.sampled_from(["random", "power_of_two", "least_outstanding", "least_tokens", "least_kv"]))
def test_m10_one_replica_needs_no_router(case: tuple[list[PoolSpec], list[Job]], router: str) -> None:
    spec = replace(case[0][0], central=False, router="round_robin", replicas=1)
    jobs = [replace(job, pool=0) for job in case[1]]
    same(ran([spec], jobs), ran([replace(spec, router=router)], jobs))


@patient
@given(trace, servers)
def test_m10_slots_are_servers(drawn: list[tuple[float, float]], count: int) -> None:
    """One replica of c slots, c replicas of one, behind one line; and one replica with its own line."""
    jobs = jobs_of(drawn)
    servers_rows = ran([line(count)], jobs)
    same(servers_rows, ran([line(1, seats=count)], jobs), replica=False)
    same(servers_rows, ran([line(1, seats=count, central=False)], jobs), replica=False)


@patient
@given(apart)
def test_m10_a_limit_that_nobody_reaches_is_none(case: tuple[list[PoolSpec], list[Job]]) -> None:
    spec = replace(case[0][0], max_waiting=None)
    jobs = [replace(job, pool=0) for job in case[1]]
    rows = ran([spec], jobs)
    assert not (rows["outcome"] == REJECTED).any()
    same(rows, ran([replace(spec, max_waiting=len(jobs))], jobs))


@patient
@given(apart)
def test_m10_a_batch_of_one_is_a_line(case: tuple[list[PoolSpec], list[Job]]) -> None:
    """An engine that runs one sequence at a time is a server whose service is the request alone.

    Not with speculation: which iteration makes one token more goes by the replica's count, not the request's.
    """
    spec, jobs = case[0][0], [replace(job, pool=0) for job in case[1]]
    assume(spec.batching)
    spec = replace(spec, seats=1, central=False, router="round_robin", max_waiting=None, overhead_s=0.0, chunked=True)
    spec = replace(spec, kv_capacity_tokens=10**6, seqs_s=spec.seqs_s and spec.seqs_s[:2])
    spec = replace(spec, drafted=0, tokens_per_step=1.0)
    alone_s = []
    for job in jobs:
        [row] = ran([replace(spec, replicas=1)], [replace(job, arrival_s=0.0)])
        alone_s.append(float(row["finish_s"]))
    line_of = PoolSpec(batching=False, replicas=spec.replicas, seats=1, router="round_robin")
    services = [replace(job, service_s=alone) for job, alone in zip(jobs, alone_s, strict=True)]
    rows, expected = ran([spec], jobs), ran([line_of], services)
    for name in ("start_s", "finish_s"):
        np.testing.assert_allclose(rows[name], expected[name], rtol=1e-9, atol=1e-9)


@patient
@given(apart)
def test_m10_a_budget_that_never_binds_need_not_be_chunked(case: tuple[list[PoolSpec], list[Job]]) -> None:
    spec, jobs = case[0][0], [replace(job, pool=0) for job in case[1]]
    assume(spec.batching)
    spec = replace(spec, max_batched_tokens=10**6)
    same(ran([replace(spec, chunked=True)], jobs), ran([replace(spec, chunked=False)], jobs))


@patient
@given(trace, st.integers(1, 30))
def test_m12_work_is_work_in_whatever_order(drawn: list[tuple[float, float]], tokens: int) -> None:
    """One server, first come first served, or shared out token by token: idle at the same times."""
    jobs = [replace(job, output=1 + k * tokens % 37, prompt=0) for k, job in enumerate(jobs_of(drawn))]
    each_s = 1 / 64
    lined = [replace(job, service_s=job.output * each_s) for job in jobs]
    rows = runs.table(jobs)
    shared = PoolSpec(
        batching=True, replicas=1, seats=64, max_batched_tokens=64, kv_capacity_tokens=10**6, decode_s_per_seq=each_s
    )
    engine = runs.run([shared], rows)
    expected = runs.table(lined)
    server = runs.run([line(1)], expected)
    assert engine.replicas[0]["busy_s"] == pytest.approx(server.replicas[0]["busy_s"], abs=1e-9)
    before_s = np.maximum.accumulate(expected["finish_s"])[:-1]
    idle = np.flatnonzero(before_s < expected["arrival_s"][1:] - 1e-9)  # between two busy periods of the line
    engine_before_s = np.maximum.accumulate(rows["finish_s"])[:-1]
    np.testing.assert_allclose(engine_before_s[idle], before_s[idle], atol=1e-9)
    assert rows["finish_s"].max() == pytest.approx(expected["finish_s"].max(), abs=1e-9)


@patient
@given(st.integers(2, 60), st.integers(1, 4))
def test_m19_overload_grows_by_what_is_too_much(count: int, servers_: int) -> None:
    """Arrivals at regular intervals, half a service apart for each server: half of them are left over."""
    gap = 1 / (2 * servers_)
    rows = ran([line(servers_)], [Job(k * gap, service_s=1.0) for k in range(2 * servers_ * count)])
    arrived = np.searchsorted(rows["arrival_s"], count, "left")
    here = arrived - np.searchsorted(np.sort(rows["finish_s"]), count, "right")
    assert abs(here - count * servers_) <= servers_
