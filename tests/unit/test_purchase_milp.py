"""What the purchase MILP decides, against the closed forms of `sim.pricing.arithmetic` and by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sim.pricing.arithmetic import reserved_for_hours
from sim.study.purchased.milp import propose
from sim.study.purchased.terms import Commitment, Hourly, Period, Problem, Proposal, Site, Spending, State

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "queue_vectors.json"
SITE = Site("chat", "", {"gpu": 1.0})
DAYTIME = [10, 12, 14, 16, 17, 18, 18, 18, 17, 16, 14, 12, 10, 8, 6, 4, 3, 2, 2, 2, 3, 4, 6, 8]


def reserved(price: float = 0.6, at_once: int = 1, term: int = 12, first: int = 0, most: float = 1e9) -> Commitment:
    return Commitment("1y", "reserved", "gpu", "", price, at_once, term, first, most)


def hourly(price: float = 1.0, kind: str = "on_demand", most: float = 1e9) -> Hourly:
    return Hourly(kind, kind, "gpu", "", price, most_gpus=most)


def states(demand: list[int], period: int = 0, path: int = 0, probability: float = 1.0) -> list[State]:
    return [State(period, path, probability, 1.0, {("chat", "gpu"): each}) for each in demand]


def solved(demand: list[int], **given: Any) -> Proposal:
    period = Period(0, float(len(demand)))
    told = {"commitments": (reserved(),), "hourly": (hourly(),)} | given
    return propose(Problem((period,), (SITE,), tuple(states(demand)), **told))


@pytest.mark.parametrize("price", [0.05, 0.3, 0.6, 0.61, 0.99])
def test_reserves_by_the_load_duration_curve(price: float) -> None:
    best = reserved_for_hours(DAYTIME, price, 1.0)
    found = solved(DAYTIME, commitments=(reserved(price),))
    assert found.usd == pytest.approx(best.cost_usd, rel=1e-9)
    assert sum(each.gpus for each in found.bought) in (best.units, best.units - 1)  # at the price of indifference


def test_the_load_duration_vector_is_exact() -> None:
    if not REFERENCE.is_file():
        pytest.skip("needs ../shared/reference/queue_vectors.json")
    vectors = json.loads(REFERENCE.read_text(encoding="utf-8"))["planning_vectors"]
    (case,) = (each for each in vectors if each["id"] == "load_duration_curve_commitment")
    found = solved(
        case["hourly_demand"],
        commitments=(reserved(case["reserved_rate"]),),
        hourly=(hourly(case["on_demand_rate"]),),
    )
    assert [each.gpus for each in found.bought] == [case["best_q"]]
    assert found.usd == pytest.approx(case["daily_cost"], rel=1e-9)
    over = sum(use.on_demand["gpu", ""] for use in found.uses)
    assert over == sum(max(each - case["best_q"], 0) for each in case["hourly_demand"])


def test_demand_scenarios_are_mixed_before_the_quantile_is_taken() -> None:
    """The newsvendor: 100 units, give or take 20, in whole units and 399 equally likely scenarios."""
    from statistics import NormalDist

    paths = 399
    demand = [round(NormalDist(100, 20).inv_cdf((place + 0.5) / paths)) for place in range(paths)]
    every = [state for path, each in enumerate(demand) for state in states([each], 0, path, 1 / paths)]
    found = propose(Problem((Period(0, 1.0),), (SITE,), tuple(every), (reserved(1.2),), (hourly(2.0),)))
    best = reserved_for_hours(demand, 1.2, 2.0)
    assert found.usd * paths == pytest.approx(best.cost_usd, rel=1e-9)
    assert found.bought[0].gpus == best.units == 95  # 94.93 of the closed form, in whole units


def test_buys_whole_nodes() -> None:
    found = solved([10] * 24, commitments=(reserved(0.6, at_once=8),))
    assert [each.gpus for each in found.bought] == [8]
    assert found.usd == pytest.approx(24 * (8 * 0.6 + 2))


def test_keeps_what_was_bought_until_its_term_is_over() -> None:
    periods = tuple(Period(month, 10.0, planned=month < 4) for month in range(5))
    every = [State(month, 0, 1.0, 10.0, {("chat", "gpu"): need}) for month, need in enumerate([4, 4, 1, 4, 0])]
    found = propose(Problem(periods, (SITE,), tuple(every), (reserved(0.6, term=2),), (hourly(),)))
    # months 0 and 1: four for both; then only one is used in both, and one is cheaper for two months than on demand
    assert [(each.month, each.gpus) for each in found.bought] == [(0, 4), (2, 1)]
    assert [use.on_demand["gpu", ""] for use in found.uses] == [0, 0, 0, 3, 0]


def test_a_long_term_is_paid_beyond_the_plan() -> None:
    demand_stays = (Period(0, 10.0), Period(1, 110.0, months=11, planned=False))
    every = [State(place, 0, 1.0, period.hours, {("chat", "gpu"): 4}) for place, period in enumerate(demand_stays)]
    kept = propose(Problem(demand_stays, (SITE,), tuple(every), (reserved(),), (hourly(),)))
    assert kept.bought[0].gpus == 4
    ends = [every[0], State(1, 0, 1.0, 110.0, {("chat", "gpu"): 0})]
    assert not propose(Problem(demand_stays, (SITE,), tuple(ends), (reserved(),), (hourly(),))).bought


def test_nothing_comes_before_its_lead_time() -> None:
    periods = tuple(Period(month, 10.0) for month in range(3))
    every = [State(month, 0, 1.0, 10.0, {("chat", "gpu"): 4}) for month in range(3)]
    found = propose(Problem(periods, (SITE,), tuple(every), (reserved(first=2),), (hourly(),)))
    assert [each.month for each in found.bought] == [2]
    assert [use.on_demand["gpu", ""] for use in found.uses] == [4, 4, 0]


def test_is_short_no_more_often_than_allowed() -> None:
    """Without on demand, capacity is bought for as many of the scenarios as the risk asks for, and no more."""
    demand = {10: 0.5, 20: 0.45, 60: 0.05}
    every = [s for path, (need, p) in enumerate(demand.items()) for s in states([need], 0, path, p)]

    def bought(risk: float) -> int:
        return sum(
            each.gpus
            for each in propose(
                Problem((Period(0, 1.0),), (SITE,), tuple(every), (reserved(1.0),), short_at_most=risk)
            ).bought
        )

    assert bought(0.05) == 20
    assert bought(0.04) == 60


def test_quotas_bind_the_provider_and_not_what_is_owned() -> None:
    owned = Commitment("own", "owned", "gpu", "", 5.0, 1, 12)
    found = solved([30] * 4, commitments=(reserved(), owned), quotas={("gpu", ""): 20.0})
    assert {each.kind: each.gpus for each in found.bought} == {"reserved": 20, "owned": 10}


def test_spot_carries_its_share_and_no_more() -> None:
    site = Site("chat", "", {"gpu": 1.0}, spot_share=0.3)
    problem = Problem((Period(0, 1.0),), (site,), tuple(states([10])), (), (hourly(), hourly(0.4, "spot")))
    (use,) = propose(problem).uses
    assert (use.spot["gpu", ""], use.on_demand["gpu", ""]) == (3, 7)


def test_a_savings_plan_is_committed_up_to_what_is_used_enough() -> None:
    """30 % off pays for what is used at least 70 % of the time: the rule of reserving, in dollars."""
    found = solved(DAYTIME, commitments=(), spending=(Spending("1y plan", 0.3, 12),))
    best = reserved_for_hours(DAYTIME, 0.7, 1.0)
    assert found.usd == pytest.approx(best.cost_usd, rel=1e-6)
    assert found.spending[0].usd_per_h == pytest.approx(best.units * 0.7, rel=1e-6)


def test_takes_the_gpu_that_serves_cheapest_and_the_other_beyond_its_quota() -> None:
    site = Site("chat", "", {"old": 1.0, "new": 2.0})
    need = {("chat", "old"): 12, ("chat", "new"): 4}
    options = (Hourly("a", "on_demand", "old", "", 1.0), Hourly("b", "on_demand", "new", "", 1.2))
    state = State(0, 0, 1.0, 1.0, need)
    problem = Problem((Period(0, 1.0),), (site,), (state,), (), options, quotas={("new", ""): 4.0})
    (use,) = propose(problem).uses
    assert use.on_demand["new", ""] == pytest.approx(4)  # half of all requests
    assert use.on_demand["old", ""] == pytest.approx(6)
