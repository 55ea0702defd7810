"""Plans of queues with known answers: the smallest number of servers, and how often a certificate is wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sim import load
from sim.study.planned.planner import planned
from sim.study.planned.result import Plan
from sim.study.planned.runs import Runs
from tests.validation.cases import EXPONENTIAL, poisson
from tests.validation.certificates import QUESTIONS, tallied
from tests.validation.reference import ABSENT, section

AT_ONCE_S = 1e-6
"""Who waits no longer than this does not wait."""
BUDGET = 300_000
"""Requests of a plan: few, as theory decides here what they cannot."""


def vectors() -> list[Any]:
    """Load, limit, share and the least number of servers, of both sections."""
    waits = [(each["offered_load"], AT_ONCE_S, 1 - each["target_P_wait"], each) for each in section("staffing_vectors")]
    waits += [
        (each["offered_load"], each["wait_target"], each["prob"], each)
        for each in section("staffing_wait_quantile_vectors")
    ]
    return [
        pytest.param(
            float(load_),
            limit_s,
            share,
            each["c_min"],
            id=f"{load_} Erlang, {share:.4g} within {limit_s:g} s",
            marks=[pytest.mark.slow] if load_ > 10 else [],
        )
        for load_, limit_s, share, each in waits
    ]


def plan_of(load_: float, limit_s: float, share: float, servers: int) -> Plan:
    """The plan of an M/M/c queue, measured once its start is forgotten."""
    memory_s = 1 + 1 / (servers * (1 - math.sqrt(min(load_ / (servers - 1), 0.999))) ** 2)
    warmup_s = 12 * memory_s
    scenario = load(
        {
            "name": "staffing",
            "seed": 7,
            "calendar": "compiled",
            "warmup": warmup_s,
            "horizon": warmup_s + max(5_000 / load_, 10 * memory_s),
            "workload": {"arrivals": poisson(load_), "service": EXPONENTIAL},
            "pools": {
                "pool": {
                    "replica": {"kind": "slots"},
                    "queue": {"kind": "central"},
                    "autoscaler": {"kind": "fixed", "replicas": 1},
                }
            },
            "slo": [{"metric": "queue_wait", "under": limit_s, "share": share}],
        }
    )
    return planned(scenario, Runs(), BUDGET)


@pytest.mark.skipif(not section("staffing_vectors"), reason=ABSENT)
@pytest.mark.parametrize(("load_", "limit_s", "share", "servers"), vectors())
def test_the_smallest_number_of_servers_is_found(load_: float, limit_s: float, share: float, servers: int) -> None:
    plan = plan_of(load_, limit_s, share, servers)
    assert plan.feasible
    assert plan.pools["pool"].replicas == servers
    enough, fewer = plan.certificates[:2]
    assert (enough.replicas, enough.meets) == (servers, True)
    assert (fewer.replicas, fewer.meets) == (servers - 1, False)
    # what was simulated is not far from what theory says, whoever decided
    for found in (enough, fewer):
        line = found.worst
        if line.exact is not None:
            assert line.interval.low - 0.02 <= line.exact <= line.interval.high + 0.02


def test_there_are_thirty() -> None:
    found = vectors()
    assert not found or len(found) == 30


def test_a_few_plans_are_right() -> None:
    """Of a hundred, see below."""
    (tally,) = tallied(QUESTIONS[:1], 3, 500_000, 1)
    assert all(answer.by_simulation for answer in tally.answers)
    assert tally.wrong == 0


@pytest.mark.slow
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_of_a_hundred_plans_at_most_five_are_wrong(question: Any) -> None:
    assert question.true(question.enough) >= question.share > question.true(question.enough - 1)
    (tally,) = tallied([question], 100, 1_000_000, 2)
    assert all(answer.by_simulation for answer in tally.answers)
    assert tally.wrong <= 5
