"""What purchases carry: how much demand a month's GPUs are enough for, how likely it is to be more, and from which day.

A month is short when demand outgrows all there is: what exists, what was bought until then, and what quotas leave by
the hour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.study.purchased.stage import Stage
from sim.study.purchased.terms import Bought, Problem

_MOST_FACTOR = 1e4


def gpus_there(
    stage: Stage, problem: Problem, bought: Sequence[Bought], month: int, by_hour: bool = True
) -> dict[tuple[str, str], float]:
    """GPUs that there can be in a month, by GPU and region; infinite where more is to be had by the hour."""
    period = next(place for place, each in enumerate(problem.periods) if each.month == month)
    found = {}
    for region in stage.regions:
        for gpu in dict.fromkeys(make.name for several in stage.makes.values() for make in several):
            there = problem.there.get((gpu, region, period), 0.0)
            held = [each for each in bought if (each.gpu, each.region) == (gpu, region)]
            held = [each for each in held if each.month <= month < each.month + each.term_months]
            owned = sum(each.gpus for each in held if each.kind == "owned")
            rented = float(sum(each.gpus for each in held if each.kind != "owned"))
            if by_hour:
                rented += sum(
                    each.most_gpus
                    for each in problem.hourly
                    if (each.gpu, each.region, each.kind) == (gpu, region, "on_demand")
                )
            quota = problem.quotas.get((gpu, region), math.inf)
            found[gpu, region] = there + owned + min(rented, max(quota - there, 0.0))
    return found


def carried_factor(stage: Stage, gpus: dict[tuple[str, str], float]) -> float:
    """The most demand, as a factor, that these GPUs are enough for; infinite where they have no limit."""
    if _covers(stage, gpus, _MOST_FACTOR):
        return math.inf
    low, high = 0.0, _MOST_FACTOR
    for _ in range(60):
        middle = math.sqrt(max(low, 1e-4) * high)
        low, high = (middle, high) if _covers(stage, gpus, middle) else (low, middle)
        if high / max(low, 1e-9) < 1 + 1e-9:
            break
    return low


def _covers(stage: Stage, gpus: dict[tuple[str, str], float], factor: float) -> bool:
    """Whether every region's pools are carried, requests shared among GPUs as they fit."""
    for region in stage.regions:
        places = [place for place in stage.places if place.region == region]
        share = 0.0
        names = dict.fromkeys(make.name for place in places for make in stage.makes[place.pool])
        for gpu in names:
            mine = [place for place in places if any(make.name == gpu for make in stage.makes[place.pool])]
            needed = math.fsum(stage.gpus(place, gpu, factor) for place in mine)
            part = len(mine) / len(places) if len(names) > 1 else 1.0
            share += math.inf if math.isinf(gpus[gpu, region]) else part * gpus[gpu, region] / needed
        if share < 1 - 1e-9:
            return False
    return True


def short_probability(stage: Stage, problem: Problem, bought: Sequence[Bought], month: int) -> float:
    """Probability that demand in a month outgrows what there is."""
    most = carried_factor(stage, gpus_there(stage, problem, bought, month))
    return 0.0 if math.isinf(most) else stage.outlook.exceeds(month, most * (1 + 1e-9))


def needed_by_days(stage: Stage, problem: Problem, bought: Sequence[Bought], order: Bought) -> tuple[float, bool]:
    """Days from the plan's first day until a purchase is needed, at most those until it begins; and whether it is.

    Needed: without it and those after it, demand outgrows the rest more often than is allowed. Otherwise it is only
    cheaper than what the rest comes to.
    """
    begins = stage.calendar.days(order.month)
    before = [each for each in bought if each.month < order.month]
    most = carried_factor(stage, gpus_there(stage, problem, before, order.month))
    if math.isinf(most):
        return begins, False
    risk = stage.over_time.risk.short_at_most
    middle = stage.calendar.days(1) / 2
    for day in range(int(begins) + 1):
        month = (day - middle) / stage.calendar.days(1)
        if stage.outlook.exceeds(month, most * (1 + 1e-9)) > risk:
            return float(day), True
    return begins, stage.outlook.exceeds(order.month, most * (1 + 1e-9)) > risk
