"""How fast the engine is, beside yardsticks in the same run. Ratios are asserted, rates are printed (`make bench`).

The traffic has lengths like the Azure 2023 conversation trace (mean 1155 and 211 tokens), the fleet is a 70B model on
four H100 a replica, and the rate is 70 % of what the fleet can carry (7.5 requests a second a replica).
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import simpy
from numpy.typing import NDArray

from sim.engine import warm_up
from sim.engine.calendars import CompiledCalendar, SimpyCalendar
from sim.fleet.clock import Clock
from sim.model import lives, state
from sim.model.specs import PoolSpec
from sim.model.tables import NONE, REQUEST
from tests.benchmarks.plain_loop import plain_loop

pytestmark = pytest.mark.bench

RATE_PER_REPLICA = 7.5
LAW = (0.0156, 5.58e-5, 4.25e-5, 2.8e-8)


def fleet(replicas: int) -> PoolSpec:
    base, prefill, decode, attention = LAW
    return PoolSpec(
        batching=True,
        replicas=replicas,
        seats=256,
        max_batched_tokens=8192,
        kv_capacity_tokens=1_000_000,
        base_s=base,
        prefill_s_per_token=prefill,
        decode_s_per_seq=decode,
        attention_s_per_token=attention,
    )


def traffic(count: int, replicas: int) -> NDArray[Any]:
    rng = np.random.default_rng(7)
    rows = np.zeros(count, REQUEST)
    rows["prefix0"] = NONE
    rows["arrival_s"] = np.cumsum(rng.exponential(1 / (RATE_PER_REPLICA * replicas), count))
    shares = [0, 0.25, 0.5, 0.75, 0.9, 0.99, 1]
    rows["prompt_tokens"] = np.interp(rng.random(count), shares, [4, 380, 1020, 1700, 2735, 4142, 6000])
    rows["output_tokens"] = np.interp(rng.random(count), shares, [1, 60, 129, 350, 424, 601, 1000])
    for name in ("start_s", "first_token_s", "finish_s"):
        rows[name] = math.nan
    rows["replica"] = NONE
    return rows


def seconds(calendar: type, rows: NDArray[Any], replicas: int) -> float:
    """Wall time of one run, tables already built."""
    rows = rows.copy()
    tables = state.build([fleet(replicas)], rows)
    for row in range(replicas):
        lives.open_replica(tables, row, 0.0)
    run = calendar(Clock(), tables)
    began = time.perf_counter()
    run.run()
    passed = time.perf_counter() - began
    assert np.isfinite(rows["finish_s"]).all()
    return passed


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    warm_up("simpy", None)
    warm_up("compiled", None)


def test_compiled_calendar_beside_a_plain_loop(capsys: pytest.CaptureFixture[str]) -> None:
    count, replicas = 1_000_000, 8
    rows = traffic(count, replicas)
    arguments = (
        rows["arrival_s"].copy(), rows["prompt_tokens"].astype(np.int64), rows["output_tokens"].astype(np.int64),
        replicas, 256, 8192, 1_000_000, LAW,
    )  # fmt: skip
    finish = plain_loop(*arguments)[2]
    checked = rows.copy()
    tables = state.build([fleet(replicas)], checked)
    for row in range(replicas):
        lives.open_replica(tables, row, 0.0)
    CompiledCalendar(Clock(), tables).run()
    np.testing.assert_array_equal(checked["finish_s"], finish, "the yardstick computes the same thing")
    ours, plain = [], []
    for _ in range(5):
        ours.append(seconds(CompiledCalendar, rows, replicas))
        began = time.perf_counter()
        plain_loop(*arguments)
        plain.append(time.perf_counter() - began)
    ratio = float(np.median(np.array(plain) / np.array(ours)))
    with capsys.disabled():
        print(
            f"\ncompiled calendar {count / np.median(ours) / 1e6:.2f} M requests/s, plain loop "
            f"{count / np.median(plain) / 1e6:.2f} M, ratio {ratio:.2f} (bar 0.5 and 1 M)"
        )
    assert ratio >= 0.5
    assert count / min(ours) >= 1e6


def test_simpy_calendar_beside_a_textbook_queue(capsys: pytest.CaptureFixture[str]) -> None:
    count, replicas = 30_000, 8
    rows = traffic(count, replicas)
    ratios = []
    for _ in range(5):
        textbook = _textbook_mm10(count)
        ours = seconds(SimpyCalendar, rows, replicas)
        ratios.append(textbook / ours)
    ratio = float(np.median(ratios))
    with capsys.disabled():
        print(
            f"\nSimPy calendar {count / ours / 1e3:.0f} k requests/s, textbook M/M/10 {count / textbook / 1e3:.0f} k, "
            f"ratio {ratio:.2f} (bar 0.5)"
        )
    assert ratio >= 0.5


def _textbook_mm10(count: int) -> float:
    """Seconds for an M/M/10 queue as every SimPy tutorial writes it."""
    rng = random.Random(1)
    env = simpy.Environment()
    servers = simpy.Resource(env, 10)

    def job() -> Iterator[Any]:
        with servers.request() as turn:
            yield turn
            yield env.timeout(rng.expovariate(1))

    def source() -> Iterator[Any]:
        for _ in range(count):
            yield env.timeout(rng.expovariate(7))
            env.process(job())

    env.process(source())
    began = time.perf_counter()
    env.run()
    return time.perf_counter() - began


def test_time_per_request_does_not_grow_with_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [10**4, 10**5, 10**6, 10**7]
    each = {}
    for size in sizes:
        rows = traffic(size, 8)
        each[size] = min(seconds(CompiledCalendar, rows, 8) for _ in range(2 if size == 10**7 else 5)) / size
    growth = max(each.values()) / min(each.values())
    with capsys.disabled():
        shown = ", ".join(f"{size:.0e}: {1e9 * value:.0f} ns" for size, value in each.items())
        print(f"\ntime per request {shown}; largest over smallest {growth:.2f} (bar 1.5)")
    assert growth <= 1.5


def test_time_per_request_grows_little_with_the_fleet(capsys: pytest.CaptureFixture[str]) -> None:
    count = 1_000_000
    each = {}
    for replicas in (8, 64, 1024):
        rows = traffic(count, replicas)
        each[replicas] = min(seconds(CompiledCalendar, rows, replicas) for _ in range(5)) / count
    with capsys.disabled():
        shown = ", ".join(f"{replicas} replicas: {1e9 * value:.0f} ns" for replicas, value in each.items())
        print(f"\ntime per request {shown}; 1024 over 8: {each[1024] / each[8]:.2f} (bar 3)")
    assert each[1024] <= 3 * each[8]
