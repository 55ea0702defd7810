"""What a search is after, and what it must keep: one number to make small, and how far constraints are missed.

Everything is relative to the untouched scenario on the same random numbers, so that points of the search with different
numbers of runs can be told from each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sim.scenario.tune import Objective
from sim.study.tuned.figures import Measured, error, mean

Runs = Sequence[Measured]
GUESSED_SHARE = 0.3
"""Spread of the attainment of single runs, as a share of what may be missed, where one run is all there is."""


@dataclass(frozen=True)
class Goal:
    """The objective, and the shares that were promised."""

    objective: Objective
    keep: Literal["promised", "attained"]
    shares: tuple[float, ...]

    def needed(self, has: Sequence[float]) -> tuple[float, ...]:
        """What each objective of the SLO has to attain, given what the untouched scenario does."""
        if self.keep == "attained":
            return tuple(has)
        return tuple(min(share, one) for share, one in zip(self.shares, has, strict=True))

    def value(self, runs: Runs, base: Runs) -> float:
        """What is to be small; 1 is what the untouched scenario has, on the same runs.

        Regret is ranked as cost is: the clairvoyant that keeps what is needed is the same one for all points.
        """
        if self.objective == "p99":
            return _ratio([run.p99_s for run in runs], [run.p99_s for run in base])
        if self.objective == "attainment":
            return _ratio([_missed(run) for run in runs], [_missed(run) for run in base])
        if self.objective == "rejects":
            return _ratio([run.rejected_share for run in runs], [run.rejected_share for run in base])
        return _ratio([run.cost for run in runs], [run.cost for run in base])

    def missed(self, runs: Runs, base: Runs, margin: float = 0.0, guess: Sequence[float] = ()) -> float:
        """By how much the worst constraint is missed; at most 0: all are kept.

        `margin`: so many standard errors on the safe side; `guess`: see `guesses`.
        """
        found = [self.beside(runs, base)]
        for place, needed in enumerate(self.needed(self._attained(base))):
            attained = [run.attained[place] for run in runs]
            unsure = attained
            if needed < self.shares[place] or self.keep == "attained":  # as much as the base: compared run by run
                unsure = [has - run.attained[place] for has, run in zip(attained, base, strict=True)]
            spared = margin * error(unsure, guess[place] if guess and any(unsure) else 0.0)
            found.append(needed - (mean(attained) - spared))
        return max(found)

    def beside(self, runs: Runs, base: Runs) -> float:
        """The same of what is to be kept beside the SLO: its cost, and without an SLO how well it serves."""
        found = [-math.inf]
        if not self.shares:
            found.append(_ratio([run.p99_s for run in runs], [run.p99_s for run in base]) - 1)
            found.append(mean([run.completed_share for run in base]) - mean([run.completed_share for run in runs]))
        if self.objective in ("p99", "attainment", "rejects"):
            found.append(_ratio([run.cost for run in runs], [run.cost for run in base]) - 1)
        return max(found)

    def _attained(self, base: Runs) -> list[float]:
        return [mean([run.attained[place] for run in base]) for place in range(len(self.shares))]

    def guesses(self, base: Runs) -> tuple[float, ...]:
        """The spread of the attainment of single runs, before a point has several."""
        least = [GUESSED_SHARE * (1 - needed) for needed in self.needed(self._attained(base))]
        seen = [error([run.attained[place] for run in base], 0.0) for place in range(len(self.shares))]
        return tuple(max(one, other * len(base) ** 0.5) for one, other in zip(least, seen, strict=True))


def _missed(run: Measured) -> float:
    """The share of requests that miss an objective, of the objective that is missed most."""
    return 1 - min(run.attained, default=run.completed_share)


def _ratio(values: Sequence[float], base: Sequence[float]) -> float:
    """The ratio of two means; where the base has none of it, 1 for the same and more for more."""
    above, below = mean(values), mean(base)
    if math.isinf(above):
        return 1e9 if not math.isinf(below) else 1.0
    return above / below if below > 0 and not math.isinf(below) else 1.0 + above * (not math.isinf(below))
