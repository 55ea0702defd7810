"""The search's runs, and what they say of a candidate: the smallest fleet below a price that keeps the promises."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sim.result import words
from sim.scenario import Scenario
from sim.study.planned.candidates import Candidate, Mixing
from sim.study.planned.certificate import Promise
from sim.study.planned.climb import Climb, met_in
from sim.study.planned.designs import Fleet, Fleets
from sim.study.planned.mixes import Found
from sim.study.planned.runs import FailedError, Runs, Tried
from sim.study.planned.screen import Exact, exact_of
from sim.study.planned.search import Search
from sim.theory import least_servers

PROBE_REQUESTS, PROBE_RUNS = 100_000, (1, 10)
"""A probe of the search is of about so many requests, in so many runs at least and at most."""
MEETS, MISSES = "meets the promises in the search", "does not meet the promises"


@dataclass
class Probing:
    """Looks for the fleets of candidates, all on common random numbers. A fleet is run once, however often asked of."""

    scenario: Scenario
    runs: Runs
    promises: tuple[Promise, ...]
    notes: list[str] = field(default_factory=list)
    _probe_runs: int = 0

    def probe(self, each: Fleets, fleet: Fleet) -> Tried:
        """Some runs of a fleet; as many for every fleet."""
        scenario = each.scenario_with(fleet, self.scenario.seed)
        if not self._probe_runs:
            first = self.runs.of(scenario, 1)
            least, most = PROBE_RUNS
            self._probe_runs = min(max(math.ceil(PROBE_REQUESTS / max(first.sent[0], 1)), least), most)
        return self.runs.of(scenario, self._probe_runs)

    def usd_per_hour(self, each: Fleets, fleet: Fleet) -> float:
        """What a fleet costs: by list price, or as simulated where an autoscaler decides how many there are."""
        if any(design.elastic for design in each.designs.values()):
            costs = self.probe(each, fleet).usd_per_hour
            return sum(costs) / len(costs)
        return each.usd_per_hour(fleet)

    def look(self, one: Candidate, below_usd: float) -> None:
        """Find the smallest fleet of a candidate; one that would cost as much as this only has its floor raised."""
        one.looked_at = True
        exact = exact_of(one.fleets) if one.mixing is None else None
        try:
            if exact is not None:
                self._by_theory(one, exact)
            elif one.mixing is not None:
                self._mix(one, one.mixing, below_usd)
            else:
                self._climb(one, below_usd)
        except FailedError as error:
            one.broken = str(error)

    def _climb(self, one: Candidate, below_usd: float) -> None:
        most, capped = _affordable(one.fleets, below_usd)
        climb = Climb(one.fleets, most, lambda fleet: self.probe(one.fleets, fleet), self.promises)
        fleet = climb.smallest({name: around.estimate for name, around in one.brackets.items()})
        self.notes += climb.notes
        if fleet is None and capped:
            one.floor_usd = below_usd
            return
        shown = climb.last if fleet is None else fleet
        usd = self.usd_per_hour(one.fleets, shown)
        one.take(Found(one.fleets, dict(shown), usd, fleet is not None), MISSES if fleet is None else MEETS)

    def _by_theory(self, one: Candidate, exact: Exact) -> None:
        """The fleet of a pool that has an exact formula: no probes."""
        ((name, design),) = one.fleets.designs.items()

        def met(replicas: int) -> bool:
            shares = exact.steady(replicas)
            return shares is not None and all(s >= p.share for s, p in zip(shares, self.promises, strict=True))

        load = exact.arrivals_per_s * exact.mean_service_s / exact.seats
        least = least_servers(load, met)
        wanted = exact.plenty(load) if least is None else least
        fleet = {name: min(max(wanted, design.least), design.most)}
        told = "no number of replicas meets it" if least is None else words.plural(least, "replica")
        found = Found(one.fleets, fleet, one.fleets.usd_per_hour(fleet), least is not None and least <= design.most)
        one.take(found, f"an exact formula (M/M/c) says: {told}")

    def _mix(self, one: Candidate, mixing: Mixing, below_usd: float) -> None:
        each, name = one.fleets, mixing.pool
        least = each.designs[name].least
        wanted = most = mixing.beside[name] + mixing.total
        while most > least and each.usd_per_hour({**mixing.beside, name: most}) >= below_usd:
            most -= 1

        def met(replicas: int) -> bool:
            return met_in(self.probe(each, {**mixing.beside, name: replicas}), self.promises)

        number = Search(met, least, most).smallest(mixing.total)
        if number is None:
            one.floor_usd = below_usd if most < wanted else math.inf
            return
        fleet = {**mixing.beside, name: number}
        one.take(Found(each, fleet, each.usd_per_hour(fleet)), MEETS)


def _affordable(each: Fleets, below_usd: float) -> tuple[dict[str, int], bool]:
    """The most replicas of each pool, and whether the price is what limits them."""
    most = {name: design.most for name, design in each.designs.items()}
    if len(most) > 1 or math.isinf(below_usd) or any(design.elastic for design in each.designs.values()):
        return most, False
    ((name, design),) = each.designs.items()
    top = design.least
    step = 1 << 20
    while step:
        if top + step <= design.most and design.usd_per_hour(top + step) < below_usd:
            top += step
        step >>= 1
    return {name: top}, top < design.most
