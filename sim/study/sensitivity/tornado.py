"""The sensitivity of a plan: p99 and cost with each assumption otherwise, as deviations from the plan.

The fleet is kept, and run on the same random numbers, so that what differs is the assumption; what the fleet would be
if it were planned again is told by theory, as far as that goes: replicas in proportion to what a first look says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.config.errors import ConfigError
from sim.result.twin import twin
from sim.scenario import Scenario, Slots
from sim.statistics.intervals import Interval
from sim.study.compared.compare import Difference, differences
from sim.study.executors import Executor
from sim.study.planned.designs import Design, Fleets
from sim.study.planned.result import Plan
from sim.study.replicated.fresh import fresh_seed
from sim.study.replicated.record import Record, Task, measured
from sim.study.replicated.replications import Replicated
from sim.study.sensitivity.assumptions import Otherwise, otherwise

NTH = 3
"""Which fresh seed: certificates have the first, drills the second."""
REQUESTS, LEAST_RUNS, MOST_RUNS = 40_000, 4, 8
COST = "cost.usd_per_hour"
QUANTILES = ("p99", "p95", "p90")


@dataclass(frozen=True)
class Swing:
    """What one assumption does, otherwise in one way."""

    assumption: str
    told: str
    why_not: str = ""
    """Why it was not tried; then nothing below is known."""
    tail: Difference | None = None
    """Of the quantile that the tornado is of."""
    usd_per_hour: Difference | None = None
    attained: tuple[Difference | None, ...] = ()
    """By objective."""
    replicas: Mapping[str, int] | None = None
    """If it were planned again, by theory; None: theory does not know."""
    usd_per_hour_again: float | None = None
    """Of that fleet, by list price."""

    def as_document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "assumption": self.assumption,
            "change": self.told,
            "why_not": self.why_not or None,
            "tail_s": _plain(self.tail),
            "usd_per_hour": _plain(self.usd_per_hour),
            "attained": [_plain(each) for each in self.attained],
            "planned_again": None
            if self.replicas is None
            else {"replicas": dict(self.replicas), "usd_per_hour": self.usd_per_hour_again},
        }


@dataclass(frozen=True)
class Tornado:
    """The sensitivity of a plan."""

    metric: str
    """Whose tail it is: that of the first objective."""
    quantile: str
    """The highest of p99, p95 and p90 that the runs have requests enough for."""
    swings: tuple[Swing, ...]
    tail_s: float | None
    """Of the fleet as planned, in these runs."""
    usd_per_hour: float | None
    usd_per_hour_again: float | None
    """The same by list price, which swings of plans made again are measured from."""
    seed: int
    runs: int

    def as_document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "metric": self.metric,
            "quantile": self.quantile,
            "tail_s": self.tail_s,
            "usd_per_hour": self.usd_per_hour,
            "list_usd_per_hour": self.usd_per_hour_again,
            "seed": self.seed,
            "runs": self.runs,
            "swings": [each.as_document() for each in self.swings],
        }


def tornado(
    plan: Plan, planned: Scenario, executor: Executor, told: Callable[[int, int], None] | None = None
) -> Tornado:
    """Run the planned fleet with each assumption otherwise. The same plan gives the same, whoever makes the runs."""
    seed = fresh_seed(planned.seed, NTH)
    base = planned.model_copy(update={"seed": seed})
    ways = [each for several in otherwise(base) for each in several]
    tried = [each.scenario for each in ways if each.scenario is not None]
    each_run = max(base.workload.expected_requests(base.horizon_s), 1)
    runs = min(max(math.ceil(REQUESTS / each_run), LEAST_RUNS), MOST_RUNS)
    done = _made([base, *tried], runs, executor, told)
    ours = done[0]
    assert not isinstance(ours, str), f"the fleet as planned cannot be run: {ours}"
    metric = base.slo[0].metric
    quantile = next((each for each in QUANTILES if _has(ours, f"latency.{metric}_s.{each}")), QUANTILES[-1])
    tail = f"latency.{metric}_s.{quantile}"
    before, found, left = _loads(plan, base), [], iter(done[1:])
    for way in ways:
        theirs = next(left) if way.scenario is not None else way.why_not
        if isinstance(theirs, str):
            found.append(Swing(way.assumption, way.told, theirs))
        else:
            found.append(_swing(way, ours, theirs, plan, before, tail))
    values = {path: ours.estimates.of(path) for path in (tail, COST)}
    tail_s, usd = (None if each is None else each.estimate for each in values.values())
    listed = _list_usd(plan, base, {name: pool.replicas for name, pool in plan.pools.items()})
    return Tornado(metric, quantile, tuple(found), tail_s, usd, listed, seed, runs)


def _has(runs: Replicated, path: str) -> bool:
    """Whether every run has enough requests for a number."""
    return path not in runs.estimates.missing and all(path in each for each in runs.estimates.each)


def _made(
    scenarios: Sequence[Scenario], runs: int, executor: Executor, told: Callable[[int, int], None] | None
) -> list[Replicated | str]:
    """Replications of each; or why one cannot be run."""
    tasks = [Task(scenario, run) for scenario in scenarios for run in range(runs)]
    records: dict[int, Record] = {}
    errors: dict[int, str] = {}
    for ended, one in enumerate(executor.as_ended(measured, tasks), start=1):
        if isinstance(one.error, ConfigError):
            errors[one.place // runs] = one.error.problems[0].message
        elif one.error is not None:
            raise one.error
        else:
            assert one.value is not None
            records[one.place] = one.value
        if told is not None:
            told(ended, len(tasks))
    return [
        errors[place]
        if place in errors
        else Replicated(scenario, tuple(records[place * runs + run] for run in range(runs)), "number")
        for place, scenario in enumerate(scenarios)
    ]


def _swing(
    way: Otherwise, ours: Replicated, theirs: Replicated, plan: Plan, before: Mapping[str, float | None], tail: str
) -> Swing:
    assert way.scenario is not None
    by_path = {each.path: each for each in differences(ours, theirs)}
    again = _again(plan, way, before)
    return Swing(
        way.assumption,
        way.told,
        tail=by_path.get(tail),
        usd_per_hour=by_path.get(COST),
        attained=tuple(by_path.get(f"slo.{place}.attained") for place in range(len(way.scenario.slo))),
        replicas=again,
        usd_per_hour_again=None if again is None else _list_usd(plan, way.scenario, again),
    )


def _again(plan: Plan, way: Otherwise, before: Mapping[str, float | None]) -> dict[str, int] | None:
    """The fleet if it were planned again: each pool's need in proportion to what theory says, and its spares."""
    assert way.scenario is not None
    if way.assumption == "replicas that work":
        return None
    after, found = _loads(plan, way.scenario), {}
    for name, pool in plan.pools.items():
        one, other = before[name], after[name]
        if not one or other is None:
            return None
        found[name] = max(math.ceil(pool.need * other / one - 1e-9), 1) + pool.replicas - pool.need
    return found


def _loads(plan: Plan, scenario: Scenario) -> dict[str, float | None]:
    """What each pool takes by theory, in replicas: slots by a formula of waits where there is one, else the load alone.

    Of batches a formula of waits is rough, and whole numbers of a rough number would hide small changes.
    """
    found: dict[str, float | None] = {}
    for name, told in twin(scenario).pools.items():
        if told.least_replicas is not None and isinstance(scenario.pools[name].replica, Slots):
            found[name] = told.least_replicas
        elif told.capacity_per_s and told.replicas and not told.closed:
            found[name] = told.peak_per_s / (told.capacity_per_s / told.replicas)
    return {name: found.get(name) for name in plan.pools}


def _list_usd(plan: Plan, scenario: Scenario, fleet: Mapping[str, int]) -> float | None:
    if not all(pool.priced for pool in scenario.pools.values()):
        return None
    return Fleets(scenario, {name: _design(plan, scenario, name) for name in plan.pools}).usd_per_hour(fleet)


def _design(plan: Plan, scenario: Scenario, name: str) -> Design:
    """The design of a pool as planned, in a scenario in which something is otherwise."""
    planned, pool = plan.pools[name].design, scenario.pools[name]
    dearer = pool.usd_per_replica_hour / planned.pool.usd_per_replica_hour if planned.pool.usd_per_replica_hour else 1.0
    most = max(planned.most, plan.pools[name].replicas)
    return Design(pool, 1, most, planned.mixed, planned.later_usd_per_hour * dearer)


def _plain(found: Difference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    more: Interval = found.more
    return {
        "value": found.other,
        "more": more.estimate,
        "interval": [more.low, more.high],
        "distinguishable": found.is_distinguishable,
    }
