"""The smallest fleet of some designs that meets all in the search's runs: up together, then down pool by pool."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from sim.study.planned.certificate import Promise
from sim.study.planned.designs import Fleet, Fleets
from sim.study.planned.runs import Tried
from sim.study.planned.search import Search

NO_GAIN = 1e-4
"""Attainment that much better, with more replicas, is no better ..."""
ALONE = 0.5
"""... where a replica has fewer requests than this at a time on average: they have it for themselves already."""


def met_in(tried: Tried, promises: Sequence[Promise]) -> bool:
    """Whether every objective is attained in these runs, taken together."""
    return all(attained >= promise.share for attained, promise in zip(tried.attained(), promises, strict=True))


class Climb:
    """Looks for the smallest fleet of some designs: up together until all is met, then down pool by pool."""

    def __init__(
        self,
        each: Fleets,
        most: Mapping[str, int],
        probe: Callable[[Fleet], Tried],
        promises: Sequence[Promise],
    ) -> None:
        """`most`: replicas that each pool may have; `probe`: some runs of a fleet."""
        self.each = each
        self.probe = probe
        self.promises = promises
        self.least = {name: design.least for name, design in each.designs.items()}
        self.most = dict(most)
        self.notes: list[str] = []
        self.last: dict[str, int] = {}
        """The fleet that was tried last."""
        self._worst: list[float] = []
        self._each = math.inf
        """Requests that a replica had at a time on average, in the last runs."""

    def smallest(self, estimate: Mapping[str, int]) -> dict[str, int] | None:
        """None: not even the largest meets all."""
        fleet = {name: self._within(name, count) for name, count in estimate.items()}
        if len(fleet) == 1:
            return self._one(fleet)
        step = 1.25
        while not self._met(fleet):
            larger = {name: self._within(name, math.ceil(count * step)) for name, count in fleet.items()}
            if larger == fleet or self._hopeless():
                return None
            fleet, step = larger, step * 1.25
        names = sorted(fleet, key=lambda name: -self.each.designs[name].usd_per_hour(1))
        changed = True
        while changed:
            changed = False
            for name in names:
                search = self._search(fleet, name, fleet[name])
                lower = search.smallest(fleet[name])
                self.notes += search.notes
                assert lower is not None, "a fleet that met all has been tried before"
                changed = changed or lower < fleet[name]
                fleet = {**fleet, name: min(lower, fleet[name])}
        return fleet

    def _one(self, fleet: dict[str, int]) -> dict[str, int] | None:
        (name,) = fleet
        search = self._search(fleet, name, self.most[name])
        number = search.smallest(fleet[name], self._hopeless)
        self.notes += search.notes
        return None if number is None else {name: number}

    def _search(self, fleet: Mapping[str, int], name: str, most: int) -> Search:
        return Search(lambda count: self._met({**fleet, name: count}), self.least[name], most)

    def _met(self, fleet: Mapping[str, int]) -> bool:
        tried = self.probe(fleet)
        self.last = dict(fleet)
        shares = [promise.share for promise in self.promises]
        self._worst.append(min(a - share for a, share in zip(tried.attained(), shares, strict=True)))
        running, there = tried.summary["time_average"]["running"], tried.summary["replicas"]["mean"]
        self._each = running / there if there else math.inf
        return met_in(tried, self.promises)

    def _hopeless(self) -> bool:
        """Whether the last probe, with more replicas than the one before, is no better and never will be."""
        return self._each < ALONE and len(self._worst) > 1 and self._worst[-1] - self._worst[-2] < NO_GAIN

    def _within(self, name: str, count: int) -> int:
        return min(max(count, self.least[name], 1), self.most[name])
