"""How well a study uses its cores: 200 runs of an hour of 50,000 requests, by one process and by two.

`python -m tests.benchmarks.test_study_speed 20` tries it with fewer runs, and prints the figures.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from sim import load
from sim.scenario import Scenario
from sim.study.executors import Local
from sim.study.replicated.replications import Rule
from sim.study.store import Design, Kept, Making, Place, made, opened
from sim.study.swept.campaign import Wanted, carry_out

RUNS = 200
LEAST_RATIO, MOST_OUTSIDE_SHARE = 1.8, 0.15


@dataclass(frozen=True)
class Took:
    """What a study took."""

    wall_s: float
    runs_s: float
    """What its runs took, each by itself, loading the engine in each process included."""
    workers: int
    data: bytes

    @property
    def outside_share(self) -> float:
        """Of the time of all workers, what was not spent on runs."""
        return 1 - self.runs_s / (self.workers * self.wall_s)


def scenario() -> Scenario:
    """An hour of 50,000 requests on sixteen replicas."""
    hour = ("horizon=1h", "workload.arrivals.rate=13.9/s", "pools.chat.autoscaler.replicas=16")
    return load("chat-h100", hour)


def took(runs: int, workers: int) -> Took:
    """Make a study of so many replications, its folder included."""
    of = scenario()
    made(Making(of, of.digest, runs))  # the engine is compiled, if it was not
    spent = []
    with tempfile.TemporaryDirectory() as there:
        folder = Path(there) / "study"
        began = time.perf_counter()
        design = Design("chat-h100", (), (Place({}, of.digest),), Rule(number=runs))
        with Local(workers, at_once=workers) as pool, opened(folder, design) as store:

            def keep(run: Kept) -> None:
                store.add(run)
                spent.append(run.took_s)

            carry_out([Wanted(of, of.digest)], design.rule, pool, store.runs, keep)
            store.finish()
        wall_s = time.perf_counter() - began
        return Took(wall_s, sum(spent), workers, (folder / "runs.parquet").read_bytes())


@pytest.mark.bench
def test_two_cores_are_nearly_twice_as_fast_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print()
        one, two = told(RUNS)
    assert one.wall_s / two.wall_s >= LEAST_RATIO
    assert two.outside_share <= MOST_OUTSIDE_SHARE


def told(runs: int) -> tuple[Took, Took]:
    """Both, with their figures printed."""
    one, two = took(runs, 1), took(runs, 2)
    assert one.data == two.data
    for each in (one, two):
        print(
            f"{runs} runs, {each.workers} worker(s): {each.wall_s:.1f} s, {1e3 * each.runs_s / runs:.0f} ms a run, "
            f"{each.outside_share:.1%} outside of runs"
        )
    print(f"two are {one.wall_s / two.wall_s:.2f} times as fast as one")
    return one, two


if __name__ == "__main__":
    told(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
