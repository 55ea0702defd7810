"""Independent runs of one scenario, as many as it takes.

Each replication has random numbers of its own (the replication is part of the key of every stream), so they are
independent; the figures of one run are not. More are made until what was asked for is known well enough, or until the
budget is spent. The budget is counted in runs and requests, never in seconds: how fast a machine is changes no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from sim.engine import warm_up
from sim.model import compiled
from sim.scenario import Scenario
from sim.statistics.intervals import CONFIDENCE, Interval
from sim.study.estimates import Estimates, put
from sim.study.executors import Executor, Here
from sim.study.record import Record, Task, measured

LEAST = 10
"""Replications before precision is looked at: fewer say little of their own spread (Law, section 9.4)."""
STEP = 5
MOST = 100
MOST_REQUESTS = 2_000_000
"""The budget: runs, and requests in all of them."""
PLAIN_REQUESTS, UNCOMPILED_REQUESTS = 1_500, 30_000
"""Up to so many requests, later runs are simulated in plain Python where the scenario leaves the choice: loading the
compiled engine takes longer, and compiling it, if that has not been done on this machine, much longer."""
PRECISION = 0.05


class Goal(Protocol):
    """What has to be known before no more runs are made."""

    def reached(self, records: Sequence[Record]) -> bool:
        """Whether these are enough."""
        ...


@dataclass(frozen=True)
class Precision:
    """Each of some numbers within this share of its true value, all of them together with 95 % confidence."""

    relative: float = PRECISION
    paths: tuple[str, ...] | None = None
    """None: p99 TTFT, the attainment of each objective, and the cost a day, as far as the scenario has them."""

    def reached(self, records: Sequence[Record]) -> bool:
        paths = self.paths_in(records[0].summary)
        found = Estimates(records, 1 - (1 - CONFIDENCE) / max(len(paths), 1)).intervals
        return all(path in found and found[path].within(self.relative) for path in paths)

    def paths_in(self, summary: dict[str, Any]) -> tuple[str, ...]:
        """The numbers that it is about."""
        if self.paths is not None:
            return self.paths
        found = ["latency.ttft_s.p99"] if summary["latency"]["ttft_s"]["p99"] is not None else []
        found += [f"slo.{place}.attained" for place, of in enumerate(summary["slo"]) if of["attained"] is not None]
        return (*found, *(["cost.usd_per_day"] if summary["cost"]["usd_per_day"] is not None else []))


@dataclass(frozen=True)
class Replicated:
    """Some replications of a scenario, together."""

    scenario: Scenario
    records: tuple[Record, ...]
    stopped: str
    """Why no more were made: `number` (so many were asked for), `precision` (or another goal), or `budget`."""

    @cached_property
    def estimates(self) -> Estimates:
        """Their numbers together."""
        return Estimates(self.records)

    @property
    def intervals(self) -> dict[str, Interval]:
        """Estimate and 95 % interval by dotted path."""
        return self.estimates.intervals

    def summary(self) -> dict[str, Any]:
        """The summary of the first replication, its numbers replaced by the estimates of all of them.

        With `replications` (`number`, `stopped`), `intervals` (95 %, by dotted path) and `refused`: the quantiles that
        are None for lack of data, and how many more requests each takes. What is no number is the first replication's.
        """
        told: dict[str, Any] = _copied(self.records[0].summary)
        told["replications"] = {"number": len(self.records), "stopped": self.stopped}
        told["intervals"], told["refused"] = {}, {}
        if len(self.records) == 1:
            return told
        found = self.estimates
        for path, value in found.extremes.items():
            put(told, path, value)
        for path, interval in found.intervals.items():
            values = found.values(path)
            put(told, path, values[0] if len(set(values)) == 1 else interval.estimate)
            told["intervals"][path] = [interval.low, interval.high]
        for path, lacking in found.missing.items():
            put(told, path, None)
            told["refused"][path] = lacking
        for block in (
            told,
            *(part for kind in ("pools", "classes", "tenants") for part in told.get(kind, {}).values()),
        ):
            for target in block["slo"]:
                if target["attained"] is not None:
                    target["met"] = target["attained"] >= target["share"]
        return told


def replicate(
    scenario: Scenario,
    number: int | None = None,
    goals: Sequence[Goal] = (Precision(),),
    *,
    most: int = MOST,
    most_requests: int = MOST_REQUESTS,
    executor: Executor | None = None,
    first: Record | None = None,
    condensed: bool = False,
    watch: Callable[[int, int | None], None] | None = None,
    on_compile: Callable[[], None] | None = None,
) -> Replicated:
    """Run a scenario `number` times; without a number, until all goals are reached or the budget is spent.

    Goals are looked at after 10 replications and after every 5 more, whoever makes them, so that the number of
    processes changes nothing. `first`: replication 0, where it has been made already. `condensed`: see `Task`. `watch`
    is told how many have been made, and of how many at most. `on_compile`: see `simulate`.
    """
    records = [measured(Task(scenario, 0, condensed)) if first is None else first]
    requests = max(int(records[0].summary["attempts"]["sent"]), 1)
    if number is None:
        most = max(min(most, most_requests // requests), 1)
    else:
        most = number
    later = scenario
    workers = Here() if executor is None else executor
    while True:
        if watch is not None:
            watch(len(records), most)
        goal = number if number is not None else LEAST if len(records) < LEAST else len(records) + STEP
        if later is scenario and _pays_to_compile(scenario, (min(goal, most) - 1) * requests):
            warm_up("compiled", on_compile)  # here, before other processes do so, each for itself
            later = scenario.model_copy(update={"calendar": "compiled"})
        tasks = [Task(later, replication, condensed) for replication in range(len(records), min(goal, most))]
        for record in workers.in_order(measured, tasks):
            records.append(record)
            if watch is not None:
                watch(len(records), most)
        if number is not None:
            return Replicated(scenario, tuple(records), "number")
        if len(records) >= min(LEAST, most) and len(records) > 1 and all(goal.reached(records) for goal in goals):
            return Replicated(scenario, tuple(records), "precision")
        if len(records) >= most:
            return Replicated(scenario, tuple(records), "budget")


def _pays_to_compile(scenario: Scenario, requests: int) -> bool:
    """Whether so many requests in later runs are too many for plain Python; the calendars give the same numbers."""
    if scenario.calendar != "auto" or requests <= PLAIN_REQUESTS:
        return False
    return requests > UNCOMPILED_REQUESTS or compiled.cached_on_disk()


def _copied(value: Any) -> Any:
    """A deep copy in which nothing is shared: what a fleet of one pool tells of both is one object in a summary."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
