"""The price of slowness in results: whose requests, what a retried one saw, what stands beside the fleet's cost."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import TypeAdapter

from sim.pricing.slowness import AnySlowness
from sim.report.tables.run import tables
from sim.report.tables.slowness import slowness_notes, slowness_table
from sim.result import Result
from tests.made_logs import calls, log, requests, scenario

ALWAYS = [(0, 0, 0.0, math.inf)]
# served after 1 s; sent twice (turned away, then served 4 s after the first attempt); sent twice and turned away twice,
# 3 s apart; still there at the end
TABLE = requests(
    {"arrival_s": 0.0, "start_s": 1.0, "first_token_s": 1.5, "finish_s": 2.0},
    {"arrival_s": 1.0, "outcome": "rejected"},
    {"arrival_s": 2.0, "outcome": "rejected"},
    {"arrival_s": 4.0, "start_s": 5.0, "first_token_s": 5.5, "finish_s": 6.0},
    {"arrival_s": 5.0, "outcome": "rejected"},
    {"arrival_s": 7.0, "outcome": "unfinished"},
)
CALLS = calls(TABLE, {}, {}, {}, {"first": 1, "attempt": 2}, {"first": 2, "attempt": 2}, {})
WAITS = {"kind": "linear", "metric": "queue_wait", "usd_per_hour": 3600}
LOST = {"kind": "lost_requests", "usd": 0.25}


def summary(*entries: dict[str, Any], usd: float | None = 36.0, **changes: Any) -> dict[str, Any]:
    prices = tuple(TypeAdapter[Any](AnySlowness).validate_python(entry) for entry in entries)
    made = scenario({"main": {"usd_per_replica_hour": usd}}, slowness=prices)
    return Result(made, log(TABLE.copy(), [0.0, 5.0, 10.0], ALWAYS, calls=CALLS.copy(), **changes)).summary()


def test_without_a_price_there_is_no_block() -> None:
    said = summary()
    assert "slowness" not in said
    assert slowness_table(said).rows == ()
    assert "slow and lost" not in Result(scenario(), log(TABLE.copy(), [0.0, 10.0], ALWAYS)).verdict()


def test_sla_credits_by_pace_are_for_answers_of_several_tokens() -> None:
    # gaps of half a second are late; one token has no gaps and is in time; who has no answer is not
    served = {"start_s": 0.0, "first_token_s": 1.0, "finish_s": 3.0}
    table = requests(*[served | {"output_tokens": 5}] * 2, served | {"output_tokens": 1}, {"outcome": "rejected"})
    tiers = {"kind": "sla_credits", "metric": "tpot", "under": "0.4s", "monthly_usd": 2_592_000, "tiers": {0.3: 0.5}}
    price = TypeAdapter[Any](AnySlowness).validate_python(tiers)
    said = Result(scenario(slowness=(price,)), log(table, [0.0, 10.0], ALWAYS)).summary()["slowness"]
    assert said["entries"][0]["usd"] == pytest.approx(0.5 * 10), "a quarter in time: half of a dollar a second"


def test_requests_count_from_their_first_attempt_to_their_last() -> None:
    said = summary(WAITS, LOST)["slowness"]
    waits, lost = said["entries"]
    # 1 s; 4 s from the first attempt; 3 s between the two rejections; 3 s until the run's end
    assert waits["usd"] == pytest.approx(1 + 4 + 3 + 3)
    assert (waits["requests"], waits["slow_requests"]) == (4, 4)
    assert (lost["usd"], lost["lost_requests"]) == (0.5, 2)
    assert said["total_usd"] == pytest.approx(11.5)
    # one replica at $36 an hour for ten seconds
    assert said["fleet_usd"] == pytest.approx(0.1)
    assert said["fleet_plus_slowness_usd"] == pytest.approx(11.6)
    assert said["usd_per_day"] == pytest.approx(11.5 * 8640)
    assert said["fleet_plus_slowness_usd_per_day"] == pytest.approx(11.6 * 8640)


def test_a_price_may_be_about_one_class() -> None:
    parties = {"streams": ("a", "b"), "classes": ("paid", "free"), "stream_class": (0, 1), "stream_tenant": (-1, -1)}
    table = TABLE.copy()
    table["stream"][[0, 5]] = 1
    made = scenario(
        {"main": {"usd_per_replica_hour": 36.0}},
        slowness=tuple(
            TypeAdapter[Any](AnySlowness).validate_python({**WAITS, "class": name}) for name in ("paid", "free")
        ),
    )
    said = Result(made, log(table, [0.0, 5.0, 10.0], ALWAYS, calls=CALLS.copy(), **parties)).summary()["slowness"]
    assert [(entry["class"], entry["requests"], entry["usd"]) for entry in said["entries"]] == [
        ("paid", 2, pytest.approx(7.0)),
        ("free", 2, pytest.approx(4.0)),
    ]


def test_a_fleet_without_a_price_leaves_the_sum_open() -> None:
    said = summary(LOST, usd=None)["slowness"]
    assert (said["total_usd"], said["fleet_usd"], said["fleet_plus_slowness_usd"]) == (0.5, None, None)
    assert said["fleet_plus_slowness_usd_per_day"] is None


def test_what_is_said_of_it() -> None:
    said = summary(
        {**WAITS, "beyond": "2s"},
        {"kind": "sla_credits", "metric": "ttft", "under": "2s", "monthly_usd": 2_592_000, "tiers": {0.9: 0.5}},
        {"kind": "lost_users", "metric": "e2e", "beyond": "4s", "share": 0.5, "lifetime_usd": 2, "users": 1},
        LOST,
    )
    table = next(table for table in tables(said) if table.heading[0] == "of slow and lost answers")
    assert [(row[0], row[1], row[2]) for row in table.rows] == [
        ("time waited, queue wait > 2 s", "0.00111 h, 3 (75.0%) requests", "$4.00"),
        ("SLA credits, TTFT ≤ 2 s", "25.0% in time: 50.0% back", "$5.00"),
        ("lost users, E2E > 4 s", "0.875 users of 1", "$1.75"),
        ("lost requests", "2 (50.0%) requests", "$0.50"),
        ("the fleet", "", "$0.10"),
        ("fleet and slowness", "", "$11.35"),
    ]
    # of one user 0.875 in ten seconds; the same pace would lose 7,560 a day, but there is one
    assert said["slowness"]["entries"][2]["usd_per_day"] == pytest.approx(2)
    assert slowness_notes(said) == []
    verdict = Result(
        scenario(
            {"main": {"usd_per_replica_hour": 36.0}}, slowness=(TypeAdapter[Any](AnySlowness).validate_python(LOST),)
        ),
        log(TABLE.copy(), [0.0, 5.0, 10.0], ALWAYS, calls=CALLS.copy()),
    ).verdict()
    assert "; slow and lost answers cost $4,320 a day." in verdict


def test_who_is_turned_away_for_nothing_is_told() -> None:
    free = summary({**WAITS, "beyond": "3s"})
    assert free["slowness"]["entries"][0]["unanswered_free"] == 2
    (note,) = slowness_notes(free)
    assert note.startswith("2 requests without an answer left before a wait costs anything")
    assert slowness_notes(summary({**WAITS, "beyond": "3s", "unanswered": "10s"})) == []
