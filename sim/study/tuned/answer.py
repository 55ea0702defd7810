"""What a tuning came to: the best point, what it is compared with, the front, and all of it as one document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.scenario import Scenario
from sim.statistics.intervals import Interval
from sim.study.tuned.fresh import Fresh, ends
from sim.study.tuned.front import CONFIDENT
from sim.study.tuned.ladder import Reference
from sim.study.tuned.race import Standing
from sim.study.tuned.space import Parameter


@dataclass(frozen=True)
class Point:
    """A point on fresh seeds, and what is said of it."""

    fresh: Fresh
    keeps: bool
    surely: bool
    """With 95 % confidence."""
    on_front: bool
    membership: float
    """How sure it is that the point is on the front."""
    saving: Interval | None
    """Share of the untouched scenario's cost that it spares, on the same traffic; None: it is that scenario."""
    regret: Interval | None
    """Cost beyond the clairvoyant's, as a share of that; None: there is none."""

    def plain(self) -> dict[str, Any]:
        """As it stands in JSON."""
        found = self.fresh.plain()
        if self.saving is not None:
            found |= {"saving_share": self.saving.estimate}
            found["intervals"]["saving_share"] = ends(self.saving)
        found["regret_share"] = None if self.regret is None else self.regret.estimate
        found["intervals"]["regret_share"] = ends(self.regret)
        return found | {
            "keeps": self.keeps,
            "surely_keeps": self.surely,
            "on_front": self.on_front,
            "front_confidence": self.membership,
            "front_confident": self.membership >= CONFIDENT,
        }


@dataclass(frozen=True)
class Tuned:
    """A tuning."""

    scenario: Scenario
    space: tuple[Parameter, ...]
    needed: tuple[float, ...]
    """What each objective of the SLO had to attain, on the fresh seeds."""
    baseline: Point
    points: tuple[Point, ...]
    """The finalists, the cheapest first."""
    best: Point
    """The cheapest that keeps what is needed; the untouched scenario, where no finalist does and is better."""
    fixed: Reference | None
    clairvoyant: Reference | None
    importance: Mapping[str, float]
    standings: tuple[Standing, ...]
    """What the search saw; its numbers flatter the best points, and are only drawn."""
    spent: Mapping[str, Any]
    fresh_seed: int

    @property
    def found_better(self) -> bool:
        """Whether there is something better than the untouched scenario."""
        return self.best is not self.baseline

    @property
    def front(self) -> list[Point]:
        """The points on the front, the cheapest first; the untouched scenario may be one."""
        every = sorted((self.baseline, *self.points), key=lambda one: one.fresh.cost)
        return [one for one in every if one.on_front]

    def as_document(self) -> dict[str, Any]:
        """All of it as one document."""
        tune = self.scenario.tune
        slo: Sequence[Any] = self.scenario.slo
        return {
            "schema_version": 1,
            "name": self.scenario.name,
            "seed": self.scenario.seed,
            "fresh_seed": self.fresh_seed,
            "objective": "cost" if tune is None else tune.objective,
            "needed": [
                {"metric": one.metric, "under_s": one.under_s, "share": one.share, "needed": needed}
                for one, needed in zip(slo, self.needed, strict=True)
            ],
            "found_better": self.found_better,
            "best": self.best.plain(),
            "baseline": self.baseline.plain(),
            "front": [one.plain() for one in self.front],
            "finalists": [one.plain() for one in self.points],
            "fixed": _reference(self.fixed),
            "clairvoyant": _reference(self.clairvoyant),
            "importance": dict(self.importance),
            "space": [one.plain() for one in self.space],
            "budget": dict(self.spent),
        }


def _reference(found: Reference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    plain = found.fresh.plain()
    del plain["parameters"]
    return {**found.about, **plain, "keeps": found.keeps}
