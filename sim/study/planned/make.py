"""Everything that a plan's document rests on, made in its order: the plan, months ahead, drills, sensitivity."""

from __future__ import annotations

from collections.abc import Callable

from sim.scenario import Pool, Scenario
from sim.study.executors import Executor
from sim.study.planned.dossier import Dossier, planned_scenario
from sim.study.planned.planner import planned
from sim.study.planned.result import Plan, PlannedPool
from sim.study.planned.runs import Runs
from sim.study.purchased.bench import Bench
from sim.study.purchased.purchases import Purchases
from sim.study.purchased.rounds import NoPlanError, plan_over_time
from sim.study.purchased.sizing import Probed
from sim.study.rehearsed.rehearse import rehearse
from sim.study.sensitivity.tornado import tornado

Watch = Callable[[str], Callable[[int, int | None], None] | None]
"""What is told of a part by its name, and how many of its runs are done."""


def dossier_of(
    scenario: Scenario,
    runs: Runs,
    executor: Executor,
    budget: int,
    drills: bool = True,
    sensitivity: bool = True,
    watch: Watch | None = None,
    say: Callable[[str], None] | None = None,
) -> Dossier:
    """Plan a scenario, and look at the plan. The same scenario and seed give the same, whoever makes the runs."""
    told = watch or (lambda _: None)
    plan = planned(scenario, runs, budget)
    purchases, no_purchases = None, ""
    if plan.feasible and scenario.plan is not None and scenario.plan.over_time is not None:
        try:
            purchases = _over_time(plan, Bench(executor, runs.kept), say)
        except NoPlanError as error:
            no_purchases = error.problems[0].message
    if not plan.feasible or not (drills or sensitivity):
        return Dossier(plan, purchases, no_purchases)
    fleet = planned_scenario(plan).model_copy(update={"plan": scenario.plan})
    return Dossier(
        plan,
        purchases,
        no_purchases,
        rehearse(fleet, executor, told("failure drills")) if drills else None,
        tornado(plan, fleet, executor, told("sensitivity")) if sensitivity else None,
    )


def _over_time(plan: Plan, bench: Bench, say: Callable[[str], None] | None) -> Purchases:
    """The months ahead, from the designs that were chosen on: their engine's limits, their GPUs to a replica.

    Of an autoscaled pool the number that was chosen is its min_replicas: a value of its policy, not its size.
    """
    same = {name: pool for name, pool in plan.pools.items() if name in plan.scenario.pools}
    pools = {name: _made(pool) for name, pool in same.items() if pool.design.mixed is None}
    scenario = plan.scenario.model_copy(update={"pools": {**plan.scenario.pools, **pools}})
    certified = {
        (name, pool.design.pool.gpu.name if pool.design.pool.gpu is not None else "gpu", 1.0): pool.need
        for name, pool in same.items()
        if not pool.design.elastic
    }
    return plan_over_time(scenario, Probed(scenario, bench, known=certified), bench=bench, watch=say)


def _made(planned: PlannedPool) -> Pool:
    """The pool as chosen, an autoscaled one with the min_replicas that keep the promises."""
    return planned.design.with_replicas(planned.need) if planned.design.elastic else planned.design.pool
