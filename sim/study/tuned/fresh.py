"""Points measured on fresh seeds, all on the same ones: the only numbers of a tuning that are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sim.statistics.intervals import Interval, of_mean, of_ratio, one_sided
from sim.study.replicated.estimates import Estimates
from sim.study.replicated.record import Record
from sim.study.tuned.figures import Measured
from sim.study.tuned.runs import Runs
from sim.study.tuned.space import Candidate

SURE = 0.95
"""One-sided confidence of what is said to be surely kept."""


@dataclass(frozen=True)
class Fresh:
    """A point and its runs on fresh seeds."""

    candidate: Candidate
    records: tuple[Record, ...]
    figures: tuple[Measured, ...]
    tail: str

    @cached_property
    def estimates(self) -> Estimates:
        """Their numbers together."""
        return Estimates(self.records)

    @cached_property
    def attained(self) -> tuple[float, ...]:
        """Of each objective of the SLO."""
        return tuple(
            1.0 if (found := self.estimates.of(f"slo.{place}.attained")) is None else found.estimate
            for place in range(len(self.figures[0].attained))
        )

    @property
    def cost(self) -> float:
        """USD an hour, or GPUs where there is no price."""
        return of_mean([run.cost for run in self.figures]).estimate

    @property
    def tail_s(self) -> float:
        """Mean of the runs' p99."""
        return of_mean([run.p99_s for run in self.figures]).estimate

    def cost_ratio(self, other: Fresh) -> Interval:
        """Cost over that of another, on the same traffic."""
        return of_ratio([run.cost for run in self.figures], [run.cost for run in other.figures])

    def keeps(self, needed: Sequence[float]) -> bool:
        """Whether every objective attains what it needs."""
        return all(has >= least for has, least in zip(self.attained, needed, strict=True))

    def surely_keeps(self, needed: Sequence[float], base: Fresh) -> bool:
        """The same with 95 % confidence; where the need is what `base` attains, by paired differences from it."""
        bounds = Estimates(self.records, one_sided(SURE))
        for place, least in enumerate(needed):
            if least == base.attained[place]:
                pairs = zip(self.figures, base.figures, strict=True)
                low = (
                    least + of_mean([one.attained[place] - b.attained[place] for one, b in pairs], one_sided(SURE)).low
                )
            else:
                found = bounds.of(f"slo.{place}.attained")
                low = 1.0 if found is None else found.low
            if low < least:
                return False
        return True

    def plain(self) -> dict[str, Any]:
        """Cost, attainment and tail with intervals, as they stand in JSON."""
        found = self.estimates
        cost, tail = found.of("cost.usd_per_hour"), found.of(self.tail)
        slo = [found.of(f"slo.{place}.attained") for place in range(len(self.attained))]
        hours = found.of("replicas.gpu_hours")
        return {
            "parameters": dict(self.candidate.values),
            "usd_per_hour": None if cost is None else cost.estimate,
            "gpu_hours": None if hours is None else hours.estimate,
            "attained": list(self.attained),
            "p99_s": None if tail is None else tail.estimate,
            "intervals": {
                "usd_per_hour": ends(cost),
                "attained": [None if one is None else [max(one.low, 0.0), min(one.high, 1.0)] for one in slo],
                "p99_s": ends(tail),
            },
            "replications": len(self.records),
        }


def ends(interval: Interval | None) -> list[float] | None:
    """An interval as JSON has it."""
    return None if interval is None else [interval.low, interval.high]


def measure(runs: Runs, candidates: Sequence[Candidate], seed: int, number: int) -> list[Fresh]:
    """Each of these, so many times, with this seed; those with a failed run are left out."""
    fresh = [one.with_seed(seed) for one in candidates]
    runs.make(fresh, number)
    found = []
    for one, again in zip(candidates, fresh, strict=True):
        figures = runs.of(again, number)
        if figures is not None:
            found.append(Fresh(one, tuple(runs.records(again, number)), tuple(figures), runs.tail))
    return found
