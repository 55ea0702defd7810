"""Steady state: how long a run takes to forget that it began empty, and how long it has to be to say so.

For demand at a constant rate. Several runs from the start are averaged (Welch), MSER-5 cuts each of their series, and
the latest cut is the warm-up: what has settled by then has settled for all. Where a cut is at the half, or what is
left still drifts, the runs were too short, and longer ones are made. The warm-up is deleted by time, not by requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from sim.autoscaling.own.scheduled import Scheduled
from sim.config.errors import ConfigError, Problem
from sim.engine import simulate, warm_up
from sim.result import words
from sim.result.fleet import integrals_at
from sim.result.occupancy import occupancy
from sim.scenario import Scenario
from sim.scenario.faults import ZoneOutage
from sim.statistics.warmup import drifts, mser5
from sim.study.executors import Executor
from sim.study.replicated.record import Task
from sim.study.replicated.replications import MOST_REQUESTS, pays_to_compile
from sim.workload.arrivals import Varying
from sim.workload.generated import Generated

Floats = NDArray[np.float64]

RUNS, MOST_RUNS, SMALL_REQUESTS = 10, 100, 200_000
"""How many runs are averaged: as many as have so many requests together, within these limits; of large ones fewer."""
BINS = 500
EXTENSIONS = 5
"""Times that the runs are made twice as long."""
NAMES = {
    "in_system": "requests in the system",
    "waiting": "waiting requests",
    "kv_tokens": "tokens in KV memory",
    "replicas": "ready replicas",
}
_STILL = 1e-9
"""Relative spread below which a series does not move at all: what is left is rounding."""
_TIMED = ("cron", "schedule", "schedules")
"""Keys of an autoscaler that looks at the clock."""


@dataclass(frozen=True, eq=False)
class Settled:
    """A scenario whose warm-up is long enough, and what says so."""

    scenario: Scenario
    """With `warmup` and `horizon` set."""
    extended: int
    """Times that the horizon was doubled."""
    runs: int
    """Whose average the series are."""
    series: dict[str, Floats]
    """By metric, shape (BINS,): averages over equal bins from the start to the horizon."""
    cuts_s: dict[str, float]
    """By metric, when it has settled; those that never move are left out."""

    @property
    def slowest(self) -> str:
        """The metric that settles last."""
        return max(self.cuts_s, key=lambda name: self.cuts_s[name], default="in_system")

    def block(self) -> dict[str, Any]:
        """As it stands in JSON."""
        scenario = self.scenario
        return {
            "warmup_s": scenario.warmup_s,
            "horizon_s": scenario.horizon_s,
            "extended": self.extended,
            "slowest": self.slowest,
        }


def settled(
    scenario: Scenario,
    executor: Executor,
    watch: Callable[[int, int | None], None] | None = None,
    on_compile: Callable[[], None] | None = None,
) -> Settled:
    """Find the warm-up, in runs that are made longer where they are too short.

    `watch` is told how many runs have been made, of how many; `on_compile`: see `simulate`. Raises `ConfigError` for a
    scenario whose demand or fleet is not to settle, or does not.
    """
    check(scenario)
    horizon_s = scenario.horizon_s
    assert horizon_s is not None, "only what is replayed has no horizon"
    for extended in range(EXTENSIONS + 1):
        trial = scenario.model_copy(update={"warmup_s": 0.0, "horizon_s": horizon_s})
        requests = scenario.workload.expected_requests(horizon_s)
        runs, made = runs_of(requests), trial
        if pays_to_compile(scenario, int(runs * requests)):
            warm_up("compiled", on_compile)
            made = trial.model_copy(update={"calendar": "compiled"})
        found: list[dict[str, Floats]] = []
        for one in executor.in_order(traced, [Task(made, replication) for replication in range(runs)]):
            found.append(one)
            if watch is not None:
                watch(len(found), runs)
        every = {name: np.array([one[name] for one in found]) for name in found[0]}
        series = {name: values.mean(axis=0) for name, values in every.items()}
        cuts = {name: mser5(values - values.mean()) for name, values in series.items() if _moves(values)}
        cuts_s = {name: cut.truncate * horizon_s / BINS for name, cut in cuts.items()}
        latest = max((cut.truncate for cut in cuts.values()), default=0)
        short = [name for name, cut in cuts.items() if not cut.is_long_enough or drifts(every[name], latest)]
        if not short:
            warm = trial.model_copy(update={"warmup_s": max(cuts_s.values(), default=0.0)})
            return Settled(warm, extended, runs, series, cuts_s)
        horizon_s *= 2
    told = (
        f"has not settled by {words.duration(horizon_s / 2)}: {NAMES[short[0]]} still change. At a constant rate "
        "that is an overload, or a cycle: add replicas, or lower the rate, or run without --steady"
    )
    raise ConfigError(Problem(told, "pools"))


def runs_of(requests: float) -> int:
    """How many runs of so many requests are averaged: chance would hide a trend of small ones."""
    wanted = min(max(RUNS, int(SMALL_REQUESTS / max(requests, 1.0))), MOST_RUNS)
    return max(1, min(wanted, int(MOST_REQUESTS / max(requests, 1.0))))


def traced(task: Task) -> dict[str, Floats]:
    """Averages of a run's state over equal bins from its start to its horizon, by metric, shape (BINS,) each.

    Requests in the system and waiting are exact; KV memory (tokens) and ready replicas are sampled some 200 times a
    run, and what lies between two samples is spread evenly.
    """
    result = simulate(task.scenario, task.replication, stream=False)
    log = result.log
    edges_s = np.linspace(0.0, log.edges_s[-1], BINS + 1)
    length_s = np.diff(edges_s)
    there = occupancy(log.requests, edges_s, None, log.calls)
    used = integrals_at(log.samples, edges_s, list(range(len(log.pools))))
    return {
        "in_system": (there.waiting_s + there.running_s) / length_s,
        "waiting": there.waiting_s / length_s,
        "kv_tokens": np.diff(used["kv_tokens_s"]) / length_s,
        "replicas": np.diff(used["ready_s"]) / length_s,
    }


def moving_average(values: Floats) -> Floats:
    """Welch's: the mean of each value and as many on either side as there are, up to 5 % of all; shape (n,)."""
    most = max(len(values) // 20, 1)
    sums = np.concatenate(([0.0], np.cumsum(values)))
    places = np.arange(len(values))
    sides = np.minimum(np.minimum(places, places[::-1]), most)
    averages: Floats = (sums[places + sides + 1] - sums[places - sides]) / (2 * sides + 1)
    return averages


def check(scenario: Scenario) -> None:
    """Refuse what is not meant to settle. Raises `ConfigError` with each reason, its place and what to do instead."""
    problems = []
    for name, stream in scenario.workload.by_name().items():
        place = scenario.workload.place_of(name)
        if not isinstance(stream, Generated):
            problems.append(Problem("is a trace, which has its own beginning and end", place))
        elif isinstance(stream.arrivals, Varying):
            told = f"{stream.arrivals.kind}: the rate changes over time, so there is nothing to settle to"
            problems.append(Problem(told, f"{place}.arrivals"))
    for name, pool in scenario.pools.items():
        if isinstance(pool.autoscaler, Scheduled) or _looks_at_the_clock(_plain(pool.autoscaler)):
            problems.append(Problem("changes the fleet by the clock", f"pools.{name}.autoscaler"))
        if pool.rollouts:
            problems.append(Problem("happen at a time of their own", f"pools.{name}.rollouts"))
        if any(isinstance(fault, ZoneOutage) for fault in pool.faults):
            problems.append(Problem("a zone's outage happens at a time of its own", f"pools.{name}.faults"))
    remedy = "--steady is for a constant rate; without it the run is what it is, from its start to its horizon"
    if problems:
        last = problems.pop()
        raise ConfigError([*problems, Problem(f"{last.message}; {remedy}", last.path)])


def _moves(values: Floats) -> bool:
    return bool(np.ptp(values) > _STILL * max(float(np.abs(values).max()), 1e-300))


def _plain(policy: Any) -> Any:
    return policy.model_dump() if isinstance(policy, BaseModel) else None  # one from outside may be any object


def _looks_at_the_clock(value: Any) -> bool:
    if isinstance(value, dict):
        return any((key in _TIMED and bool(item)) or _looks_at_the_clock(item) for key, item in value.items())
    return isinstance(value, list | tuple) and any(map(_looks_at_the_clock, value))
