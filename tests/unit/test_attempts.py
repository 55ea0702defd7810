"""From attempts to what users see: hand-made logs of retries, hedges and clients that give up."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model.tables import COMPLETED, OUTCOMES
from sim.model.work import WorkLaw
from sim.report.tables.clients import attempts_table
from sim.result import Result, RunLog
from sim.result.attempts import ended_s, logical_rows
from sim.result.money.ledger import changes, worth_telling
from tests.fleet_invariants import ledger as check_ledger
from tests.made_logs import calls, log, requests, scenario, target

EDGES = [0.0, 4.0, 8.0, 10.0]
ALWAYS = [(0, 0, 0.0, math.inf)]

# the first is sent three times: timed out in its slot, turned away at the door, served; the second once; the third is
# hedged, and the copy wins; the fourth gives up in the queue, for good
TABLE = requests(
    {"arrival_s": 0.0, "start_s": 1.0, "finish_s": 3.0, "outcome": "timed_out"},
    {"arrival_s": 0.5, "start_s": 0.5, "first_token_s": 1.0, "finish_s": 1.5, "service_s": 1.0, "output_tokens": 3},
    {"arrival_s": 3.0, "outcome": "rejected"},
    {"arrival_s": 4.0, "start_s": 4.5, "first_token_s": 5.5, "finish_s": 6.0, "service_s": 1.5, "output_tokens": 2},
    {"arrival_s": 6.0, "start_s": 6.0, "finish_s": 7.5, "outcome": "abandoned", "done_tokens": 1, "output_tokens": 5},
    {"arrival_s": 7.0, "start_s": 7.0, "first_token_s": 7.5, "finish_s": 9.0, "service_s": 2.0, "output_tokens": 5},
    {"arrival_s": 8.0, "finish_s": 9.5, "outcome": "abandoned"},
)
CALLS = calls(
    TABLE,
    {"left_s": 3.0, "prefilled": 10},
    {},
    {"first": 0, "attempt": 2},
    {"first": 0, "attempt": 3},
    {"left_s": 8.5, "prefilled": 20, "hedged": 1},
    {"first": 4, "attempt": 1, "copy": 1},
    {"patience_s": 1.5},
)


def made(**changes: Any) -> RunLog:
    return log(TABLE.copy(), EDGES, changes.pop("spans", ALWAYS), calls=changes.pop("calls", CALLS.copy()), **changes)


def summary(**changes: Any) -> dict[str, Any]:
    warmup_s, slo = changes.pop("warmup_s", 0.0), changes.pop("slo", ())
    if warmup_s:
        changes["warmup_s"] = warmup_s
    return Result(scenario(warmup_s=warmup_s, slo=slo), made(**changes)).summary()


def test_the_timeline_counts_attempts_and_requests_and_those_of_each_pool() -> None:
    table = TABLE.copy()
    table["pool"] = [0, 1, 0, 0, 1, 1, 0]
    pools = {"a": {}, "b": {}}
    spans = [(place, 0, 0.0, math.inf) for place in range(2)]
    result = Result(scenario(pools), log(table, EDGES, spans, calls=CALLS.copy(), pools=tuple(pools)))
    whole, first, second = result.columns, result.pool_timeline("a"), result.pool_timeline("b")
    assert whole["arrivals"].tolist() == [3, 3, 1]
    assert first["arrivals"].tolist() == [2, 1, 1]
    assert second["arrivals"].tolist() == [1, 2, 0]
    assert whole["offered"].tolist() == [2, 1, 1]


def test_the_attempt_that_was_answered_counts_else_the_one_that_ended_last() -> None:
    logical = made().logical
    assert logical["first"].tolist() == [0, 1, 4, 6]
    assert logical["row"].tolist() == [3, 1, 5, 6]
    assert logical["attempts"].tolist() == [3, 1, 2, 1]
    assert logical["arrival_s"].tolist() == [0.0, 0.5, 6.0, 8.0]
    assert logical["finish_s"].tolist() == [6.0, 1.5, 9.0, 9.5]
    assert [OUTCOMES[code] for code in logical["outcome"]] == ["completed", "completed", "completed", "abandoned"]


def test_where_clients_just_wait_the_requests_are_the_attempts_themselves() -> None:
    plain = log(TABLE[:2].copy(), EDGES, ALWAYS)
    assert plain.logical is plain.requests
    told = Result(scenario(), plain).summary()["attempts"]
    assert told == {
        "sent": 2, "completed": 1, "rejected": 0, "abandoned": 0, "timed_out": 1, "failed": 0, "unfinished": 0,
        "amplification": 1.0, "hedges": 0, "wasted": {"attempts": 0, "prompt_tokens": 0, "output_tokens": 0},
    }  # fmt: skip
    assert list(Result(scenario(), plain).requests.columns)[-1] == "cached_tokens"


def test_users_wait_from_their_first_attempt() -> None:
    found = summary()
    assert found["requests"] == {
        "arrived": 4, "completed": 3, "rejected": 0, "abandoned": 1, "timed_out": 0, "failed": 0, "unfinished": 0,
    }  # fmt: skip
    assert found["latency"]["queue_wait_s"]["max"] == 4.5, "to the start of the attempt that was served"
    assert found["latency"]["ttft_s"]["max"] == 5.5
    assert found["latency"]["e2e_s"]["mean"] == pytest.approx((6 + 1 + 3) / 3)
    assert found["latency"]["tpot_s"]["max"] == pytest.approx(0.5), "between tokens there are no attempts"
    assert found["throughput"]["output_tokens_per_s"] == pytest.approx((2 + 3 + 5) / 10)


def test_attempts_are_counted_by_how_they_ended() -> None:
    assert summary()["attempts"] == {
        "sent": 7, "completed": 3, "rejected": 1, "abandoned": 2, "timed_out": 1, "failed": 0, "unfinished": 0,
        "amplification": 7 / 4, "hedges": 1, "wasted": {"attempts": 2, "prompt_tokens": 30, "output_tokens": 1},
    }  # fmt: skip


def test_the_window_is_of_first_attempts_and_has_all_of_theirs() -> None:
    found = summary(warmup_s=0.5)
    assert found["requests"]["arrived"] == 3, "the retries of one that came in the warm-up are not in it"
    assert found["attempts"]["sent"] == 4
    assert found["attempts"]["amplification"] == pytest.approx(4 / 3)


def test_goodput_is_of_answers_within_every_objective() -> None:
    assert summary()["throughput"]["goodput_per_s"] == 0.3
    found = summary(slo=(target("e2e", 3.0, 0.5), target("ttft", 1.0, 0.5)))
    assert [entry["attained"] for entry in found["slo"]] == [2 / 4, 1 / 4]
    assert found["throughput"]["goodput_per_s"] == 0.1


def test_the_timeline_has_what_was_sent_asked_for_and_answered_in_time() -> None:
    bins = Result(scenario(slo=(target("e2e", 3.0, 0.5),)), made()).timeline
    assert bins["arrivals"].tolist() == [3, 3, 1]
    assert bins["offered"].tolist() == [2, 1, 1]
    assert bins["completed"].tolist() == [1, 0, 1], "by the end; the first one's answer was late"


def test_replicas_work_on_for_clients_that_have_gone() -> None:
    found = summary()["time_average"]
    waiting_s = 1.0 + 0 + 0 + 0.5 + 0 + 0 + 1.5
    running_s = 2.0 + 1.0 + 0 + 1.5 + 2.5 + 2.0  # the hedged one leaves at 8.5
    assert found["waiting"] * 10 == pytest.approx(waiting_s)
    assert found["running"] * 10 == pytest.approx(running_s)


def test_time_in_a_slot_for_nothing_is_wasted() -> None:
    # one replica of two slots, which were taken for 9 s in all
    samples = [(at_s, 0, 1, at_s, at_s, busy_s, 2 * at_s, 0, 0) for at_s, busy_s in ((0, 0), (10, 9))]
    found = summary(samples=samples, work=(WorkLaw(0, s_per_service_s=0.5),))
    check_ledger(found)
    hours = found["ledger"]["gpu_hours"]
    assert hours["wasted"] * 3600 == pytest.approx((2.0 + 2.5) / 2)
    assert hours["useful"] * 3600 == pytest.approx((1.0 + 1.5 + 2.0) / 2)
    assert hours["floor"] * 3600 == pytest.approx(10 - 4.5)
    assert worth_telling(found)
    assert not changes(found), "the fleet is the same all the time"


def test_tokens_computed_for_nothing_are_wasted_as_far_as_they_got() -> None:
    law = WorkLaw(0, s_per_iteration=0.01, s_per_new_token=0.02, max_batched_tokens=100)
    told = summary(work=(law,))
    check_ledger(told)
    hours = told["ledger"]["gpu_hours"]
    # 10 and 20 prompt tokens in an iteration each
    assert hours["wasted"] * 3600 == pytest.approx(30 * 0.02 + 2 * 0.01)
    assert hours["useful"] * 3600 == pytest.approx(3 * (0.02 + 0.01) + (2 + 1 + 4) * 0.01)


def test_more_waste_than_there_was_time_is_cut() -> None:
    found = summary(work=(WorkLaw(0, s_per_iteration=50.0, s_per_new_token=1.0),))
    check_ledger(found)
    told = found["ledger"]["gpu_hours"]
    assert min(told["wasted"], told["useful"]) > 0, "both are cut"


def test_rows_say_which_attempt_they_are_and_whose(tmp_path: Any) -> None:
    import pandas as pd

    linked = CALLS.copy()
    linked["session"][[0, 2, 3]], linked["turn"][[0, 2, 3]] = 7, 2
    result = Result(scenario(), made(calls=linked))
    rows = result.requests
    assert rows["attempt"].tolist() == [1, 1, 2, 3, 1, 1, 1]
    assert rows["copy"].tolist() == [0, 0, 0, 0, 0, 1, 0]
    assert rows["first_request"].tolist() == [0, 1, 0, 0, 4, 4, 6]
    assert rows["session"].tolist() == [7, -1, 7, 7, -1, -1, -1]
    assert rows["turn"].tolist() == [2, -1, 2, 2, -1, -1, -1]
    kept = pd.read_parquet(result.save(tmp_path / "run") / "requests.parquet")
    assert kept["first_request"].tolist() == rows["first_request"].tolist()
    assert kept["session"].isna().tolist() == [False, True, False, False, True, True, True]
    assert "session" not in Result(scenario(), made()).requests


def test_the_verdict_says_how_often_requests_were_sent() -> None:
    result = Result(scenario(), made())
    assert "of all requests 25.0% given up. Each request was sent 1.8 times on average; 14.3% of what" in (
        result.verdict()
    )
    once = log(TABLE.copy(), EDGES, ALWAYS, calls=calls(TABLE))
    assert "was sent" not in Result(scenario(), once).verdict()
    told = dict(attempts_table(result.summary()).rows)
    assert told["attempts a request"] == "1.75"
    assert told["served in vain"] == "2 (28.6%)"
    assert attempts_table(Result(scenario(), log(TABLE[:2].copy(), EDGES, ALWAYS)).summary()).rows == ()


attempt = st.tuples(st.integers(0, 4), st.sampled_from(OUTCOMES), st.floats(0, 9, width=32), st.floats(0, 5, width=32))


@settings(max_examples=150, deadline=None)
@given(drawn=st.lists(attempt, max_size=25))
def test_logical_rows_are_what_a_reader_of_all_attempts_would_say(drawn: list[Any]) -> None:
    drawn.sort(key=lambda one: one[2])
    rows, links, answered = [], [], set()
    of: dict[int, list[int]] = {}
    for place, (whose, how, arrival_s, lasts_s) in enumerate(drawn):
        outcome = "timed_out" if how == "completed" and whose in answered else how
        answered |= {whose} if outcome == "completed" else set()
        over = {} if outcome in ("unfinished", "rejected") else {"finish_s": arrival_s + lasts_s}
        rows.append({"arrival_s": arrival_s, "outcome": outcome, "lost": place % 3, **over})
        of.setdefault(whose, []).append(place)
        sent = len(of[whose]) - 1  # each attempt is copied once
        links.append({"first": of[whose][0], "attempt": 1 + sent // 2, "copy": sent % 2})
    table = requests(*rows)
    logical = logical_rows(table, calls(table, *links))
    assert len(logical) == len(of)
    over_s = ended_s(table)
    for told, places in zip(logical, of.values(), strict=True):
        done = [place for place in places if table["outcome"][place] == COMPLETED]
        last = max(over_s[places])
        best = done or [place for place in places if over_s[place] == last]
        assert (told["first"], told["row"], told["attempts"]) == (places[0], best[-1], len(places))
        assert told["lost"] == table["lost"][places].max()
        assert told["arrival_s"] == table["arrival_s"][places[0]]
        assert told["outcome"] == table["outcome"][best[-1]]
    assert all(one <= other for one, other in itertools.pairwise(logical["arrival_s"].tolist()))
    assert np.array_equal(np.sort(logical["first"]), logical["first"])
