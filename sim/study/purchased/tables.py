"""From a verified proposal to what is told: the months, the orders with their dates, the layers, what it costs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sim.pricing.spans import DAY_S
from sim.study.purchased import milp
from sim.study.purchased.capacity import needed_by_days, short_probability
from sim.study.purchased.demand import NAMED
from sim.study.purchased.purchases import Layer, MonthPlan, Order, Pledge, Purchases, Round, Verified
from sim.study.purchased.stage import Stage
from sim.study.purchased.terms import Bought, Problem, Proposal
from sim.study.purchased.waterfall import waterfalls

SHORT = "without it demand outgrows what there is"
CHEAPER = "cheaper from then on than by the hour; until it comes the rest is had on demand"


def purchases_of(
    stage: Stage, problem: Problem, proposal: Proposal, verified: Sequence[Verified], rounds: Sequence[Round]
) -> Purchases:
    """All that is told of a plan."""
    totals = _usd_by_path(stage, problem, proposal)
    whole = {path: math.fsum(months.values()) for path, months in totals.items()}
    chance = {path: each.probability for path, each in enumerate(stage.paths)}
    return Purchases(
        months=tuple(_month(stage, problem, proposal, month, totals) for month in range(stage.over_time.months)),
        orders=tuple(_order(stage, problem, proposal, each) for each in proposal.bought),
        pledges=tuple(_pledges(stage, proposal)),
        layers=tuple(_layers(stage, problem, proposal)),
        waterfalls=waterfalls(stage, problem, proposal),
        verified=tuple(verified),
        rounds=tuple(rounds),
        demand=stage.outlook.as_document(stage.over_time.risk.short_at_most),
        sizes=_sizes(stage),
        usd_expected=_expected(whole, chance),
        usd_p50=_quantile(whole, chance, 0.5),
        usd_p90=_quantile(whole, chance, 0.9),
        usd_without_commitments=_by_the_hour(stage, problem),
        usd_after=_after(stage, proposal),
        risk_share=stage.over_time.risk.short_at_most,
        gap_share=proposal.gap_share,
        notes=(*_notes(stage, problem), *_autoscaled(stage, verified)),
    )


def _usd_by_path(stage: Stage, problem: Problem, proposal: Proposal) -> dict[int, dict[int, float]]:
    """USD of each planned month, by demand scenario and month."""
    committed = {period.month: _committed_usd(proposal, period.month, period.hours) for period in problem.periods}
    found: dict[int, dict[int, float]] = {path: defaultdict(float) for path in range(len(stage.paths))}
    for state, use in zip(problem.states, proposal.uses, strict=True):
        period = problem.periods[state.period]
        if not period.planned:
            continue
        usd = 0.0
        for rate in problem.hourly:
            gpus = (use.spot if rate.kind == "spot" else use.on_demand).get((rate.gpu, rate.region), 0.0)
            usd += gpus * rate.usd_per_gpu_h
        found[state.path][period.month] += usd * state.hours
    for months in found.values():
        for period in problem.periods:
            if period.planned:
                months[period.month] += committed[period.month]
    return found


def _committed_usd(proposal: Proposal, month: int, hours: float) -> float:
    held = [each for each in proposal.bought if each.month <= month < each.month + each.term_months]
    spent = [each for each in proposal.spending if each.month <= month < each.month + each.term_months]
    return hours * (sum(each.gpus * each.usd_per_gpu_h for each in held) + sum(each.usd_per_h for each in spent))


def _expected(values: dict[int, float], chance: dict[int, float]) -> float:
    return math.fsum(chance[path] * value for path, value in values.items())


def _quantile(values: dict[int, float], chance: dict[int, float], share: float) -> float:
    """The least value that is not exceeded with this probability."""
    total = 0.0
    for value, path in sorted((value, path) for path, value in values.items()):
        total += chance[path]
        if total >= share - 1e-9:
            return value
    return max(values.values())


def _month(
    stage: Stage, problem: Problem, proposal: Proposal, month: int, totals: dict[int, dict[int, float]]
) -> MonthPlan:
    usd = {path: months[month] for path, months in totals.items()}
    chance = {path: each.probability for path, each in enumerate(stage.paths)}
    factors = {name: stage.outlook.quantile(month, share) for share, name in NAMED}
    replicas = {
        place.name: {
            name: min(stage.fleet(place, make.name, factors[name]) for make in stage.makes[place.pool])
            for name in ("p50", "p90")
        }
        for place in stage.places
    }
    return MonthPlan(
        stage.calendar.label(month),
        factors,
        replicas,
        _expected(usd, chance),
        _quantile(usd, chance, 0.5),
        _quantile(usd, chance, 0.9),
        short_probability(stage, problem, proposal.bought, month),
    )


def _order(stage: Stage, problem: Problem, proposal: Proposal, bought: Bought) -> Order:
    days, calendar = stage.calendar.days, stage.calendar
    needed, is_needed = needed_by_days(stage, problem, proposal.bought, bought)
    lead_s = stage.options.lead_s.get(bought.option, 0.0)
    hours = calendar.hours(bought.month, bought.term_months)
    return Order(
        bought.option,
        bought.kind,
        bought.gpu,
        bought.region,
        bought.gpus,
        calendar.day(bought.month),
        calendar.day(bought.month + bought.term_months),
        calendar.day_of(needed),
        calendar.day_of(needed, lead_s),
        lead_s / DAY_S,
        SHORT if is_needed else CHEAPER,
        bought.usd_per_gpu_h,
        bought.gpus * bought.usd_per_gpu_h * hours,
        is_late=min(needed, days(bought.month)) * DAY_S < lead_s - 1,
    )


def _pledges(stage: Stage, proposal: Proposal) -> list[Pledge]:
    calendar = stage.calendar
    return [
        Pledge(
            each.option,
            each.usd_per_h,
            calendar.day(each.month),
            calendar.day(each.month + each.term_months),
            calendar.day(each.month, stage.options.lead_s.get(each.option, 0.0)),
        )
        for each in proposal.spending
    ]


def _layers(stage: Stage, problem: Problem, proposal: Proposal) -> list[Layer]:
    """By month, region and GPU, every layer that has any."""
    found = []
    for place, period in enumerate(problem.periods):
        if not period.planned:
            continue
        label = stage.calendar.label(period.month)
        for region in stage.regions:
            for gpu in dict.fromkeys(make.name for several in stage.makes.values() for make in several):
                there = problem.there.get((gpu, region, place), 0.0)
                if there:
                    found.append(Layer(label, region, gpu, "existing", there, there, 0.0))
                for kind in dict.fromkeys(each.kind for each in proposal.bought):
                    gpus = proposal.gpus(period, gpu, region, kind)
                    usd = period.hours * math.fsum(
                        each.gpus * each.usd_per_gpu_h
                        for each in proposal.bought
                        if (each.kind, each.gpu, each.region) == (kind, gpu, region)
                        and each.month <= period.month < each.month + each.term_months
                    )
                    if gpus:
                        found.append(Layer(label, region, gpu, kind, gpus, gpus, usd))
                found += _hourly_layers(problem, proposal, place, label, gpu, region)
    return found


def _hourly_layers(problem: Problem, proposal: Proposal, place: int, label: str, gpu: str, region: str) -> list[Layer]:
    found = []
    price = {rate.kind: rate.usd_per_gpu_h for rate in problem.hourly if (rate.gpu, rate.region) == (gpu, region)}
    for layer, key, kind in (
        ("on_demand", "on_demand", "on_demand"),
        ("spot", "spot", "spot"),
        ("savings_plan", "discounted", "on_demand"),
    ):
        mean, peak, hours = 0.0, 0.0, problem.periods[place].hours
        for state, use in zip(problem.states, proposal.uses, strict=True):
            if state.period == place:
                gpus = getattr(use, key).get((gpu, region), 0.0)
                mean += gpus * state.probability * state.hours / hours
                peak = max(peak, gpus)
        if peak > 1e-6:
            usd = 0.0 if layer == "savings_plan" else mean * hours * price.get(kind, 0.0)
            found.append(Layer(label, region, gpu, layer, mean, peak, usd))
    return found


def _sizes(stage: Stage) -> dict[str, dict[str, list[tuple[float, int]]]]:
    found: dict[str, dict[str, list[tuple[float, int]]]] = defaultdict(dict)
    for (pool, gpu), need in stage.needs.items():
        found[pool][gpu] = need.points
    return dict(found)


def _by_the_hour(stage: Stage, problem: Problem) -> float | None:
    """Expected USD of the plan's months with nothing committed to."""
    if not any(each.kind == "on_demand" for each in problem.hourly):
        return None
    alone = replace(
        problem,
        commitments=(),
        spending=(),
        states=tuple(s for s in problem.states if problem.periods[s.period].planned),
    )
    proposal = milp.propose(alone)
    totals = _usd_by_path(stage, alone, proposal)
    return math.fsum(stage.paths[path].probability * math.fsum(months.values()) for path, months in totals.items())


def _after(stage: Stage, proposal: Proposal) -> float:
    """What is still to be paid after the last month."""
    months = stage.over_time.months

    def left(month: int, term: int) -> float:
        return stage.calendar.hours(months, month + term - months) if month + term > months else 0.0

    gpus = math.fsum(each.gpus * each.usd_per_gpu_h * left(each.month, each.term_months) for each in proposal.bought)
    return gpus + math.fsum(each.usd_per_h * left(each.month, each.term_months) for each in proposal.spending)


def _notes(stage: Stage, problem: Problem) -> tuple[str, ...]:
    told = []
    if any(not period.planned for period in problem.periods):
        then = "stays as in its last month" if stage.over_time.afterwards == "stays" else "ends with it"
        told.append(f"contracts go on after the plan's last month; for what they are worth then, demand {then}")
    if any(rate.kind == "spot" for rate in problem.hourly):
        told.append("spot is taken as there when wanted: what reclaims do to users is not in these months")
    if len(stage.scenario.pools) > 1:
        told.append("pools are taken as fullest at the same hours")
    return tuple(told)


def _autoscaled(stage: Stage, verified: Sequence[Verified]) -> Iterator[str]:
    """What is to be known of pools that keep their autoscalers."""
    for name, pool in stage.scenario.pools.items():
        if pool.autoscaler.kind == "fixed":
            continue
        yield f"{name} keeps its autoscaler: its replicas are the most that the policy uses (its max_replicas)"
        sites = {place.name for place in stage.places if place.pool == name}
        missed = [each for each in verified if each.by_policy and each.site in sites]
        if missed:
            worst = max(missed, key=lambda each: each.missed_share)
            yield (
                f"{name}: in {len({each.month for each in missed})} months its autoscaler misses a promise by up to "
                f"{worst.missed_share:.2%} of the requests however many replicas it may have, and more are not planned "
                "for that; what may mend it: a lower target, a larger min_replicas, a faster boot, or a fixed fleet "
                f"(plan.pools.{name}.fixed: true)"
            )
