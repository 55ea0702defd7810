"""What a search reads of a run: what it costs, what it attains, its tail, whom it turns away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from sim.scenario import Scenario, Slots
from sim.study.store import Kept


@dataclass(frozen=True)
class Measured:
    """The figures of one run."""

    cost: float
    """USD an hour; GPUs in use, where the fleet has no price."""
    attained: tuple[float, ...]
    """Share of requests within each objective; 1 where no request counts."""
    p99_s: float
    """Of the latency that the first objective is about; infinite where no request has it."""
    rejected_share: float
    completed_share: float


def measured(kept: Kept, tail: str) -> Measured:
    """The figures of a run that has not failed; `tail` is the dotted path of its p99."""
    summary = kept.document()["summary"]
    requests = summary["requests"]
    arrived = max(requests["arrived"], 1)
    usd = summary["cost"]["usd_per_hour"]
    p99 = _at(summary, tail)
    return Measured(
        float(summary["replicas"]["gpu_hours"] * 3600 / summary["measured_s"] if usd is None else usd),
        tuple(1.0 if target["attained"] is None else target["attained"] for target in summary["slo"]),
        float("inf") if p99 is None else p99,
        requests["rejected"] / arrived,
        requests["completed"] / arrived,
    )


def tail_of(scenario: Scenario) -> str:
    """The dotted path of the p99 that is looked at: of the first objective's metric, else of what a pool has."""
    if scenario.slo:
        metric = scenario.slo[0].metric
    else:
        slots = all(isinstance(pool.replica, Slots) for pool in scenario.pools.values())
        metric = "queue_wait" if slots else "ttft"
    return f"latency.{metric}_s.p99"


def _at(summary: Any, path: str) -> float | None:
    for step in path.split("."):
        summary = summary[step]
    return None if summary is None else float(summary)


def mean(values: Sequence[float]) -> float:
    """Of one figure over runs."""
    return fmean(values)


def error(values: Sequence[float], guess: float) -> float:
    """The standard error of a mean; `guess` is the spread of single runs, where there is but one."""
    spread = stdev(values) if len(values) > 1 else guess
    return float(spread / len(values) ** 0.5)
