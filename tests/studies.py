"""A small study for tests: points, what is asked, and its folder made in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sim.study.executors import Executor, Here
from sim.study.replicated.replications import Precision, Rule
from sim.study.store import Design, Kept, Place, opened
from sim.study.store.kept import Key
from sim.study.swept.campaign import Shard, Wanted, carry_out
from sim.study.swept.sweep import Axis, Point, grid

REPLICAS, SEED = "pools.main.autoscaler.replicas", "seed"
SCENARIO: dict[str, Any] = {
    "name": "study",
    "horizon": "20s",
    "workload": {"arrivals": {"kind": "poisson", "rate": 4}, "service": {"kind": "exponential", "mean": 1}},
    "pools": {
        "main": {
            "replica": {"kind": "slots"},
            "queue": {"kind": "central"},
            "autoscaler": {"kind": "fixed", "replicas": 5},
            "price": {"on_demand": 2},
        }
    },
    "slo": [{"metric": "queue_wait", "under": "2s", "share": 0.9}],
}
THREE = Rule(number=3)
BY_GOAL = Rule(goals=(Precision(0.12, ("latency.e2e_s.mean",)),), most=30)
"""Some points of the study reach it sooner than others, and one not at all."""


def points_of(*replicas: int, seeds: tuple[int, ...] = (1, 2), source: Any = None) -> list[Point]:
    """A grid over replicas and seeds."""
    axes = [Axis(REPLICAS, tuple(map(str, replicas))), Axis(SEED, tuple(map(str, seeds)))]
    return grid(SCENARIO if source is None else source, [], axes)


def design_of(points: list[Point], rule: Rule = THREE) -> Design:
    """A study of these points."""
    return Design("study", (), tuple(Place(each.values, each.scenario.digest) for each in points), rule, "base")


def study(
    folder: Path,
    points: list[Point],
    rule: Rule = THREE,
    executor: Executor | None = None,
    shard: Shard | None = None,
    told: Any = None,
) -> list[Key]:
    """Make what is missing of a study in its folder, as `fleetcast sweep` does; the runs that were made."""
    made: list[Key] = []
    name = "" if shard is None else f"{shard.number}-of-{shard.of}"
    with opened(folder, design_of(points, rule), shard=name) as store:
        by_digest = {each.scenario.digest: each.scenario for each in points}
        wanted = [Wanted(by_digest[place.digest], place.digest) for place in store.design.places]

        def keep(run: Kept) -> None:
            store.add(run)
            made.append(run.key)

        carry_out(wanted, rule, executor or Here(), store.runs, keep, shard, told)
        if shard is None:
            store.finish()
    return made


def bytes_in(folder: Path) -> bytes:
    """The finished study; nothing else is in the folder but what says what it is."""
    assert sorted(path.name for path in folder.iterdir()) == ["runs.parquet", "study.json"]
    return (folder / "runs.parquet").read_bytes()
