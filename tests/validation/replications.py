"""Independent replications of a case in several processes, and the rule that judges them.

The rule: the difference to the exact value lies within the 99.9 % confidence interval, and that interval is narrow
enough for the comparison to mean something. Means over requests are ratios of sums; quantiles are sectioned: the point
estimate is that of all replications together, the interval comes from the replications' own quantiles (Nakayama 2014).
"""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
from scipy import stats

from sim import load, simulate
from tests.invariants import check
from tests.validation.measures import QUANTILE, Ratio, Run, Tail, measure, share_of
from tests.validation.sizes import USUAL_WIDTH

CHECKED_REPLICATIONS = 10
CHECKED_ROWS = 20_000
"""The invariants of the first ten replications of a case are checked, and their sweeps see that many rows: all cases
together make three thousand million requests."""


@dataclass(frozen=True)
class Case:
    """A scenario whose answer is known."""

    name: str
    scenario: Mapping[str, Any]
    """All of a scenario but name, seed and calendar."""
    exact: Mapping[str, float]
    """By the name of a measure. The first is the case's own in the test of all cases together."""
    replications: int = 20
    given: Mapping[str, float] = field(default_factory=dict)
    """What a measure must know of the case."""
    width: Mapping[str, float] = field(default_factory=dict)
    """Widest interval accepted (half of it, relative to the value) where that is not the usual 1 %."""
    seed: int | None = None
    """Default: from the name."""


@dataclass(frozen=True)
class Verdict:
    """One measure of one case."""

    case: str
    measure: str
    exact: float
    estimate: float
    half_width: float
    """Of the 99.9 % confidence interval."""
    widest: float
    """Accepted, relative to the exact value."""
    z: float
    """Of the difference: standard normal if the simulation is right."""

    @property
    def agrees(self) -> bool:
        return abs(self.estimate - self.exact) <= self.half_width

    @property
    def is_sharp(self) -> bool:
        return self.half_width <= self.widest * abs(self.exact)

    def __str__(self) -> str:
        relative = self.half_width / abs(self.exact)
        return (
            f"{self.case} {self.measure}: exact {self.exact:.7g}, simulated {self.estimate:.7g} "
            f"+- {self.half_width:.2g} ({relative:.2%}, at most {self.widest:.0%}), z {self.z:+.2f}"
        )


def replicate(case: Case, replication: int) -> dict[str, Ratio | Tail]:
    """Run one replication and check its invariants; what it says of every measure of the case."""
    seed = crc32(case.name.encode()) if case.seed is None else case.seed
    scenario = load({"name": "proof", "seed": seed, "calendar": "compiled", **case.scenario})
    result = simulate(scenario, replication)
    if replication < CHECKED_REPLICATIONS:
        check(scenario, result.log, most_rows=CHECKED_ROWS)
    run = Run(result, case.given, case.exact)
    return {name: measure(run, name) for name in case.exact}


@contextmanager
def workers(count: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """Processes to replicate in (default: one a core)."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count or os.cpu_count(), mp_context=context) as pool:
        yield pool


def judge(case: Case, pool: ProcessPoolExecutor) -> list[Verdict]:
    """Run a case's replications and compare every measure with its exact value."""
    futures = [pool.submit(replicate, case, replication) for replication in range(case.replications)]
    said = [future.result() for future in futures]
    return [_verdict(case, name, [one[name] for one in said]) for name in case.exact]


def _verdict(case: Case, name: str, parts: Sequence[Any]) -> Verdict:
    if QUANTILE.fullmatch(name):
        estimate, error = _sectioned(parts, share_of(name.rsplit("p", 1)[1]))
    else:
        estimate, error = _ratio(parts)
    freedom = len(parts) - 1
    exact = case.exact[name]
    t = (estimate - exact) / error if error > 0 else math.copysign(math.inf, estimate - exact)
    if error == 0 and estimate == exact:
        t = 0.0
    # by the smaller tail, where a probability near one would round
    z = math.copysign(float(stats.norm.isf(stats.t.sf(abs(t), freedom))), t)
    half_width = float(stats.t.isf(0.0005, freedom)) * error
    return Verdict(case.name, name, exact, estimate, half_width, case.width.get(name, USUAL_WIDTH), z)


def _ratio(parts: Sequence[Ratio]) -> tuple[float, float]:
    """Ratio of the sums, and its standard error over replications."""
    above, below = np.array(parts, dtype=float).T
    estimate = above.sum() / below.sum()
    spread = np.sqrt(((above - estimate * below) ** 2).sum() / (len(parts) - 1))
    return float(estimate), float(spread / (math.sqrt(len(parts)) * below.mean()))


def _sectioned(parts: Sequence[Tail], share: float) -> tuple[float, float]:
    """Quantile of all replications together, and its standard error from their own quantiles."""
    near = np.sort(np.concatenate([part.window for part in parts]))
    place = math.ceil(share * sum(part.count for part in parts)) - 1 - sum(part.below for part in parts)
    assert 0 <= place < len(near), "the quantile is farther from its exact value than the window around it"
    estimate = float(near[place])
    own = np.array([part.quantile for part in parts])
    spread = math.sqrt(((own - estimate) ** 2).sum() / (len(parts) - 1))
    return estimate, spread / math.sqrt(len(parts))
