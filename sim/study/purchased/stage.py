"""From a scenario and its needs to the purchase problem: sites, periods, and what each load level takes.

Owns the one definition of what a month takes: replicas for the requests, and beside them those that a lost failure
domain and a rolling update take away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sim.scenario import Scenario
from sim.scenario.plan_over_time import OverTime
from sim.study.purchased.calendar import Calendar, breakpoints
from sim.study.purchased.demand import DemandPath, Outlook
from sim.study.purchased.fleets import Make
from sim.study.purchased.headroom import Spares
from sim.study.purchased.hours import FULL, Step
from sim.study.purchased.offered import Offered, gpus_of_a_replica, gpus_there
from sim.study.purchased.sizing import Need
from sim.study.purchased.terms import Period, Problem, Site, State


@dataclass(frozen=True)
class Place:
    """One pool in one region."""

    pool: str
    region: str
    share: float
    """Of all demand."""

    @property
    def name(self) -> str:
        """As the plan calls it: the pool, with its region if there are several."""
        return f"{self.pool}@{self.region}" if self.region else self.pool


@dataclass(frozen=True)
class Stage:
    """All that a proposal is made from."""

    scenario: Scenario
    over_time: OverTime
    calendar: Calendar
    outlook: Outlook
    paths: tuple[DemandPath, ...]
    places: tuple[Place, ...]
    makes: Mapping[str, Sequence[Make]]
    """By pool."""
    needs: Mapping[tuple[str, str], Need]
    """By pool and GPU."""
    hours: Mapping[str, Sequence[Step]]
    """By pool."""
    beside: Mapping[tuple[str, str], tuple[Spares, Spares]]
    """By pool and GPU: for a lost failure domain, for a rolling update."""
    options: Offered

    def serving(self, place: Place, gpu: str, factor: float, step: Step = FULL) -> int:
        """Replicas that requests take at a level of a demand scenario, without spares."""
        need = self.needs[place.pool, gpu]
        if self.over_time.hours == "demand":
            return need.at(factor * place.share * step.relative)
        return math.ceil(need.at(factor * place.share) * step.relative - 1e-9)

    def fleet(self, place: Place, gpu: str, factor: float, step: Step = FULL) -> int:
        """The same with spares."""
        need = self.serving(place, gpu, factor, step)
        failure, update = self.beside[place.pool, gpu]
        spare = failure(need)
        return need + spare + update(need + spare)

    def gpus(self, place: Place, gpu: str, factor: float) -> float:
        """GPUs of that fleet, taken away from whole nodes."""
        return self.fleet(place, gpu, factor) * self.per_replica(place.pool, gpu)

    def per_replica(self, pool: str, gpu: str) -> float:
        """GPUs that a replica takes away."""
        return gpus_of_a_replica(self.over_time, self.make(pool, gpu))

    def make(self, pool: str, gpu: str) -> Make:
        """The make of that name."""
        return next(make for make in self.makes[pool] if make.name == gpu)

    @property
    def regions(self) -> tuple[str, ...]:
        """All regions, in order; one without a name where there are none."""
        return tuple(dict.fromkeys(place.region for place in self.places))

    def periods(self) -> tuple[Period, ...]:
        """The months of the plan, and what comes after them while contracts go on."""
        months = self.over_time.months
        found = [Period(month, self.calendar.hours(month)) for month in range(months)]
        terms = [each.term_months for each in self.options.commitments]
        terms += [each.term_months for each in self.options.spending]
        for begin, end in pairwise(breakpoints(months, terms)):
            found.append(Period(begin, self.calendar.hours(begin, end - begin), end - begin, planned=False))
        return tuple(found)

    def problem(self) -> Problem:
        """The purchase problem."""
        periods = self.periods()
        return Problem(
            periods,
            tuple(self._site(place) for place in self.places),
            tuple(self._states(periods)),
            self.options.commitments,
            self.options.hourly,
            self.options.spending,
            {
                key: gpus
                for region in self.regions[:1]
                for key, gpus in gpus_there(self.scenario, self.makes, region, periods, self.calendar).items()
            },
            self.quotas(),
            self.over_time.risk.short_at_most,
        )

    def quotas(self) -> dict[tuple[str, str], float]:
        """GPUs of the provider at once, by GPU and region; a region's own go first."""
        found: dict[tuple[str, str], float] = {}
        for region in self.regions:
            there = self.over_time.regions.get(region)
            every = {**self.over_time.quotas, **(there.quotas if there is not None else {})}
            found |= {(gpu, region): float(gpus) for gpu, gpus in every.items()}
        return found

    def _site(self, place: Place) -> Site:
        gpus = {make.name: self.per_replica(place.pool, make.name) for make in self.makes[place.pool]}
        own = self.scenario.pools[place.pool].interruptible_share
        asked = [each.most_share for each in self.over_time.options or () if each.kind == "spot"]
        given = [share for share in asked if share is not None]
        return Site(place.name, place.region, gpus, max(given) if given else own)

    def _states(self, periods: Sequence[Period]) -> list[State]:
        found = []
        ends = self.over_time.afterwards == "ends"
        for number, period in enumerate(periods):
            month = min(period.month, self.over_time.months - 1)
            for which, path in enumerate(self.paths):
                for share, at in self._together():
                    needed = {
                        (place.name, make.name): 0
                        if ends and not period.planned
                        else self.fleet(place, make.name, path.factors[month], at[place.pool])
                        for place in self.places
                        for make in self.makes[place.pool]
                    }
                    found.append(State(number, which, path.probability, period.hours * share, needed))
        return found

    def _together(self) -> list[tuple[float, dict[str, Step]]]:
        """Load levels of all pools at once, each from its fullest hours to its emptiest: as if they peaked together."""
        edges = sorted({round(edge, 12) for steps in self.hours.values() for edge in _edges(steps)})
        found, before = [], 0.0
        for edge in edges:
            at = {pool: _at(steps, (before + edge) / 2) for pool, steps in self.hours.items()}
            if edge > before:
                found.append((edge - before, at))
            before = edge
        return found


def _edges(steps: Sequence[Step]) -> list[float]:
    total, found = 0.0, []
    for step in steps:
        total += step.share
        found.append(min(total, 1.0))
    return [*found[:-1], 1.0]


def _at(steps: Sequence[Step], share: float) -> Step:
    for step, edge in zip(steps, _edges(steps), strict=True):
        if share < edge:
            return step
    return steps[-1]
