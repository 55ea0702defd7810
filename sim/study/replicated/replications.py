"""Independent runs of one scenario, as many as it takes.

Each replication has random numbers of its own (the replication is part of the key of every stream), so they are
independent; the figures of one run are not. More are made until what was asked for is known well enough, or until the
budget is spent. The budget is counted in runs and requests, never in seconds: how fast a machine is changes no answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from sim.engine import warm_up
from sim.model import compiled
from sim.result.twin import compared
from sim.scenario import Scenario
from sim.statistics.intervals import CONFIDENCE, Interval
from sim.study.executors import Executor, Here
from sim.study.replicated.estimates import Estimates, at, put
from sim.study.replicated.record import Record, Task, measured

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
INTERRUPTED = "interrupted"
"""Why no more runs were made, where somebody did not want to wait for them."""


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
        paths = self.paths_in(*(record.summary for record in records))
        estimates = Estimates(records, 1 - (1 - CONFIDENCE) / max(len(paths), 1))
        found = [estimates.of(path) for path in paths]
        return all(interval is not None and interval.within(self.relative) for interval in found)

    def paths_in(self, *summaries: dict[str, Any]) -> tuple[str, ...]:
        """The numbers that it is about, as far as one of these runs of a scenario has them."""
        if self.paths is not None:
            return self.paths
        promised = [f"slo.{place}.attained" for place, _ in enumerate(summaries[0]["slo"])]
        about = ("latency.ttft_s.p99", *promised, "cost.usd_per_day")
        return tuple(path for path in about if any(at(summary, path) is not None for summary in summaries))


@dataclass(frozen=True)
class Rule:
    """How many replications are made of a scenario.

    Goals are looked at after 10 replications and after every 5 more, whoever makes them, so that the number of
    processes changes nothing.
    """

    number: int | None = None
    """So many; None: until all goals are reached, or the budget is spent."""
    goals: Sequence[Goal] = (Precision(),)
    most: int = MOST
    most_requests: int = MOST_REQUESTS

    def most_of(self, first: Record) -> int:
        """The most that may be made, given the first of them."""
        if self.number is not None:
            return self.number
        return max(min(self.most, self.most_requests // max(sent(first), 1)), 1)

    def after(self, records: Sequence[Record]) -> int | str:
        """How many there are to be before the next look; or, if these are enough, why (see `Replicated.stopped`)."""
        count = len(records)
        if self.number is not None:
            return self.number if count < self.number else "number"
        if not records:
            return 1
        most = self.most_of(records[0])
        if count < min(LEAST, most):
            return min(LEAST, most)
        if count > 1 and all(goal.reached(records) for goal in self.goals):
            return "precision"
        return min(count + STEP, most) if count < most else "budget"


def sent(record: Record) -> int:
    """Requests that a run had to simulate, tried again or not."""
    return int(record.summary["attempts"]["sent"])


@dataclass(frozen=True)
class Replicated:
    """Some replications of a scenario, together."""

    scenario: Scenario
    records: tuple[Record, ...]
    stopped: str
    """Why no more were made: `number` (so many were asked for), `precision` (or another goal), `budget`, or
    `interrupted`."""

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
        are None for lack of data, and how many more requests each takes. What is no number is the first replication's;
        None is also what some replication lacks (see `Estimates.absent`).
        """
        return summary_of(self.records, self.stopped, self.estimates)


def summary_of(records: Sequence[Record], stopped: str, found: Estimates) -> dict[str, Any]:
    """See `Replicated.summary`; `found` are the estimates of these records."""
    told: dict[str, Any] = _copied(records[0].summary)
    told["replications"] = {"number": len(records), "stopped": stopped}
    told["intervals"], told["refused"] = {}, {}
    if len(records) == 1:
        return told
    for path, value in found.extremes.items():
        put(told, path, value)
    for path, interval in found.intervals.items():
        put(told, path, found.values(path)[0] if found.is_same(path) else interval.estimate)
        if math.isfinite(interval.half_width):  # else but one of the runs has it
            told["intervals"][path] = [interval.low, interval.high]
    for path in found.absent:
        if not path.startswith("recovery."):  # which tells what became of the first
            put(told, path, None)
    for path, lacking in found.missing.items():
        put(told, path, None)
        told["refused"][path] = lacking
    told["theory"] = compared(told.get("theory", ()), told)
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
    look: Callable[[Sequence[Record]], None] | None = None,
    on_compile: Callable[[], None] | None = None,
    keep_interrupted: bool = False,
) -> Replicated:
    """Run a scenario `number` times; without a number, until all goals are reached or the budget is spent.

    Left out, the goals are p99 TTFT, attainments and cost known to 5 %, the budget 100 runs or 2 million requests; see
    `Rule`. `first`: replication 0, where it has been made already. `condensed`: see `Task`; also done where the
    latencies of all runs would be too many to keep. `watch` is told how many have been made, and of how many at most;
    `look` is given the list that they are added to, before that.
    `on_compile`: see `simulate`. `keep_interrupted`: Ctrl-C ends it with what there is, instead of with nothing.
    Raises as `simulate` does.

    Returns a `Replicated`: `records` (what is kept of each run), `intervals` (95 %, by dotted path such as
    `latency.ttft_s.p99`; units as the path's last steps say), `summary()` (that of a run, with the estimates of all).

        >>> from sim import load, replicate
        >>> found = replicate(load("mmc", ["horizon=2m", "warmup=0s"]), 3)
        >>> len(found.records), found.intervals["latency.queue_wait_s.mean"].half_width > 0
        (3, True)
    """
    rule = Rule(number, goals, most, most_requests)
    records = [measured(Task(scenario, 0, condensed)) if first is None else first]
    streamed = records[0].summary["run"]["quantiles"] == "histogram"
    most = rule.most_of(records[0])
    if records[0].is_too_large(most):
        condensed, records[0] = True, records[0].condensed()
    later = scenario
    workers = Here() if executor is None else executor
    if look is not None:
        look(records)
    if watch is not None:
        watch(1, most)
    try:
        while isinstance(goal := rule.after(records), int):
            if later is scenario and pays_to_compile(scenario, (goal - 1) * sent(records[0])):
                warm_up("compiled", on_compile)  # here, before other processes do so, each for itself
                later = scenario.model_copy(update={"calendar": "compiled"})
            tasks = [Task(later, replication, condensed, streamed) for replication in range(len(records), goal)]
            for record in workers.in_order(measured, tasks):
                records.append(record)
                if watch is not None:
                    watch(len(records), most)
    except KeyboardInterrupt:
        if not keep_interrupted:
            raise
        goal = INTERRUPTED
    return Replicated(scenario, tuple(records), goal)


def pays_to_compile(scenario: Scenario, requests: int) -> bool:
    """Whether so many requests in later runs are too many for plain Python; the calendars give the same numbers."""
    if scenario.calendar != "auto" or requests <= PLAIN_REQUESTS:
        return False
    return requests > UNCOMPILED_REQUESTS or compiled.cached_on_disk()


def _copied(value: Any) -> Any:
    """A deep copy in which nothing is shared: what a fleet of one pool tells of both is one object in a summary."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
