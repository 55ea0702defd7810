"""Makes a plan: the smallest fleet of each design, cheapest first, and the certificate of the cheapest.

A fleet that cannot be certified is raised, and then costs more than the search has said. What was not looked at, or
dropped, because it is dearer than that is looked at again with the new price, until none that is left may be cheaper
than a fleet that is certified.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from sim.config.errors import ConfigError, Problem
from sim.result import words
from sim.scenario import Scenario, Target
from sim.scenario.plan import PlanSpec
from sim.study.planned.candidates import Candidate, Mixing, cheapest_usd, chosen, rival_usd
from sim.study.planned.certificate import MOST_RUNS, Certificate, Promise, SequentialTest
from sim.study.planned.certify import Certifying
from sim.study.planned.designs import Fleets, Unfit, fleets
from sim.study.planned.mixes import Found, differ_in, proposals
from sim.study.planned.outcomes import considered
from sim.study.planned.probing import Probing
from sim.study.planned.result import Considered, Plan, PlannedPool
from sim.study.planned.runs import Runs
from sim.study.planned.screen import bracket, exact_of
from sim.study.planned.split import can_be_split, split, told_of
from sim.study.planned.survive import spares_of
from sim.study.planned.why import why_not
from sim.study.replicated.assertions import LOOKS
from sim.study.replicated.fresh import fresh_seed

BUDGET = 20_000_000
"""Requests, about: those of the search and of all certificates."""
LEAST_RUNS = LOOKS[0]
"""Of a certificate, however small the budget: fewer say little of their own spread."""
MIXES = 6
"""Mixes of two GPUs in a pool that are proposed at a time, the cheapest by what each GPU alone needs."""


@dataclass
class Planner:
    """Plans one scenario. The same scenario, seed and budget give the same plan, whoever makes the runs."""

    scenario: Scenario
    runs: Runs
    budget: int = BUDGET
    candidates: list[Candidate] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.scenario.slo:
            told = "is missing: a plan needs to know what is promised, such as [{metric: ttft, under: 1s, share: 99%}]"
            raise ConfigError(Problem(told, "slo"))
        self.spec = self.scenario.plan or PlanSpec()
        self.promises = tuple(_promise(target, self.spec) for target in self.scenario.slo)
        self.probing = Probing(self.scenario, self.runs, self.promises)
        self.mixed = [name for name in self.scenario.pools if self.spec.of_pool(name).mix]

    def plan(self) -> Plan:
        """The plan. Raises `ConfigError` for what cannot be planned."""
        combinations, unfit = fleets(self.scenario)
        self.candidates = _by_estimate(combinations)
        self._search()
        self.candidates += self._splits()
        failed: list[Candidate] = []
        while (one := self._next()) is not None:
            before_usd = one.usd_per_hour
            self._certify(one)
            if one.certified is not None and not one.sure:
                failed.append(one)
            if not one.hopeful or one.usd_per_hour > before_usd:
                self._search()
        best = chosen(self.candidates)
        if best is not None:
            return self._feasible(best, unfit)
        if not failed:
            told = self._considered(None)[0].outcome if self.candidates else "nothing was tried"
            raise ConfigError(Problem(f"no design can be run: {told}", "plan"))
        return self._infeasible(max(failed, key=_margin), unfit)

    # -- the search --------------------------------------------------------------------------------------------------

    def _search(self) -> None:
        """Find fleets for all that may be cheaper than the cheapest so far, those included that were dearer before."""
        self._look()
        if self.mixed:
            self._propose_mixes()
            self._look()

    def _look(self) -> None:
        for one in self.candidates:
            # a mix is proposed by what each GPU takes alone, the dear ones as well
            bar = math.inf if self.mixed and one.mixing is None else cheapest_usd(self.candidates)
            if one.open and one.floor_usd < bar:
                self.probing.look(one, bar)

    def _next(self) -> Candidate | None:
        """What to certify next: the cheapest that may be the best; then what has missed in the search."""
        waiting = [one for one in self.candidates if one.reached is not None and one.certified is None]
        best = chosen(self.candidates)
        if best is not None:
            waiting = [one for one in waiting if one.hopeful and one.usd_per_hour < best.usd_per_hour]
        return min(waiting, key=lambda one: (not one.hopeful, one.usd_per_hour), default=None)

    def _propose_mixes(self) -> None:
        """Fleets of two GPUs in one pool that may be cheaper than the best of one."""
        ours = [one for one in self.candidates if one.hopeful and one.mixing is None]
        alone = [one.reached for one in ours if one.reached is not None and one.fleets.scenario is self.scenario]
        if not alone:
            return
        best = min(alone, key=lambda one: one.usd_per_hour)
        below_usd = cheapest_usd(self.candidates)
        for name in self.mixed:
            beside = [one for one in alone if differ_in(best, one, name)]
            possible = sorted(proposals(below_usd, beside, name), key=lambda one: one[0])
            for _, one, design, total in possible[:MIXES]:
                self._propose(
                    Fleets(self.scenario, {**one.fleets.designs, name: design}), Mixing(name, one.fleet, total)
                )

    def _propose(self, each: Fleets, mixing: Mixing) -> None:
        """Add a mix, or look for more of one that is there already."""
        floor = each.usd_per_hour({**mixing.beside, mixing.pool: each.designs[mixing.pool].least})
        there = next((one for one in self.candidates if one.mixing and one.fleets.designs == each.designs), None)
        if there is None:
            self.candidates.append(Candidate(each, {}, floor, mixing))
        elif there.open:
            there.mixing = mixing

    def _splits(self) -> list[Candidate]:
        """Fleets of several GPUs, each for prompts of some lengths."""
        alone = [one.found for one in self.candidates if one.found is not None and one.found.met]
        alone.sort(key=lambda one: one.usd_per_hour)
        made: list[Candidate] = []
        for name in self.mixed if alone else ():
            if not can_be_split(self.scenario, name):
                continue
            parted = split(self.scenario, name, alone, self.runs)
            if parted is not None:
                found, mix = parted
                made.append(Candidate(found.fleets, {}, 0.0))
                made[-1].take(found, told_of(mix))
        return made

    # -- the certificate ---------------------------------------------------------------------------------------------

    def _certify(self, one: Candidate) -> None:
        """Go on to a certified fleet of a candidate, as long as no other candidate may be cheaper."""
        assert one.reached is not None, "a fleet was found"
        rival = rival_usd(one, self.candidates)
        one.certifying = one.certifying or self._certifying(one.reached)

        def worth(fleet: Mapping[str, int]) -> bool:
            return math.isinf(rival) or self.probing.usd_per_hour(one.fleets, fleet) <= rival

        fleet = one.certifying.raised(one.reached.fleet, worth)
        if one.certifying.tested(fleet) or worth(fleet):
            one.certified = one.certifying.settled(fleet)
            fleet = one.certified.fleet
        one.raise_to(fleet, self.probing.usd_per_hour(one.fleets, fleet))

    def _certifying(self, found: Found) -> Certifying:
        """The tests of a fleet and its neighbours, on fresh seeds."""
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
            most = (self.budget - self.runs.requests) // (claims * each)
            runs = min(max(most, LEAST_RUNS), MOST_RUNS)
            before = self.runs.seen(found.fleets.scenario_with(fleet, self.scenario.seed))
            clusters = () if before is None else before.most_missed()
            return rule.certificate(fleet, lambda count: self.runs.of(scenario, count), runs, seed, true, clusters)

        designs = found.fleets.designs
        least = {name: design.least for name, design in designs.items()}
        most = {name: design.most for name, design in designs.items()}
        if not found.met:  # more of it were tried and did not help
            most = dict(found.fleet)
        return Certifying(certificate, least, most)

    # -- the result --------------------------------------------------------------------------------------------------

    def _feasible(self, best: Candidate, unfit: list[Unfit]) -> Plan:
        certified, each = best.certified, best.fleets
        assert certified is not None, "it is chosen as certified"
        pools = {}
        for name, design in each.designs.items():
            need = certified.fleet[name]
            spares = spares_of(need, design.pool, self.spec.survive) if self.spec.survive is not None else None
            pools[name] = PlannedPool(name, design, need, spares)
        total = {name: pool.replicas for name, pool in pools.items()}
        usd = certified.certificates[0].usd_per_hour
        if total != certified.fleet:
            paid = self.runs.of(each.scenario_with(total, fresh_seed(self.scenario.seed)), 1)
            usd = None if usd is None else paid.usd_per_hour[0]
        return self._told(best, pools, usd, "", unfit)

    def _infeasible(self, nearest: Candidate, unfit: list[Unfit]) -> Plan:
        assert nearest.certified is not None, "its certificate says that it misses, or that it is not decided"
        first = nearest.certified.certificates[0]
        scenario = nearest.fleets.scenario_with(first.fleet, first.seed)
        reason = why_not(nearest.fleets, first.fleet, first, self.runs.of(scenario, 1).summary)
        return self._told(nearest, {}, None, reason, unfit)

    def _told(
        self, one: Candidate, pools: dict[str, PlannedPool], usd: float | None, reason: str, unfit: list[Unfit]
    ) -> Plan:
        assert one.certified is not None, "a plan has certificates"
        return Plan(
            scenario=self.scenario,
            base=one.fleets.scenario,
            feasible=bool(pools),
            pools=pools,
            usd_per_hour=usd,
            certificates=one.certified.certificates,
            reason=reason,
            considered=self._considered(one if pools else None),
            unfit=tuple(unfit),
            notes=tuple(dict.fromkeys(self.probing.notes)),
            confidence=self.spec.confidence,
            seed=self.scenario.seed,
            fresh_seed=fresh_seed(self.scenario.seed),
            budget=self.budget,
            runs=len(self.runs.used),
            requests=self.runs.requests,
        )

    def _considered(self, best: Candidate | None) -> tuple[Considered, ...]:
        """All candidates but the mixes that theory alone has dropped."""
        priced = all(pool.priced for pool in self.scenario.pools.values())
        shown = [one for one in self.candidates if one.mixing is None or one.looked_at]
        return tuple(considered(one, best, priced) for one in shown)


def _by_estimate(combinations: list[Fleets]) -> list[Candidate]:
    """A candidate of each combination of designs, cheapest first by theory."""
    made = []
    for each in combinations:
        around = {name: bracket(each, name) for name in each.designs}
        floor = each.usd_per_hour({name: one.least for name, one in around.items()})
        estimate = each.usd_per_hour({name: one.estimate for name, one in around.items()})
        made.append((estimate, Candidate(each, around, floor)))
    return [one for _, one in sorted(made, key=lambda pair: pair[0])]


def _margin(one: Candidate) -> float:
    assert one.certified is not None, "it has failed its certificate"
    return one.certified.certificates[0].worst.margin


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
