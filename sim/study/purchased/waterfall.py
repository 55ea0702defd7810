"""The headroom waterfalls of a proposal: for every site and month, what each replica is for."""

from __future__ import annotations

import math

from sim.study.purchased.headroom import bare, lines, reacting, told_survive
from sim.study.purchased.purchases import Waterfall
from sim.study.purchased.stage import Place, Stage
from sim.study.purchased.terms import Problem, Proposal


def waterfalls(stage: Stage, problem: Problem, proposal: Proposal) -> tuple[Waterfall, ...]:
    """Month by month, on the GPU that carries most of a site's requests in its fullest hours."""
    found = []
    for month in range(stage.over_time.months):
        for place in stage.places:
            found.append(_of(stage, problem, proposal, place, month))
    return tuple(found)


def _of(stage: Stage, problem: Problem, proposal: Proposal, place: Place, month: int) -> Waterfall:
    risk, survive = stage.over_time.risk.short_at_most, None
    if stage.scenario.plan is not None:
        survive = stage.scenario.plan.survive
    gpu = _main_gpu(stage, problem, proposal, place, month)
    middle, high = (stage.outlook.quantile(month, share) for share in (0.5, 1 - risk))
    serving, most = stage.serving(place, gpu, middle), stage.serving(place, gpu, high)
    load, each = bare(stage.scenario, place.pool, stage.make(place.pool, gpu), middle * place.share)
    load = min(load, serving)
    react, why_react = reacting(stage.scenario, place.pool, middle * place.share, each)
    react = min(react, serving - load)
    failure, update = stage.beside[place.pool, gpu]
    spare = failure(most)
    away = update(most + spare)
    there = _whole_nodes(stage, problem, proposal, place, gpu, month)
    wanted = most + spare + away
    rounding = max(there - wanted, 0) if len(stage.makes[place.pool]) == 1 and len(stage.scenario.pools) == 1 else 0
    why = {
        "load": f"the median demand of the month, {middle:.3g} times today's, on replicas that are full all the time",
        "slo": "room for requests that come in bunches, so that the objectives are kept",
        "forecast": f"demand up to {high:.3g} times today's, exceeded with a probability of {risk:.3g}",
        "failure": told_survive(survive),
        "rollout": "replicas that a rolling update takes away at once" if away else "no rolling update (rollouts)",
        "reaction": why_react,
        "rounding": "whole nodes, and what longer contracts hold beyond this month",
    }
    return Waterfall(
        place.name,
        stage.calendar.label(month),
        gpu,
        lines(load, serving - load - react, most - serving, spare, away, react, rounding, why),
    )


def _main_gpu(stage: Stage, problem: Problem, proposal: Proposal, place: Place, month: int) -> str:
    carried = dict.fromkeys((make.name for make in stage.makes[place.pool]), 0.0)
    for state, use in zip(problem.states, proposal.uses, strict=True):
        if problem.periods[state.period].month == month:
            for gpu in carried:
                carried[gpu] += use.carried[place.name, gpu] * state.probability * state.hours
    return max(carried, key=lambda gpu: carried[gpu])


def _whole_nodes(stage: Stage, problem: Problem, proposal: Proposal, place: Place, gpu: str, month: int) -> int:
    """Replicas that committed GPUs of a month have room for."""
    number = next(number for number, each in enumerate(problem.periods) if each.month == month)
    gpus = proposal.gpus(problem.periods[number], gpu, place.region)
    gpus += int(problem.there.get((gpu, place.region, number), 0.0))
    return math.floor(gpus / stage.per_replica(place.pool, gpu) + 1e-9)
