"""Everything that a plan's document rests on, made in its order: the plan, months ahead, drills, sensitivity."""

from __future__ import annotations

from collections.abc import Callable

from sim.scenario import Scenario
from sim.study.executors import Executor
from sim.study.planned.dossier import Dossier, planned_scenario
from sim.study.planned.planner import planned
from sim.study.planned.runs import Runs
from sim.study.purchased.bench import Bench
from sim.study.purchased.rounds import NoPlanError, plan_over_time
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
) -> Dossier:
    """Plan a scenario, and look at the plan. The same scenario and seed give the same, whoever makes the runs."""
    told = watch or (lambda _: None)
    plan = planned(scenario, runs, budget)
    purchases, no_purchases = None, ""
    if plan.feasible and scenario.plan is not None and scenario.plan.over_time is not None:
        try:
            purchases = plan_over_time(scenario, executor=executor, bench=Bench(executor, runs.known, runs.keep))
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
