"""A race between points on common random numbers: successive halving, and out with those that are surely worse.

Every point runs on the same replications as the others, from the first on. After each stage a third of the points goes
on, with three times as many runs (Jamieson & Talwalkar 2016; eta 3); of these, whoever is dearer than the first by a
paired t-test is out as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sim.statistics.intervals import of_mean, one_sided
from sim.study.tuned.figures import Measured
from sim.study.tuned.goal import Goal
from sim.study.tuned.runs import Runs
from sim.study.tuned.space import Candidate

ETA = 3
CONFIDENCE = 0.95
MARGIN = 1.0
"""In standard errors: so far on the safe side of its constraints is what counts as keeping them in a race."""


@dataclass(frozen=True)
class Standing:
    """Where a point stands."""

    candidate: Candidate
    replications: int
    value: float
    """Relative to the untouched scenario; see `Goal.value`."""
    missed: float
    """With the margin of the race; at most 0: all constraints are kept."""
    runs: tuple[Measured, ...]

    @property
    def order(self) -> tuple[float, float]:
        """What points are sorted by, the best first."""
        return max(self.missed, 0.0), self.value


def stages(most: int) -> tuple[int, ...]:
    """Numbers of runs at which a race is looked at: 1, 3, 9, ... up to `most`."""
    found = [1]
    while found[-1] < most:
        found.append(min(found[-1] * ETA, most))
    return tuple(found)


def runs_of(points: int, most: int) -> int:
    """How many runs a race of so many points takes at most."""
    total, before = 0, 0
    for stage in stages(most):
        total += points * (stage - before)
        before, points = stage, math.ceil(points / ETA)
    return total


def race(
    runs: Runs, goal: Goal, base: Sequence[Measured], candidates: Sequence[Candidate], most: int
) -> dict[str, Standing]:
    """What became of each point, by digest; points with a failed run are left out. `base` has `most` runs."""
    found: dict[str, Standing] = {}
    left = list({one.digest: one for one in candidates}.values())
    guess = goal.guesses(base)
    for stage in stages(most):
        runs.make(left, stage)
        standing = []
        for one in left:
            figures = runs.of(one, stage)
            if figures is None:
                found.pop(one.digest, None)
                continue
            same = base[:stage]
            missed = goal.missed(figures, same, MARGIN, guess)
            here = Standing(one, stage, goal.value(figures, same), missed, tuple(figures))
            found[one.digest] = here
            standing.append(here)
        standing.sort(key=lambda one: one.order)
        going_on = standing[: math.ceil(len(standing) / ETA)]
        left = [one.candidate for one in going_on if not _surely_worse(one, going_on[0])]
    return found


def _surely_worse(one: Standing, first: Standing) -> bool:
    """Whether a point costs more than the first, or misses more, beyond what chance may do."""
    if one is first or one.replications < ETA:
        return False
    more = [mine.cost - other.cost for mine, other in zip(one.runs, first.runs, strict=True)]
    dearer = of_mean(more, one_sided(CONFIDENCE)).low > 0
    return dearer and (one.missed > 0 or first.missed <= 0)
