"""The plan over time from end to end: sizes, a proposal, its verification; again with what was found too small.

`plan_over_time` is the one door. The MILP proposes and the simulator verifies, two or three times: sizes between the
levels that were searched are interpolated, and a fleet that turns out too small for a month raises them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sim.autoscaling.fixed import Fixed
from sim.config.errors import ConfigError, Problem
from sim.scenario import Scenario
from sim.scenario.plan import PoolPlan
from sim.scenario.plan_over_time import OverTime
from sim.study.executors import Executor, Here
from sim.study.purchased import milp
from sim.study.purchased.bench import Bench
from sim.study.purchased.calendar import Calendar
from sim.study.purchased.demand import outlook
from sim.study.purchased.fleets import Make, fits, make_of
from sim.study.purchased.headroom import survivors, updating
from sim.study.purchased.hours import FULL, Step, hours_of
from sim.study.purchased.offered import offered
from sim.study.purchased.purchases import Purchases, Round
from sim.study.purchased.sizing import Need, Probed, Sizing, need_of
from sim.study.purchased.stage import Place, Stage
from sim.study.purchased.tables import purchases_of
from sim.study.purchased.verify import RUNS, Verifier

Watch = Callable[[str], None]


class NoPlanError(ConfigError):
    """No number of replicas keeps the promises at some level of demand."""


def plan_over_time(
    scenario: Scenario,
    sizing: Sizing | None = None,
    executor: Executor | None = None,
    *,
    over_time: OverTime | None = None,
    makes: Mapping[str, Sequence[Make]] | None = None,
    bench: Bench | None = None,
    runs: int = RUNS,
    watch: Watch | None = None,
) -> Purchases:
    """What to buy, month by month. The same scenario and seed give the same plan, for any executor.

    `sizing`: the fewest replicas for a level of demand; left out, it is searched for by short runs. `makes`: what the
    replicas of each pool may be made of; left out, what `plan.pools` names as candidates, else the pool's own.
    `over_time`: left out, the scenario's `plan.over_time`. `runs`: replications of each month that is verified.

    `bench`: makes and keeps the runs, instead of the executor.

    Raises `NoPlanError` where no fleet keeps the promises, `ConfigError` for a mistake, `DataError` for a wrong file.
    """
    asked = over_time or (scenario.plan.over_time if scenario.plan is not None else None)
    if asked is None:
        raise ConfigError(Problem("is missing: what to plan over time, such as {months: 6, growth: 5%/month}", "plan"))
    runner = bench or Bench(Here() if executor is None else executor)
    told = watch or (lambda _: None)
    scenario = as_planned(scenario)
    made = makes or candidates(scenario)
    stage = _stage(scenario, asked, made, sizing or Probed(scenario, runner, watch=told), told)
    rounds: list[Round] = []
    while True:
        problem = stage.problem()
        told(f"round {len(rounds) + 1}: {len(problem.states)} load levels, {len(stage.paths)} demand scenarios")
        proposal = milp.propose(problem)
        verifier = Verifier(stage, runner, len(rounds) + 1, runs)
        verified = verifier.verified(problem, proposal)
        failed = sum(each.meets is False for each in verified)
        rounds.append(Round(proposal.usd, len(verified), failed))
        mended = any(each.meets is False and not each.by_policy for each in verified)
        if not mended or len(rounds) == asked.rounds:
            break
    return purchases_of(stage, problem, proposal, verified, rounds)


def as_planned(scenario: Scenario) -> Scenario:
    """The scenario with fixed fleets in the pools for which the plan asks for one."""
    asked = {} if scenario.plan is None else scenario.plan.pools
    pools = {
        name: pool.model_copy(update={"autoscaler": Fixed(replicas=max(pool.autoscaler.initial_replicas, 1))})
        if name in asked and asked[name].fixed
        else pool
        for name, pool in scenario.pools.items()
    }
    return scenario.model_copy(update={"pools": pools})


def candidates(scenario: Scenario) -> dict[str, list[Make]]:
    """What the replicas of each pool may be made of, as `plan.pools` says; the pool's own if it says nothing.

    One make for a GPU: of several sizes of a replica the first that the model fits in.
    """
    found: dict[str, list[Make]] = {}
    for name, pool in scenario.pools.items():
        own = make_of(pool)
        asked = scenario.plan.of_pool(name) if scenario.plan is not None else PoolPlan()
        sizes = asked.gpus_per_replica or (own.gpus_per_replica,)
        makes = [Make(gpu, size) for gpu in asked.gpu or (own.gpu,) for size in sizes]
        fitting = [make for make in makes if fits(pool, make)]
        found[name] = list({make.name: make for make in reversed(fitting)}.values())[::-1]
        if not found[name]:
            names = ", ".join(f"{make.gpus_per_replica} {make.name}" for make in makes)
            raise NoPlanError(Problem(f"the model fits in none of its candidates: {names}", f"plan.pools.{name}"))
    return found


def _stage(
    scenario: Scenario, asked: OverTime, makes: Mapping[str, Sequence[Make]], sizing: Sizing, told: Watch
) -> Stage:
    starts = asked.starts or (f"{scenario.starts:%Y-%m}" if scenario.starts is not None else None)
    calendar = Calendar(starts)
    future = outlook(asked, starts)
    paths = future.paths(asked.risk.short_at_most)
    regions = {name: region.share for name, region in asked.regions.items()} or {"": 1.0}
    places = tuple(Place(pool, region, share) for region, share in regions.items() for pool in scenario.pools)
    told("hours of the month")
    hours = {pool: hours_of(scenario, pool, asked.hours) for pool in scenario.pools}
    wanted = {f * step.relative for path in paths for f in path.factors for step in _levels(asked, hours)}
    needs, usable = _needs(scenario, makes, sizing, places, sorted(wanted))
    survive = scenario.plan.survive if scenario.plan is not None else None
    return Stage(
        scenario,
        asked,
        calendar,
        future,
        paths,
        places,
        usable,
        needs,
        hours,
        {
            (pool, make.name): (survivors(survive, make, scenario.pools[pool]), updating(scenario.pools[pool]))
            for pool, several in usable.items()
            for make in several
        },
        offered(scenario, asked, usable, list(regions), calendar),
    )


def _levels(asked: OverTime, hours: Mapping[str, Sequence[Step]]) -> list[Step]:
    """The levels within a month at which a size is looked up."""
    if asked.hours == "fleet":
        return [FULL]
    return [step for steps in hours.values() for step in steps if step.relative > 0]


def _needs(
    scenario: Scenario,
    makes: Mapping[str, Sequence[Make]],
    sizing: Sizing,
    places: Sequence[Place],
    factors: Sequence[float],
) -> tuple[dict[tuple[str, str], Need], dict[str, list[Make]]]:
    """Sizes by pool and GPU, and the makes that do at all."""
    needs: dict[tuple[str, str], Need] = {}
    usable: dict[str, list[Make]] = {pool: [] for pool in scenario.pools}
    for pool, several in makes.items():
        shares = sorted({place.share for place in places if place.pool == pool})
        wanted = [factor * share for factor in factors for share in shares]
        for make in several:
            need = need_of(sizing, pool, make, wanted)
            if need is not None:
                needs[pool, make.name] = need
                usable[pool].append(make)
        if not usable[pool]:
            names = ", ".join(make.name for make in several)
            told = f"no number of replicas keeps its promises at {max(wanted):.3g} times the demand, on {names}"
            raise NoPlanError(Problem(told, f"pools.{pool}"))
    return needs, usable
