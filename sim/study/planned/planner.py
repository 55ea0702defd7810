"""Makes a plan: designs by price, the smallest fleet of each, and the certificate of the cheapest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from sim.config.errors import ConfigError, Problem
from sim.result import words
from sim.scenario import Scenario, Target
from sim.scenario.plan import PlanSpec
from sim.study.planned.certificate import MOST_RUNS, Certificate, Promise, SequentialTest
from sim.study.planned.certify import Certified, Certifying
from sim.study.planned.climb import Climb, met_in
from sim.study.planned.designs import Fleet, Fleets, Unfit, fleets
from sim.study.planned.mixes import Found, differ_in, proposals
from sim.study.planned.result import Considered, Plan, PlannedPool
from sim.study.planned.runs import FailedError, Runs, Tried
from sim.study.planned.screen import Bracket, Exact, bracket, exact_of
from sim.study.planned.search import Search
from sim.study.planned.survive import spares_of
from sim.study.planned.why import why_not
from sim.study.replicated.assertions import LOOKS
from sim.study.replicated.fresh import fresh_seed
from sim.theory import least_servers

BUDGET = 20_000_000
"""Requests, about: those of the search and of all certificates."""
PROBE_REQUESTS, PROBE_RUNS = 100_000, (1, 10)
"""A probe of the search is of about so many requests, in so many runs at least and at most."""
LEAST_RUNS = LOOKS[0]
"""Of a certificate, however small the budget: fewer say little of their own spread."""
MIXES = 6
"""Mixes of two GPUs that are run, the cheapest by what each GPU alone needs."""


@dataclass
class Planner:
    """Plans one scenario. The same scenario, seed and budget give the same plan, whoever makes the runs."""

    scenario: Scenario
    runs: Runs
    budget: int = BUDGET
    notes: list[str] = field(default_factory=list)
    considered: list[Considered] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.scenario.slo:
            told = "is missing: a plan needs to know what is promised, such as [{metric: ttft, under: 1s, share: 99%}]"
            raise ConfigError(Problem(told, "slo"))
        self.spec = self.scenario.plan or PlanSpec()
        self.promises = tuple(_promise(target, self.spec) for target in self.scenario.slo)
        self._probe_runs = 0

    def plan(self) -> Plan:
        """The plan. Raises `ConfigError` for what cannot be planned."""
        combinations, unfit = fleets(self.scenario)
        found = self._searched(combinations)
        found += self._mixes(found)
        best: tuple[Found, Certified, float] | None = None
        failed: tuple[Found, Certified] | None = None
        for one in sorted(found, key=lambda each: (not each.met, each.usd_per_hour)):
            if best is not None and (not one.met or one.usd_per_hour >= best[2]):
                break
            certified = self._certified(one)
            usd = self._usd_per_hour(one.fleets, certified.fleet)
            if certified.enough and (best is None or usd < best[2]):
                best = (one, certified, usd)
            elif not certified.enough and (failed is None or _margin(certified) > _margin(failed[1])):
                failed = (one, certified)
        if best is not None:
            return self._feasible(best[0], best[1], unfit)
        if failed is None:
            told = self.considered[0].outcome if self.considered else "nothing was tried"
            raise ConfigError(Problem(f"no design can be run: {told}", "plan"))
        return self._infeasible(*failed, unfit)

    # -- the search --------------------------------------------------------------------------------------------------

    def _searched(self, combinations: list[Fleets]) -> list[Found]:
        """The smallest fleet of each combination, cheapest first by theory; what cannot be cheaper is skipped."""
        brackets = [{name: bracket(each, name) for name in each.designs} for each in combinations]

        def estimated(place: int) -> float:
            return combinations[place].usd_per_hour({n: b.estimate for n, b in brackets[place].items()})

        found: list[Found] = []
        for place in sorted(range(len(combinations)), key=estimated):
            each, around = combinations[place], brackets[place]
            best = min((one.usd_per_hour for one in found if one.met), default=math.inf)
            if any(self.spec.of_pool(name).mix for name in around):
                best = math.inf  # a mix is proposed by what each GPU takes alone, the dear ones as well
            floor = each.usd_per_hour({name: one.least for name, one in around.items()})
            if floor >= best:
                self._consider(each, around, None, f"not run: to carry the load alone it costs {floor:,.2f} or more")
                continue
            one = self._smallest(each, around, best)
            if one is not None:
                found.append(one)
        return found

    def _smallest(self, each: Fleets, around: Mapping[str, Bracket], below_usd: float) -> Found | None:
        """The smallest fleet of some designs that meets all; one that does not, where none does; None: dearer."""
        exact = exact_of(each)
        try:
            if exact is not None:
                return self._by_theory(each, around, exact)
            most, capped = self._affordable(each, below_usd)
            climb = Climb(each, most, lambda fleet: self.probe(each, fleet), self.promises)
            fleet = climb.smallest({name: one.estimate for name, one in around.items()})
        except FailedError as error:
            self._consider(each, around, None, f"cannot be run: {error}")
            return None
        self.notes += climb.notes
        if fleet is None and capped:
            self._consider(each, around, None, f"dearer: for less than {below_usd:,.2f} it does not meet the promises")
            return None
        shown = climb.last if fleet is None else fleet
        usd = self._usd_per_hour(each, shown)
        outcome = "meets the promises in the search" if fleet is not None else "does not meet the promises"
        self._consider(each, around, fleet, outcome, usd)
        return Found(each, dict(shown), usd, fleet is not None)

    def _by_theory(self, each: Fleets, around: Mapping[str, Bracket], exact: Exact) -> Found:
        """The fleet of a pool that has an exact formula: no probes."""
        ((name, design),) = each.designs.items()

        def met(replicas: int) -> bool:
            shares = exact.steady(replicas)
            return shares is not None and all(s >= p.share for s, p in zip(shares, self.promises, strict=True))

        load = exact.arrivals_per_s * exact.mean_service_s / exact.seats
        least = least_servers(load, met)
        wanted = exact.plenty(load) if least is None else least
        fleet = {name: min(max(wanted, design.least), design.most)}
        usd = each.usd_per_hour(fleet)
        told = "no number of replicas meets it" if least is None else f"{least:,} replicas"
        self._consider(each, around, fleet, f"an exact formula (M/M/c) says: {told}", usd)
        return Found(each, fleet, usd, least is not None and least <= design.most)

    def _affordable(self, each: Fleets, below_usd: float) -> tuple[dict[str, int], bool]:
        """The most replicas of each pool, and whether the best price so far is what limits them."""
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

    def probe(self, each: Fleets, fleet: Fleet) -> Tried:
        """Some runs of a fleet in the search; as many for every fleet, on common random numbers."""
        scenario = each.scenario_with(fleet, self.scenario.seed)
        if not self._probe_runs:
            first = self.runs.of(scenario, 1)
            least, most = PROBE_RUNS
            self._probe_runs = min(max(math.ceil(PROBE_REQUESTS / max(first.sent[0], 1)), least), most)
        return self.runs.of(scenario, self._probe_runs)

    def _mixes(self, found: list[Found]) -> list[Found]:
        """Fleets of two GPUs in one pool that may be cheaper than the best of one."""
        alone = [one for one in found if one.met]
        if not alone:
            return []
        best = min(alone, key=lambda one: one.usd_per_hour)
        made: list[Found] = []
        for name in self.scenario.pools:
            if not self.spec.of_pool(name).mix:
                continue
            beside = [one for one in alone if differ_in(best, one, name)]
            possible = sorted(proposals(best.usd_per_hour, beside, name), key=lambda one: one[0])
            for _, one, design, total in possible[:MIXES]:
                each = Fleets(self.scenario, {**one.fleets.designs, name: design})
                bar = min((mix.usd_per_hour for mix in made), default=best.usd_per_hour)
                mix = self._mix(each, one, name, total, bar)
                if mix is not None:
                    made.append(mix)
        return made

    def _mix(self, each: Fleets, one: Found, name: str, total: int, below_usd: float) -> Found | None:
        """The smallest fleet of a mix that costs less than this; None: none."""
        most = one.fleet[name] + total
        while most > each.designs[name].least and each.usd_per_hour({**one.fleet, name: most}) >= below_usd:
            most -= 1
        if each.usd_per_hour({**one.fleet, name: most}) >= below_usd:
            return None

        def met(replicas: int) -> bool:
            return met_in(self.probe(each, {**one.fleet, name: replicas}), self.promises)

        search = Search(met, each.designs[name].least, most)
        number = search.smallest(total)
        fleet = None if number is None else {**one.fleet, name: number}
        usd = None if fleet is None else each.usd_per_hour(fleet)
        outcome = "meets the promises in the search" if fleet is not None else "dearer, or does not meet the promises"
        self._consider(each, {}, fleet, outcome, usd)
        return None if fleet is None or usd is None else Found(each, fleet, usd)

    # -- the certificate ---------------------------------------------------------------------------------------------

    def _certified(self, found: Found) -> Certified:
        """The fleet and its neighbours, tested on fresh seeds."""
        claims = 1 + len(found.fleets.designs)
        confidence = 1 - (1 - self.spec.confidence) / claims
        rule, exact = SequentialTest(self.promises, confidence), exact_of(found.fleets)
        seed = fresh_seed(self.scenario.seed)

        def certificate(fleet: Mapping[str, int]) -> Certificate:
            scenario = found.fleets.scenario_with(fleet, seed)
            true = None
            if exact is not None:
                ((_, replicas),) = fleet.items()
                true = exact.attained(replicas)
            each = max(self.runs.of(scenario, 1).sent[0], 1)
            most = (self.budget - self.runs.spent) // (claims * each)
            runs = min(max(most, LEAST_RUNS), MOST_RUNS)
            before = self.runs.seen(found.fleets.scenario_with(fleet, self.scenario.seed))
            clusters = () if before is None else before.most_missed()
            return rule.certificate(fleet, lambda count: self.runs.of(scenario, count), runs, seed, true, clusters)

        designs = found.fleets.designs
        least = {name: design.least for name, design in designs.items()}
        most = {name: design.most for name, design in designs.items()}
        if not found.met:  # more of it were tried and did not help
            most = dict(found.fleet)
        return Certifying(certificate, least, most).around(found.fleet)

    def _usd_per_hour(self, each: Fleets, fleet: Fleet) -> float:
        """What a fleet costs: by list price, or as simulated where an autoscaler decides how many there are."""
        if any(design.elastic for design in each.designs.values()):
            costs = self.probe(each, fleet).usd_per_hour
            return sum(costs) / len(costs)
        return each.usd_per_hour(fleet)

    # -- the result --------------------------------------------------------------------------------------------------

    def _feasible(self, found: Found, certified: Certified, unfit: list[Unfit]) -> Plan:
        pools = {}
        for name, design in found.fleets.designs.items():
            need = certified.fleet[name]
            spares = spares_of(need, design.pool, self.spec.survive) if self.spec.survive is not None else None
            pools[name] = PlannedPool(name, design, need, spares)
        total = {name: pool.replicas for name, pool in pools.items()}
        usd = certified.certificates[0].usd_per_hour
        if total != certified.fleet:
            paid = self.runs.of(found.fleets.scenario_with(total, fresh_seed(self.scenario.seed)), 1)
            usd = None if usd is None else paid.usd_per_hour[0]
        return self._told(True, pools, usd, certified, "", unfit)

    def _infeasible(self, found: Found, certified: Certified, unfit: list[Unfit]) -> Plan:
        first = certified.certificates[0]
        scenario = found.fleets.scenario_with(certified.fleet, first.seed)
        reason = why_not(found.fleets, certified.fleet, first, self.runs.of(scenario, 1).summary)
        return self._told(False, {}, None, certified, reason, unfit)

    def _told(
        self,
        feasible: bool,
        pools: dict[str, PlannedPool],
        usd: float | None,
        certified: Certified,
        reason: str,
        unfit: list[Unfit],
    ) -> Plan:
        return Plan(
            scenario=self.scenario,
            feasible=feasible,
            pools=pools,
            usd_per_hour=usd,
            certificates=certified.certificates,
            reason=reason,
            considered=tuple(self.considered),
            unfit=tuple(unfit),
            notes=tuple(dict.fromkeys(self.notes)),
            confidence=self.spec.confidence,
            seed=self.scenario.seed,
            fresh_seed=fresh_seed(self.scenario.seed),
            budget=self.budget,
            runs=len(self.runs.used),
            requests=self.runs.spent,
        )

    def _consider(
        self,
        each: Fleets,
        around: Mapping[str, Bracket],
        fleet: Fleet | None,
        outcome: str,
        usd_per_hour: float | None = None,
    ) -> None:
        self.considered.append(Considered(each.told, dict(around), fleet, usd_per_hour, outcome))


def _margin(certified: Certified) -> float:
    return certified.certificates[0].worst.margin


def _promise(target: Target, spec: PlanSpec) -> Promise:
    name = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E", "queue_wait": "queue wait"}[target.metric]
    whose = "".join(
        f" of {kind} '{of}'" for kind, of in (("class", target.class_name), ("tenant", target.tenant)) if of
    )
    told = f"{name} under {words.duration(target.under_s)}{whose}"
    return Promise(told, target.share, spec.tolerance_of(target.share))


def planned(scenario: Scenario, runs: Runs, budget: int = BUDGET) -> Plan:
    """The plan of a scenario: see `Planner`."""
    return Planner(scenario, runs, budget).plan()
