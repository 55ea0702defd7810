"""A tuning from its scenario to its answer: search, measure the finalists on fresh seeds, compare, pick."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sim.config.errors import ConfigError
from sim.scenario import Scenario
from sim.scenario.tune import Budget, Tune
from sim.statistics.intervals import Interval
from sim.study.executors import Executor, Here
from sim.study.regret import UTILIZATIONS
from sim.study.replicated.fresh import fresh_seed
from sim.study.store.search import KeptRuns
from sim.study.tuned import ladder
from sim.study.tuned.answer import Point, Tuned
from sim.study.tuned.figures import tail_of
from sim.study.tuned.finalists import finalists
from sim.study.tuned.fresh import Fresh, measure
from sim.study.tuned.front import memberships
from sim.study.tuned.goal import Goal
from sim.study.tuned.ladder import Reference
from sim.study.tuned.runs import Runs
from sim.study.tuned.sampler import Sampler
from sim.study.tuned.search import Searched, search
from sim.study.tuned.space import Candidate, space_of, untouched

Told = Callable[[str], None]


def tune(
    scenario: Scenario,
    executor: Executor | None = None,
    kept: KeptRuns | None = None,
    budget: Budget | None = None,
    told: Told = lambda _: None,
) -> Tuned:
    """Better values for what of a scenario may be tuned, on numbers that nobody picked them for.

    `kept`: runs that are known, to which new ones are added; `budget`: instead of the scenario's; `told` hears what is
    being done. The same scenario and budget give the same answer, whoever makes the runs, unless the budget is a time.
    """
    asked = scenario.tune or Tune()
    budget = budget or asked.most
    space = space_of(scenario)
    base = untouched(scenario)
    runs = Runs(executor or Here(), kept or KeptRuns(), tail=tail_of(scenario))
    goal = Goal(asked.objective, asked.keep, tuple(one.share for one in scenario.slo))
    sampler = Sampler(space, scenario.seed)
    later = _later(asked, scenario)
    searched = search(runs, goal, base, sampler, asked.search_runs, budget, later, told)
    spent = _spent(budget, runs, searched)
    seed = fresh_seed(scenario.seed)
    last = finalists(goal, searched.base, searched.standings, asked.finalists, base)
    told(f"the untouched scenario and {len(last)} finalists on fresh seeds, {asked.fresh_runs} runs each")
    first, *others = measure(runs, [base, *last], seed, asked.fresh_runs)
    if first.candidate is not base:
        raise ConfigError("the untouched scenario failed on fresh seeds; it cannot be tuned")
    needed = goal.needed(first.attained)
    told("the smallest fixed fleet, and the clairvoyant, on the same seeds")
    fixed = ladder.fixed(runs, base, seed, asked.fresh_runs, needed)
    foreseeing = ladder.foreseeing(runs, base, seed, asked.fresh_runs, needed)
    points = _points(goal, needed, [first, *others], foreseeing, seed)
    spent |= {"fresh_runs": len(runs.used) - spent["search_runs"], "requests": runs.requests}
    return Tuned(
        scenario=scenario,
        space=space,
        needed=needed,
        baseline=points[0],
        points=tuple(sorted(points[1:], key=lambda one: one.fresh.cost)),
        best=_best(goal, points),
        fixed=fixed,
        clairvoyant=foreseeing,
        importance=searched.importance,
        standings=searched.standings,
        spent=spent,
        fresh_seed=seed,
    )


def candidate_of(tuned: Tuned) -> Candidate:
    """The best point as a scenario, with the seed and the `tune` of the one that was tuned."""
    best = tuned.best.fresh.candidate
    return replace(best, scenario=best.scenario.model_copy(update={"tune": tuned.scenario.tune}))


def _later(asked: Tune, scenario: Scenario) -> int:
    """About how many runs come after the search."""
    steps = math.ceil(math.log2(len(UTILIZATIONS)))
    most = max((2 * pool.autoscaler.most_replicas for pool in scenario.pools.values()), default=2)
    steps += math.ceil(math.log2(max(most, 2)))
    return (asked.finalists + 1 + 3) * asked.fresh_runs + steps * ladder.PROBES


def _points(
    goal: Goal, needed: tuple[float, ...], fresh: list[Fresh], foreseeing: Reference | None, seed: int
) -> list[Point]:
    first = fresh[0]
    found = []
    for one, (on_front, share) in zip(fresh, memberships(fresh, seed), strict=True):
        is_base = one is first
        keeps = is_base or (one.keeps(needed) and goal.beside(one.figures, first.figures) <= 0)
        found.append(
            Point(
                one,
                keeps,
                keeps and one.surely_keeps(needed, first),
                on_front,
                share,
                None if is_base else _less(one.cost_ratio(first)),
                None if foreseeing is None else _beyond(one.cost_ratio(foreseeing.fresh)),
            )
        )
    return found


def _less(ratio: Interval) -> Interval:
    """What is spared, of a ratio of costs."""
    return Interval(1 - ratio.estimate, ratio.half_width)


def _beyond(ratio: Interval) -> Interval:
    """What is spent beyond, of a ratio of costs."""
    return Interval(ratio.estimate - 1, ratio.half_width)


def _best(goal: Goal, points: list[Point]) -> Point:
    """The best point that surely keeps what is needed; else of those that do so by their estimates."""
    base = points[0]

    def value(one: Point) -> float:
        return goal.value(one.fresh.figures, base.fresh.figures)

    better = [one for one in points[1:] if one.keeps and value(one) < 1]
    sure = [one for one in better if one.surely]
    return min(sure or better or [base], key=value)


def _spent(budget: Budget, runs: Runs, searched: Searched) -> dict[str, Any]:
    return {
        "asked": budget.told,
        "search_runs": len(runs.used),
        "search_requests": runs.requests,
        "points": len(searched.standings),
        "impossible_points": searched.impossible,
        "batches": searched.batches,
    }
