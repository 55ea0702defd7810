"""A scenario's answer: its first run, with what all replications of it say together."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sim.result import Result
from sim.result.together import Together
from sim.statistics.intervals import CONFIDENCE
from sim.study.executors import Executor
from sim.study.replicated.assertions import assertions_block, goals
from sim.study.replicated.estimates import Estimates
from sim.study.replicated.record import Record, record_of
from sim.study.replicated.replications import (
    MOST,
    MOST_REQUESTS,
    PRECISION,
    STEP,
    Precision,
    Replicated,
    replicate,
)

MAIN = (
    "requests.arrived",
    "requests.completed",
    "latency.queue_wait_s.mean",
    "latency.ttft_s.mean",
    "latency.ttft_s.p50",
    "latency.ttft_s.p99",
    "latency.tpot_s.p99",
    "latency.e2e_s.p99",
    "time_average.in_system",
    "utilization.busy_share",
    "replicas.mean",
    "cost.usd_per_day",
    "cost.usd_per_request",
    "cost.usd_per_million_output_tokens",
)
"""The numbers of `replications.csv`, beside the attainment of each objective."""
FILE = "replications.csv"
_MOST_RATIO = 1e9
"""Of the half width there is and the one that is wanted: beyond this the number of runs is only a figure of speech."""


@dataclass(frozen=True)
class Effort:
    """How much is to be done: so many replications, or as many as a precision takes."""

    replications: int | None = None
    """None: until the precision is reached, within the budget."""
    precision: float | None = None
    """None: with a number of replications none is wanted, without one 5 %."""

    @property
    def goal(self) -> Precision | None:
        """What has to be known; None where a number was asked for, and nothing else."""
        if self.replications is not None and self.precision is None:
            return None
        return Precision(PRECISION if self.precision is None else self.precision)


def answered(
    first: Result,
    effort: Effort,
    executor: Executor,
    *,
    steady: dict[str, Any] | None = None,
    watch: Callable[[int, int | None], None] | None = None,
    look: Callable[[Sequence[Record]], None] | None = None,
    on_compile: Callable[[], None] | None = None,
) -> Result:
    """The first run, with the other replications made and told in its summary; when interrupted, those that are done.

    The summary is that of `Replicated`, with more below `replications`: `precision` (what was wanted), `requests` (of
    one replication, on average), `budget` (of replications and requests), `least_known` (see there);
    `recovery` tells in how many replications a failure was metastable (`metastable_replications`). `steady`: a block
    that is added. `watch`, `look`: see `replicate`.
    """
    record, goal = record_of(first), effort.goal
    budget: dict[str, int | None] = {"replications": MOST, "requests": MOST_REQUESTS}
    if effort.replications is not None:
        budget = {"replications": effort.replications, "requests": None}
    made = replicate(
        first.scenario,
        effort.replications if goal is None else None,
        () if goal is None else (goal, *goals(first.scenario)),
        most=budget["replications"] or MOST,
        most_requests=budget["requests"] or sys.maxsize,
        executor=executor,
        first=record,
        watch=watch,
        look=look,
        on_compile=on_compile,
        keep_interrupted=True,
    )
    summary = made.summary()
    summary["replications"] |= {
        "requests": math.fsum(made.estimates.values("attempts.sent")) / len(made.records),
        "precision": None if goal is None else goal.relative,
        "budget": budget,
        "least_known": least_known(made, goal),
    }
    if summary["recovery"] is not None:
        blocks = [each.summary["recovery"] for each in made.records]
        summary["recovery"]["metastable_replications"] = sum(bool(one and one["metastable"]) for one in blocks)
    if steady is not None:
        summary["steady"] = steady
    summary |= assertions_block(made)
    summary["run"] = {**first.summary()["run"], **summary.pop("run")}
    return replace(first, together=Together(summary, {FILE: table(made)}))


def alone(only: Result) -> Result:
    """The only run, with what becomes of the scenario's assertions, if it has any."""
    if not only.scenario.assertions:
        return only
    block = assertions_block(Replicated(only.scenario, (record_of(only),), "number"))
    return replace(only, together=Together(only.summary() | block, {}))


def least_known(made: Replicated, goal: Precision | None) -> dict[str, Any] | None:
    """Of the numbers that a precision is about, the one that is known least; None where none of them varies.

    `path`; `within_share`: how far off it may be, relative to its true value (all these numbers together with 95 %
    confidence), None where it is not told at all; `replications`: about how many would do for the precision, None
    where none was wanted or what there is says nothing of it; `single`: the smallest and the largest value of one
    replication. The half width falls with the square root of their number.
    """
    records = made.records
    about = goal or Precision()
    paths = about.paths_in(*(record.summary for record in records))
    estimates = Estimates(records, 1 - (1 - CONFIDENCE) / max(len(paths), 1))
    found: list[tuple[float, str, int]] = []
    for path in paths if len(records) > 1 else ():
        if path in estimates.missing:
            lacking, each = estimates.missing[path], _counted(records, path)
            found.append((math.inf, path, len(records) + math.ceil(lacking / each)))
        elif path in estimates.intervals and estimates.intervals[path].half_width > 0:
            interval = estimates.intervals[path]
            share = interval.half_width / abs(interval.estimate) if interval.estimate else math.inf
            within = share / (1 - share) if share < 1 else math.inf
            wanted = about.relative / (1 + about.relative)
            needed = len(records) * min(share / wanted, _MOST_RATIO) ** 2 if math.isfinite(share) else 0.0
            found.append((within, path, max(math.ceil(needed), len(records) + STEP)))
    if not found:
        return None
    within, path, _ = max(found, key=lambda one: one[0])
    enough = max(one[2] for one in found)
    reached = goal is None or made.stopped == "precision"
    return {
        "path": path,
        "within_share": within if math.isfinite(within) else None,
        # from an interval as wide as the number itself nothing can be said of how many more it takes
        "replications": None if reached or (math.isinf(within) and path not in estimates.missing) else enough,
        "single": [pick(estimates.values(path)) for pick in (min, max)],
    }


def table(made: Replicated) -> str:
    """`replications.csv`: one row a replication, its main numbers as it measured them."""
    paths = [path for path in (*MAIN, *_attained(made.records[0])) if any(path in each for each in made.estimates.each)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("replication", *paths))
    for record, values in zip(made.records, made.estimates.each, strict=True):
        writer.writerow((record.replication, *(values.get(path, "") for path in paths)))
    return text.getvalue()


def _attained(record: Record) -> list[str]:
    return [f"slo.{place}.attained" for place in range(len(record.summary["slo"]))]


def _counted(records: tuple[Record, ...], path: str) -> float:
    """Requests of a replication that have the latency at a path, on average; at least one of all replications has."""
    metric = path.split(".")[1]
    return sum(record.latency[metric].count for record in records) / len(records)
