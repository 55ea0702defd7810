"""What the simulator says of a proposal: months and demand scenarios, with what is to be there, on fresh seeds.

A fleet that serves several months is simulated at the most demand of them: at less it is not worse. Spares are left
out: the promise is kept without them, so that it is kept when what they are for comes about.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sim.study.purchased.autoscaled import BETTER_SHARE, ceiling
from sim.study.purchased.bench import Bench, Outcome
from sim.study.purchased.fleets import Make, bounded, fixed, grown
from sim.study.purchased.purchases import Verified
from sim.study.purchased.stage import Place, Stage
from sim.study.purchased.terms import Problem, Proposal
from sim.study.replicated.fresh import fresh_seed

RUNS = 5
"""Replications of each month that is verified."""
_TRIES = (1, 2, 4, 8, 16)
"""By how many replicas a fleet is raised that misses its promise, until it keeps it."""

_Fleet = tuple[tuple[str, int], ...]
_Run = tuple[str, tuple[tuple[str, _Fleet], ...], float]


@dataclass(frozen=True)
class Case:
    """One region in one month of one demand scenario."""

    month: int
    path: int
    region: str
    factor: float
    """Of the region's requests."""
    fleets: Mapping[str, _Fleet]
    """Replicas by GPU, by pool."""
    short: frozenset[str] = frozenset()
    """Pools that are known to be short."""


@dataclass
class Verifier:
    """The runs of one round."""

    stage: Stage
    bench: Bench
    nth: int
    runs: int = RUNS
    found: dict[_Run, Mapping[str, Verified]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._proposed = {key: replace(need, sizes=dict(need.sizes)) for key, need in self.stage.needs.items()}

    def verified(self, problem: Problem, proposal: Proposal) -> list[Verified]:
        """Every planned month of every demand scenario; raises the needs that turn out too small."""
        cases = cases_of(self.stage, problem, proposal)
        most: dict[tuple[str, tuple[tuple[str, _Fleet], ...]], float] = defaultdict(float)
        for case in cases:
            key = (case.region, tuple(sorted(case.fleets.items())))
            most[key] = max(most[key], case.factor)
        told = []
        for case in cases:
            key = (case.region, tuple(sorted(case.fleets.items())))
            told += self._told(case, self._run(case, most[key]))
        return told

    def _run(self, case: Case, factor: float) -> Mapping[str, Verified]:
        key = (case.region, tuple(sorted(case.fleets.items())), factor)
        if key not in self.found:
            found = self._simulated(case, factor)
            for pool, each in found.items():
                if not each.meets and pool not in case.short:
                    enough_share = self._attainable(case, pool, factor)
                    by_policy = each.missed_share <= enough_share
                    found[pool] = replace(each, by_policy=by_policy)
                    if not by_policy:
                        self._raise(case, pool, factor, enough_share)
            self.found[key] = found
        return self.found[key]

    def _attainable(self, case: Case, pool: str, factor: float) -> float:
        """By how much the promise may be missed and no number of replicas be blamed: of a fixed fleet the tolerance.

        An autoscaler may miss it by more, with as many replicas as it wants: they come too late, say.
        """
        slack, made = self.stage.over_time.tolerance, self.stage.scenario.pools[pool]
        if made.autoscaler.kind == "fixed":
            return slack
        (gpu, number), *others = case.fleets[pool]
        there = number + sum(few for _, few in others)
        more = max(ceiling(made, factor) - there, there)
        freed = self._outcome(factor, {**case.fleets, pool: ((gpu, number + more), *others)})[0]
        return max(slack, freed.missed_share(pool) + BETTER_SHARE)

    def _simulated(self, case: Case, factor: float) -> dict[str, Verified]:
        outcome, seed = self._outcome(factor, case.fleets)
        slack = self.stage.over_time.tolerance
        return {
            pool: Verified(
                "",
                "",
                Place(pool, case.region, 1.0).name,
                factor,
                dict(fleet),
                seed,
                self.runs,
                outcome.keeps(pool, slack),
                outcome.attained(pool),
                outcome.missed_share(pool),
            )
            for pool, fleet in case.fleets.items()
        }

    def _outcome(self, factor: float, fleets: Mapping[str, _Fleet]) -> tuple[Outcome, int]:
        scenario = self.stage.scenario
        seed = fresh_seed(scenario.seed, self.nth)
        pools = {}
        for name, fleet in fleets.items():
            made: dict[Make, int] = {self.stage.make(name, gpu): number for gpu, number in fleet}
            pool = fixed(scenario.pools[name], made)
            if scenario.pools[name].autoscaler.kind != "fixed":
                policy = {"autoscaler": scenario.pools[name].autoscaler}
                pool = bounded(pool.model_copy(update=policy), sum(made.values()))
            pools[name] = pool
        return self.bench.outcome(grown(scenario, factor, pools, seed), self.runs), seed

    def _raise(self, case: Case, pool: str, factor: float, enough_share: float) -> None:
        """Remember how many replicas it takes after all, by the same runs: the next proposal has them."""
        fleets = dict(case.fleets)
        gpu, number = max(fleets[pool], key=lambda each: each[1])
        raised = number
        for more in _TRIES:
            raised = number + more
            fleets[pool] = tuple((name, raised if name == gpu else few) for name, few in case.fleets[pool])
            if self._outcome(factor, fleets)[0].keeps(pool, enough_share):
                break
        for name, _ in fleets[pool]:  # of several, each is taken as too small by as much
            # as proposed: what other months have raised since is no part of what these runs had too few of
            before = self._proposed[pool, name].at(factor)
            self.stage.needs[pool, name].raised(factor, max(math.ceil(before * raised / number - 1e-9), before + 1))

    def _told(self, case: Case, found: Mapping[str, Verified]) -> list[Verified]:
        told = []
        for pool, each in found.items():
            meets = None if pool in case.short and not each.meets else each.meets
            told.append(
                Verified(
                    self.stage.calendar.label(case.month),
                    self.stage.paths[case.path].name,
                    each.site,
                    each.demand_factor,
                    each.replicas,
                    each.seed,
                    each.runs,
                    meets,
                    each.attained,
                    each.missed_share,
                    each.by_policy,
                )
            )
        return told


def cases_of(stage: Stage, problem: Problem, proposal: Proposal) -> list[Case]:
    """What is to be simulated: the fullest hours of each planned month in each demand scenario."""
    first: dict[tuple[int, int], int] = {}
    for place, state in enumerate(problem.states):
        if problem.periods[state.period].planned:
            first.setdefault((state.period, state.path), place)  # levels come from the fullest hours on
    found = []
    for (period, path), at in sorted(first.items()):
        use, month = proposal.uses[at], problem.periods[period].month
        factor = stage.paths[path].factors[month]
        for region in stage.regions:
            places = [each for each in stage.places if each.region == region]
            fleets = {each.pool: _fleet(stage, each, factor, use.carried) for each in places}
            short = {each.pool for each in places if use.short[each.name] > 1e-6}
            found.append(Case(month, path, region, factor * places[0].share, fleets, frozenset(short)))
    return found


def _fleet(stage: Stage, place: Place, factor: float, carried: Mapping[tuple[str, str], float]) -> _Fleet:
    """Replicas by GPU that the requests of a site are to be served by; at least one."""
    found = []
    for make in stage.makes[place.pool]:
        share = carried[place.name, make.name]
        number = math.ceil(share * stage.serving(place, make.name, factor) - 1e-6)
        if number > 0:
            found.append((make.name, number))
    return tuple(found) or ((stage.makes[place.pool][0].name, 1),)
