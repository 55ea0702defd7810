"""A plan looks again at what was dearer than a fleet that, in the end, cannot be certified.

What runs say is made up here: which fleets keep the promise in the search, and which on fresh seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from sim.report.plan.words import sentences
from sim.scenario import Scenario, load
from sim.study.planned.planner import Planner
from sim.study.planned.result import Plan
from sim.study.planned.runs import Runs, Tried

SEED = 3
REQUESTS = 1000.0
CHEAP, DEAR = "l4", "a10g"


@dataclass
class MadeUp(Runs):
    """Runs in which a fleet keeps the promise from so many replicas on, by its GPU."""

    search: Mapping[str, int] = field(default_factory=dict)
    fresh: Mapping[str, int] = field(default_factory=dict)

    def of(self, scenario: Scenario, runs: int) -> Tried:
        pool = scenario.pools["main"]
        assert pool.gpu is not None
        need = (self.search if scenario.seed == SEED else self.fresh)[pool.gpu.name]
        replicas = pool.autoscaler.initial_replicas
        share = 0.99 if replicas >= need else 0.7
        self.used |= {(scenario.digest, run): int(REQUESTS) for run in range(runs)}
        summary = {
            "time_average": {"running": 100.0},
            "replicas": {"mean": replicas},
            "cost": {"usd_per_hour": 1.0},
        }
        within = tuple(share * REQUESTS + run % 3 - 1 for run in range(runs))
        return Tried((within,), ((REQUESTS,) * runs,), (int(REQUESTS),) * runs, (1.0,) * runs, summary)


def plan(search: tuple[int, int], fresh: tuple[int, int]) -> Plan:
    """Of a line that carries its load with two replicas; the promise is kept from so many on, of each GPU."""
    scenario = load(
        {
            "name": "line",
            "seed": SEED,
            "horizon": 100,
            "workload": {
                "arrivals": {"kind": "poisson", "rate": 1.4},
                "service": {"kind": "lognormal", "mean": 1, "cv": 0.5},
            },
            "pools": {
                "main": {
                    "gpu": CHEAP,
                    "replica": {"kind": "slots"},
                    "queue": {"kind": "central"},
                    "autoscaler": {"kind": "fixed", "replicas": 1},
                }
            },
            "slo": [{"metric": "queue_wait", "under": 1, "share": 0.9}],
            "plan": {"pools": {"main": {"gpu": [CHEAP, DEAR]}}},
        }
    )
    needed = [dict(zip((CHEAP, DEAR), each, strict=True)) for each in (search, fresh)]
    return Planner(scenario, MadeUp(search=needed[0], fresh=needed[1])).plan()


def chosen(found: Plan) -> tuple[str, int]:
    pool = found.pools["main"]
    assert pool.design.pool.gpu is not None
    return pool.design.pool.gpu.name, pool.replicas


def outcomes(found: Plan) -> dict[str, str]:
    return {one.told.removeprefix("1 x "): one.outcome for one in found.considered}


# an l4 costs $0.71 an hour, an a10g $1.01; how many the search wants of each, how many fresh seeds, and the plan
@pytest.mark.parametrize(
    ("search", "fresh", "best"),
    [
        ((2, 2), (2, 2), (CHEAP, 2)),
        ((2, 2), (3, 2), (DEAR, 2)),
        ((2, 2), (4, 2), (DEAR, 2)),
        ((2, 2), (4, 3), (CHEAP, 4)),
        ((2, 2), (5, 3), (DEAR, 3)),
        ((2, 4), (3, 2), (CHEAP, 3)),
    ],
)
def test_the_cheapest_that_can_be_certified(
    search: tuple[int, int], fresh: tuple[int, int], best: tuple[str, int]
) -> None:
    found = plan(search, fresh)
    assert chosen(found) == best


def test_why_each_was_not_taken_holds_against_the_final_price() -> None:
    meets = "meets the promises in the search"
    assert outcomes(plan((2, 2), (2, 2))) == {
        CHEAP: f"{meets}; chosen",
        DEAR: "dearer: for less than $1.41 an hour it does not meet the promises",
    }
    assert outcomes(plan((2, 2), (4, 2))) == {
        CHEAP: f"{meets}; not certified with fewer than 3 replicas for $2.12 an hour, dearer than $2.01 an hour",
        DEAR: f"{meets}; chosen",
    }
    assert outcomes(plan((2, 4), (3, 2))) == {
        CHEAP: f"{meets}; chosen with 3 replicas for $2.12 an hour, the smallest that is certified",
        DEAR: "dearer: for less than $2.12 an hour it does not meet the promises",
    }


def test_a_dearer_fleet_is_not_certified_on_the_way() -> None:
    """Three of the cheap GPU are dearer than two of the other: two fleets of that are tested, no more of the first."""
    tested = [found.fleet["main"] for found in plan((2, 2), (4, 2)).certificates]
    assert tested == [2, 1]


def test_one_replica_is_one_gpu_in_words() -> None:
    assert "pool main: 1 replica, 1 GPU (1 x l4)" in sentences(plan((1, 1), (1, 1)))
