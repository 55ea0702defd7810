"""The verdict: which sentences a run gets, and with which numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sim.model.tables import REQUEST
from sim.result import Result
from sim.result.verdict import ledger_sentence, runs_away
from tests.made_logs import lives, log, requests, scenario, target

EDGES = [0.0, 4.0, 8.0, 10.0]
ALWAYS = [(0, 0, 0.0, math.inf)]
PRICED = {"main": {"usd_per_replica_hour": 2.0}}


def served(arrival_s: float, wait_s: float = 0.0, first_s: float = 0.5, rest_s: float = 1.0) -> dict[str, Any]:
    start_s = arrival_s + wait_s
    times = {"start_s": start_s, "first_token_s": start_s + first_s, "finish_s": start_s + first_s + rest_s}
    return {"arrival_s": arrival_s, "output_tokens": 3, **times}


def said(*rows: dict[str, Any], pools: dict[str, Any] | None = None, spans: Any = None, **changes: Any) -> str:
    table = requests(*rows) if rows else np.zeros(0, REQUEST)
    return Result(scenario(pools, **changes), log(table, EDGES, spans or ALWAYS)).verdict()


def test_an_objective_that_is_met() -> None:
    assert said(served(1), served(2), pools=PRICED, slo=(target("ttft", 1.0, 0.95),)) == (
        "Meets the SLO: 100% of requests get their first token within 1 s (target 95%). "
        "1 replica is busy 50.0% of the time and costs $48.00 a day, $0.0028 a request."
    )


def test_only_what_is_missed_is_told_when_something_is_and_who_was_lost() -> None:
    slo = (target("ttft", 1.0, 0.9), target("tpot", 2.0, 0.1), target("e2e", 1.2, 0.95))
    lost = ({"arrival_s": 3.0, "outcome": "rejected"}, {"arrival_s": 4.0, "outcome": "unfinished"})
    found = said(served(1), served(2), *lost, slo=slo)
    assert found == (
        "Misses the SLO: only 50.0% of requests get their first token within 1 s (target 90%) and no request is "
        "answered within 1.2 s (target 95%); of all requests 25.0% rejected and 25.0% unfinished. "
        "1 replica is busy 50.0% of the time."
    )


def test_without_objectives_it_says_what_people_feel() -> None:
    assert said(served(1), served(2)).startswith(
        "Half of the requests are given their first token within 500 ms, 99% within 500 ms. "
    )
    whole = {"arrival_s": 1.0, "start_s": 1.0, "first_token_s": 3.0, "finish_s": 3.0}
    assert said(whole).startswith("Half of the requests are answered within 2 s, 99% within 2 s. ")


def test_nobody_came_and_nobody_was_served() -> None:
    assert said() == "No request arrived in the measured 10 s. 1 replica is busy 50.0% of the time."
    assert said({"arrival_s": 3.0, "outcome": "rejected"}) == (
        "None of 1 request was completed; of all requests 100% rejected. 1 replica is busy 50.0% of the time."
    )


def test_a_fleet_that_changes_size() -> None:
    found = said(served(1), spans=[(0, 0, 0.0, math.inf), (0, 1, 5.0, math.inf)])
    assert found.endswith("1.5 replicas on average (1 to 2) are busy 50.0% of the time.")


def test_a_queue_that_swells_and_drains_is_told_with_its_worst_moment() -> None:
    crowd = [served(4.0, wait_s=4.0) for _ in range(30)]
    assert said(*crowd).endswith(
        "At the worst, 4 s into the run, 30 requests wait, and those who come then get their first token after up to "
        "4.5 s (p99)."
    )


def test_a_queue_that_grows_to_the_end_is_told_as_such() -> None:
    crowd = [served(0.1 * place, wait_s=100.0) for place in range(100)]
    edges_s = [place / 2 for place in range(21)]
    found = Result(scenario(), log(requests(*crowd), edges_s, ALWAYS)).verdict()
    assert found.endswith(
        "The queue is still growing at the end, with 98 requests waiting, and those who come then get their first "
        "token after up to 1 min 40 s (p99)."
    )


def test_a_few_who_wait_are_not_worth_a_word() -> None:
    assert "wait" not in said(*[served(4.0, wait_s=1.0) for _ in range(9)])
    one = np.ones(6)
    assert not runs_away(9.9 * one, one), "fewer than ten"
    assert not runs_away(50 * one, 60 * one), "fewer than replicas"
    assert not runs_away(50 * one, one), "as many all the time"
    assert runs_away(np.array([0, 0, 0, 50, 0, 0.0]), one)
    assert runs_away(np.arange(6) * 10.0, one), "a steady overload"
    assert not runs_away(np.full(6, math.nan), one)


def test_a_fleet_that_changes_says_where_its_paid_hours_went() -> None:
    spans = lives({"ready_s": 0.0}, {"launched_s": 2.0, "ready_s": 7.0})
    made = log(requests(), EDGES, spans, [(0.0, 0, 1, 0, 0, 0, 0, 0, 0), (10.0, 0, 2, 13, 9, 9, 0, 0, 0)])
    summary = Result(scenario(), made).summary()
    told = ledger_sentence(summary)
    assert told == "Of 0.005 GPU-hours paid: 50.0% useful, 27.8% cold start, 16.7% cool down, 5.6% floor."
    assert told not in Result(scenario(), made).verdict()


def test_of_a_fleet_that_does_not_change_there_is_no_ledger() -> None:
    assert ledger_sentence(Result(scenario(), log(requests(), EDGES, ALWAYS)).summary()) == ""
