"""Two or more scenarios on the same random numbers: how far apart they are, and whether that is more than chance.

Every replication draws the same demand for each of them (the streams are keyed by seed, replication and purpose, never
by what a policy does), so what differs within a pair is what was changed. The differences of pairs vary less than the
figures do; their intervals are those of paired differences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sim.scenario import Scenario
from sim.statistics.intervals import Interval, of_sections
from sim.study.executors import Executor
from sim.study.replications import Replicated, replicate

REPLICATIONS = 20


@dataclass(frozen=True)
class Difference:
    """What one scenario has more of than the baseline."""

    path: str
    baseline: float
    other: float
    more: Interval
    """other - baseline."""

    @property
    def is_distinguishable(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.more.low > 0 or self.more.high < 0

    def plain(self) -> dict[str, Any]:
        """As it stands in JSON."""
        return {
            "path": self.path,
            "baseline": self.baseline,
            "other": self.other,
            "difference": self.more.estimate,
            "interval": [self.more.low, self.more.high],
            "distinguishable": self.is_distinguishable,
        }


@dataclass(frozen=True)
class Comparison:
    """One scenario beside the baseline."""

    name: str
    replicated: Replicated
    differences: tuple[Difference, ...]

    def of(self, path: str) -> Difference | None:
        """The difference of one number; None if either has it not."""
        return next((each for each in self.differences if each.path == path), None)


def compare(
    scenarios: Sequence[tuple[str, Scenario]],
    replications: int = REPLICATIONS,
    executor: Executor | None = None,
    watch: Callable[[str, int, int | None], None] | None = None,
) -> tuple[Replicated, list[Comparison]]:
    """The first scenario is the baseline; all have its seed. At least two scenarios, at least two replications."""
    seed = scenarios[0][1].seed
    made = []
    for name, scenario in scenarios:
        same = scenario.model_copy(update={"seed": seed})
        told = None if watch is None else (lambda count, most, name=name: watch(name, count, most))
        made.append(replicate(same, replications, executor=executor, watch=told))
    baseline, *others = made
    names = [name for name, _ in scenarios[1:]]
    return baseline, [
        Comparison(name, other, tuple(differences(baseline, other))) for name, other in zip(names, others, strict=True)
    ]


def differences(baseline: Replicated, other: Replicated) -> list[Difference]:
    """What differs, number by number, those that both have in every replication.

    Means: the mean of the paired differences. Ratios and quantiles: the difference of the estimates of all replications
    together, with the spread of the pairs' own differences around it (sectioning).
    """
    ours, theirs = baseline.intervals, other.intervals
    found = []
    for path in ours:
        if path not in theirs:
            continue
        pairs = zip(baseline.estimates.values(path), other.estimates.values(path), strict=True)
        more = of_sections(theirs[path].estimate - ours[path].estimate, [after - before for before, after in pairs])
        found.append(Difference(path, ours[path].estimate, theirs[path].estimate, more))
    return found
