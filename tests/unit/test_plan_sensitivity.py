"""The sensitivity of a plan: what is multiplied, what cannot be, and what is made of the runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sim.scenario import Scenario, load
from sim.study.executors import Here
from sim.study.planned.dossier import planned_scenario
from sim.study.planned.planner import planned
from sim.study.planned.runs import Runs
from sim.study.rehearsed.altered import Document, altered
from sim.study.sensitivity.assumptions import otherwise
from sim.study.sensitivity.scaling import law_times, prices_times, slower, time_times
from sim.study.sensitivity.tornado import tornado
from tests.unit.test_plan_drills import line

POOL = {"replica": {"kind": "slots"}, "autoscaler": {"kind": "fixed", "replicas": 1}}
LAWS: list[dict[str, Any]] = [
    {"kind": "constant", "value": 10},
    {"kind": "lognormal", "mean": 10, "cv": 1.2},
    {"kind": "lognormal", "mu": 2.0, "sigma": 0.5},
    {"kind": "lognormal", "median": 10, "p99": 60},
    {"kind": "uniform", "low": 2, "high": 9, "max": 8},
    {"kind": "hyperexponential", "p": [0.9, 0.1], "means": [2, 20]},
    {"kind": "quantiles", "at": {"0": 1, "0.5": 20, "1": 100}},
    {"kind": "histogram", "values": [5, 10], "weights": [3, 1]},
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: "-".join(law))
def test_every_draw_of_a_law_is_multiplied(law: dict[str, Any]) -> None:
    def with_law(told: dict[str, Any]) -> Scenario:
        workload = {"arrivals": {"kind": "poisson", "rate": 1}, "service": told}
        return load({"name": "x", "horizon": 10, "workload": workload, "pools": {"p": POOL}})

    changed = {**law, **({"at": dict(law["at"])} if "at" in law else {})}
    assert law_times(changed, 1.2) == ""
    one, other = (
        each.workload.by_name()["requests"].service.draw(np.random.default_rng(1), 500)  # type: ignore[attr-defined]
        for each in (with_law(law), with_law(changed))
    )
    assert other == pytest.approx(1.2 * one)


def test_a_boot_time_of_any_kind() -> None:
    assert time_times(30, 2) == 60
    assert time_times({"kind": "constant", "value": 30}, 2)["value"] == 60
    stages = time_times({"name": "x", "node": 10, "weights": {"bytes_per_s": 4e9, "overhead": 5}}, 2)
    assert (stages["node"], stages["weights"]["bytes_per_s"], stages["weights"]["overhead"]) == (20, 2e9, 10)


@pytest.mark.parametrize(
    ("sets", "source", "least"),
    [
        (["pools.chat.latency_source=roofline"], "roofline", 1.06),
        ([], "operators", 1.09),
    ],
)
def test_iterations_take_as_much_longer_as_sheets_go(sets: list[str], source: str, least: float) -> None:
    scenario = load("chat-h100", [*sets, "pools.chat.replica.max_num_seqs=32"])

    def edit(document: Document) -> None:
        slower(document["pools"]["chat"], 1.1)

    before, after = scenario.pools["chat"].law, altered(scenario, edit).pools["chat"].law
    assert before.source == after.source == source
    for tokens, seqs, context in ((0, 1, 500), (512, 30, 30_000)):
        ratio = after.iteration_s(tokens, seqs, context) / before.iteration_s(tokens, seqs, context)
        assert least <= ratio <= 1.101


def test_prices_of_all_sheets_and_offers() -> None:
    scenario = load("spot-mix")

    def edit(document: Document) -> None:
        for pool in document["pools"].values():
            prices_times(pool, 1.5)

    for name, pool in altered(scenario, edit).pools.items():
        for before, after in zip(scenario.pools[name].offers, pool.offers, strict=True):
            one, other = scenario.pools[name].as_offered(before).listed, pool.as_offered(after).listed
            assert one is not None
            assert other is not None
            assert other.on_demand == pytest.approx(1.5 * one.on_demand)


def test_a_scenario_is_asked_only_what_it_has() -> None:
    told = [ways[0].assumption for ways in otherwise(line())]
    assert told == ["demand", "service times", "GPU price", "boot time", "replicas that work"]
    boot = next(ways for ways in otherwise(line()) if ways[0].assumption == "boot time")
    assert "a fixed fleet" in boot[0].why_not


def test_the_tornado_of_a_plan() -> None:
    scenario = line()
    plan = planned(scenario, Runs(), 20_000)
    found = tornado(plan, planned_scenario(plan), Here())
    swings = {(each.assumption, each.told): each for each in found.swings}
    more, less = swings["demand", "+20%"], swings["demand", "-20%"]
    assert more.tail is not None
    assert less.tail is not None
    assert more.tail.other > less.tail.other
    assert more.replicas is not None
    assert less.replicas is not None
    assert more.replicas["main"] >= plan.pools["main"].replicas >= less.replicas["main"]
    dear = swings["GPU price", "+20%"]
    assert dear.tail is not None
    assert dear.tail.more.estimate == 0  # the same requests on the same fleet
    assert dear.usd_per_hour is not None
    assert found.usd_per_hour is not None
    assert dear.usd_per_hour.other == pytest.approx(1.2 * found.usd_per_hour)
    assert math.isclose(dear.usd_per_hour_again or 0, 1.2 * (found.usd_per_hour_again or 0))
    assert swings["boot time", "twice"].tail is None
    down = swings["replicas that work", "one down"]
    assert down.usd_per_hour is not None
    assert down.usd_per_hour.other < found.usd_per_hour
