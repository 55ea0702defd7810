"""Makes the drills of a planned fleet, on seeds that no search and no certificate has seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.engine import simulate
from sim.result import words
from sim.result.groups import meant
from sim.result.latency import good_rows
from sim.result.log import RunLog
from sim.result.recovery import Looks, back_at, look_edges, looks_of
from sim.scenario import Scenario, Target
from sim.study.executors import Executor
from sim.study.rehearsed.drill import Drill, Objective, Rehearsal
from sim.study.rehearsed.losses import cold_start, long_enough, node_lost, spot_reclaimed, zone_lost
from sim.study.rehearsed.storms import retry_storm
from sim.study.replicated.fresh import fresh_seed

NTH = 2
"""Which fresh seed: the certificates have the first."""
REQUESTS, LEAST_RUNS, MOST_RUNS = 40_000, 2, 5
"""A drill is of about so many requests, in so many runs at least and at most."""
_METRICS = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E", "queue_wait": "queue wait"}

Floats = NDArray[np.float64]


Span = tuple[float, float]
"""From and until, in seconds."""


@dataclass(frozen=True)
class _Task:
    scenario: Scenario
    replication: int
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Seen:
    """What is kept of one run."""

    within: tuple[tuple[tuple[int, int], ...], ...]
    """Of each span and objective, among requests that came then: those within it, and all."""
    edges_s: Floats
    offered: Floats
    in_time: Floats
    """Between the edges, requests that come, and those answered within all that was promised."""


def drills_of(scenario: Scenario) -> tuple[Drill, ...]:
    """The drills of a planned fleet, in the order in which they are told."""
    return tuple(make(scenario) for make in (node_lost, zone_lost, spot_reclaimed, cold_start, retry_storm))


def rehearse(
    planned: Scenario, executor: Executor, told: Callable[[int, int], None] | None = None
) -> tuple[Rehearsal, ...]:
    """Make all drills of a planned fleet, each beside the same time without it.

    `planned`: the fleet with its spares; `plan` in it says what it should survive. The same scenario and seed give the
    same, whoever makes the runs.
    """
    seed = fresh_seed(planned.seed, NTH)
    base = long_enough(planned.model_copy(update={"seed": seed}))
    drills = drills_of(base)
    applied = [drill for drill in drills if drill.scenario is not None]
    spans = tuple((drill.at_s, drill.at_s + drill.watched_s) for drill in applied)
    runs = min(
        max(math.ceil(REQUESTS / max(base.workload.expected_requests(base.horizon_s), 1)), LEAST_RUNS), MOST_RUNS
    )
    asked = [(base, spans), *((drill.scenario, (span,)) for drill, span in zip(applied, spans, strict=True))]
    tasks = [_Task(each, run, of) for each, of in asked if each is not None for run in range(runs)]
    done = []
    for one in executor.in_order(seen, tasks):
        done.append(one)
        if told is not None:
            told(len(done), len(tasks))
    usual = done[:runs]
    found = {
        drill.name: _found(drill, done[(place + 1) * runs : (place + 2) * runs], usual, place, base)
        for place, drill in enumerate(applied)
    }
    return tuple(found.get(drill.name, Rehearsal(drill)) for drill in drills)


def _found(drill: Drill, during: Sequence[Seen], without: Sequence[Seen], place: int, base: Scenario) -> Rehearsal:
    objectives = tuple(
        Objective(told_of(target), target.share, _share(during, 0, which), _share(without, place, which))
        for which, target in enumerate(base.slo)
    )
    after_s = _recovered_after_s(during, _usual(without), drill.at_s)
    return Rehearsal(drill, objectives, after_s, base.seed, len(during))


def seen(task: _Task) -> Seen:
    """Make one run of a drill, or of the same time without it. Raises as `simulate` does."""
    result = simulate(task.scenario, task.replication, stream=False)
    log, scenario = result.log, task.scenario
    looks = looks_of(log, scenario.slo, log.edges_s[log.edges_s >= min(scenario.warmup_s, log.edges_s[-1])])
    within = tuple(tuple(_within(log, target, *span) for target in scenario.slo) for span in task.spans)
    return Seen(within, looks.edges_s, looks.offered, looks.in_time)


def _within(log: RunLog, target: Target, from_s: float, until_s: float) -> tuple[int, int]:
    rows = log.logical
    rows = rows[(rows["arrival_s"] >= from_s) & (rows["arrival_s"] < until_s)]
    limit = meant(log, target).mask(rows)
    if limit is not None:
        rows = rows[limit]
    return int(good_rows(log, rows, [target]).sum()), len(rows)


def _share(runs: Sequence[Seen], span: int, place: int) -> float | None:
    came = sum(run.within[span][place][1] for run in runs)
    return sum(run.within[span][place][0] for run in runs) / came if came else None


def _usual(runs: Sequence[Seen]) -> float:
    """Of the requests that come when nothing is wrong, those answered in time."""
    came = sum(float(run.offered.sum()) for run in runs)
    return sum(float(run.in_time.sum()) for run in runs) / came if came else 0.0


def _recovered_after_s(runs: Sequence[Seen], usual: float, at_s: float) -> float | None:
    """From the event until requests of all runs together are answered as usual, and stay so."""
    same = [run for run in runs if np.array_equal(run.edges_s, runs[0].edges_s)]
    edges_s = same[0].edges_s
    offered, in_time = (np.sum([getattr(run, name) for run in same], axis=0) for name in ("offered", "in_time"))
    wide_s = look_edges(edges_s, offered)
    places = np.searchsorted(edges_s, wide_s)
    nothing = np.zeros(len(wide_s) - 1)
    looks = Looks(wide_s, _between(offered, places), _between(in_time, places), nothing, nothing)
    first = max(int(np.searchsorted(wide_s, at_s, side="right")) - 1, 0)
    found = back_at(looks, first, len(wide_s) - 1, usual)
    return None if found is None else max(float(wide_s[found]) - at_s, 0.0)


def _between(counts: Floats, places: NDArray[np.int64]) -> Floats:
    """Counts of bins, in looks that begin and end at these edges."""
    return np.diff(np.append(0.0, np.cumsum(counts))[places])


def told_of(target: Target) -> str:
    whose = f" of {target.class_name or target.tenant}" if target.class_name or target.tenant else ""
    return f"{_METRICS[target.metric]} under {words.duration(target.under_s)}{whose}"
