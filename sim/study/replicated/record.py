"""What a study keeps of one run: its summary, and its latencies for quantiles of several runs together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sim.engine import simulate
from sim.result import Result
from sim.result.groups import EVERYBODY, Group
from sim.result.latency import METRICS, metric_s
from sim.result.log import RunLog
from sim.result.parties import parties
from sim.result.recovery import in_time_at_end_share
from sim.result.window import measured_window
from sim.scenario import Scenario
from sim.statistics.histogram import histogram_of
from sim.statistics.tails import MOST_EXACT, Exact, Tail, exact

TIMES = ("wall_s", "engine_s", "requests_per_engine_s")
"""What differs from one run of a scenario to the next (in the block `run`), and is not kept."""


@dataclass(frozen=True)
class Task:
    """One run to be made."""

    scenario: Scenario
    replication: int = 0
    condensed: bool = False
    """Latencies as histograms, which are small, instead of all of them."""
    stream: bool | None = None
    """See `simulate`."""


@dataclass(frozen=True)
class Record:
    """What is kept of one run. The same bytes whoever makes it, but for its `wall_s`."""

    replication: int
    summary: dict[str, Any]
    latency: dict[str, Tail]
    """By metric (`ttft_s`), of the requests of the window that have it; by block and metric (`pools.chat.ttft_s`,
    `classes.paid.ttft_s`) of those of a pool, where there are several, of a class, and of a tenant."""
    in_time_at_end_share: float | None = None
    """Of the requests that come in the last quarter of the measured time, those answered in time."""
    wall_s: float = field(default=0.0, compare=False)
    """How long the run took."""

    def condensed(self) -> Record:
        """The same with its latencies as histograms."""
        latency: dict[str, Tail] = {}
        for metric, tail in self.latency.items():
            latency[metric] = tail.condensed() if isinstance(tail, Exact) else tail
        return replace(self, latency=latency)

    def is_too_large(self, runs: int) -> bool:
        """Whether the latencies of so many runs like this one are more than are kept one by one."""
        return runs * max((tail.count for tail in self.latency.values()), default=0) > MOST_EXACT


def measured(task: Task) -> Record:
    """Make one run. Raises as `simulate` does."""
    return record_of(simulate(task.scenario, task.replication, stream=task.stream), task.condensed)


def record_of(result: Result, condensed: bool = False) -> Record:
    """What is kept of a run that has been made."""
    log = result.log
    summary = result.summary(theory=log.replication == 0)
    summary["run"] = {name: value for name, value in summary["run"].items() if name not in TIMES}
    return Record(
        log.replication, summary, _latency(result, condensed), in_time_at_end_share(result.scenario, log), log.wall_s
    )


def _latency(result: Result, condensed: bool) -> dict[str, Tail]:
    """The latencies of the window's requests, see `Record.latency`."""
    log, groups, latency = result.log, _groups(result.log), dict[str, Tail]()
    if log.tally is not None:
        for block, group in groups.items():
            latency |= {f"{block}{metric}_s": found for metric, found in log.tally.latencies(group).items()}
        return latency
    rows = log.logical[measured_window(result.scenario, log).rows]
    masks = {block: group.mask(rows) for block, group in groups.items()}
    for metric in METRICS:
        every_s = metric_s(rows, metric)
        for block, mask in masks.items():
            values_s = every_s if mask is None else every_s[mask]
            latency[f"{block}{metric}_s"] = histogram_of(values_s) if condensed else exact(values_s)
    return latency


def _groups(log: RunLog) -> dict[str, Group]:
    """Whose latencies are kept, by the block of the summary that tells of them (with the dot)."""
    found = {"": EVERYBODY}
    if len(log.pools) > 1:
        found |= {f"pools.{name}.": Group(pool=place) for place, name in enumerate(log.pools)}
    return found | {f"{kind}.{name}.": group for (kind, name), group in parties(log).items()}
