"""The project's own policies, each on examples worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from sim.autoscaling import AnyPolicy, Decision, Observation
from sim.autoscaling.observation import CONCURRENCY, ITL, REQUESTS, RUNNING, TTFT, WAITING, WORK_AHEAD, Query
from sim.autoscaling.own.forecast import Missed, Season, Smoothed, spare
from sim.autoscaling.own.hold import hold_down

ADAPTER = TypeAdapter[Any](AnyPolicy)
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def policy(kind: str, /, **keys: Any) -> Any:
    return ADAPTER.validate_python({"kind": kind, **keys})


def seen(at_s: float, current: int, values: Mapping[Query, float]) -> Observation:
    return Observation(at_s, current, current, 0, values)


def run(one: Any, start: int, rows: list[tuple[float, Mapping[Query, float]]]) -> list[Decision]:
    """The decisions of a fleet that follows them, from times and what is seen then."""
    current, memory, decisions = start, None, []
    for at_s, values in rows:
        decision, memory = one.decide(seen(at_s, current, values), memory)
        current = decision.replicas
        decisions.append(decision)
    return decisions


def sizes(decisions: list[Decision]) -> list[int]:
    return [decision.replicas for decision in decisions]


# -- holding back removals


def test_fewer_must_be_wanted_all_the_time_then_the_most_of_it_counts() -> None:
    wanted, held, kept = [3, 5, 2, 2, 2], None, []
    for at_s, wish in zip([0, 100, 200, 299, 300], wanted, strict=True):
        size, held = hold_down(wish, 10, at_s, 300.0, held)
        kept.append(size)
    assert kept == [10, 10, 10, 10, 5]
    assert held is None, "the time starts again"


def test_one_wish_for_as_many_starts_the_time_again() -> None:
    _, held = hold_down(3, 10, 0.0, 60.0, None)
    assert hold_down(10, 10, 30.0, 60.0, held) == (10, None)
    assert hold_down(3, 10, 60.0, 60.0, None) == (10, (60.0, 3))


def test_without_a_delay_nothing_waits() -> None:
    assert hold_down(3, 10, 0.0, 0.0, None) == (3, None)


# -- queue length


def queued(waiting: float, running: float = 0.0) -> dict[Query, float]:
    return {Query(WAITING): waiting, Query(RUNNING): running}


def test_queue_length_is_requests_over_the_target_rounded_up() -> None:
    one = policy("queue_length", target=5, max_replicas=20)
    (decision,) = run(one, 4, [(0, queued(21, 40))])
    assert (decision.replicas, decision.proposed) == (13, 13)
    assert decision.reason == "61 requests in the system / 5 wants 13"
    assert sizes(run(policy("queue_length", target=5, count="waiting"), 4, [(0, queued(21, 40))])) == [5]


def test_queue_length_steps_and_bounds() -> None:
    one = policy("queue_length", target=1, max_replicas=8, step_up=3, step_down=2, scale_down_delay=0)
    decisions = run(one, 1, [(0, queued(50)), (15, queued(50)), (30, queued(50)), (45, queued(0)), (60, queued(0))])
    assert sizes(decisions) == [4, 7, 8, 6, 4]
    assert decisions[0].reason == "50 requests in the system / 1 wants 50; at most 3 more at once"
    assert decisions[2].reason == "50 requests in the system / 1 wants 50; bounds 1 to 8"
    assert decisions[3].reason == "0 requests in the system / 1 wants 0; at most 2 fewer at once"
    assert decisions[0].proposed == 50


def test_queue_length_waits_before_it_removes() -> None:
    one = policy("queue_length", target=1, max_replicas=8, scale_down_delay="30s")
    decisions = run(one, 6, [(0, queued(2)), (15, queued(4)), (30, queued(1)), (45, queued(1))])
    assert sizes(decisions) == [6, 6, 4, 4]
    assert decisions[0].reason.endswith("; a removal waits 30 s")


def test_queue_length_keeps_the_fleet_when_one_metric_is_missing() -> None:
    (decision,) = run(policy("queue_length", target=1), 6, [(0, {Query(WAITING): 0.0})])
    assert (decision.replicas, decision.reason) == (6, "requests in the system unknown: kept")


# -- SLO feedback


def latency(value_s: float | None, in_system: float = 1.0, metric: str = TTFT) -> dict[Query, float]:
    told = {} if value_s is None else {Query(metric, "p99", 60.0): value_s}
    return {**told, **queued(0.0, in_system)}


FEEDBACK: dict[str, Any] = {"target": "1s", "aim": "80%", "max_replicas": 100, "cooldown_up": 0, "cooldown_down": 0}


def test_feedback_integrates_the_error() -> None:
    """Aim 0.8 s. 1.2 s: error 0.5, 0.2 x 0.5 + 0.3 x 0.5 = +25%: 12.5. Again: 0.3 x 0.5 = +15%: 14.375."""
    decisions = run(policy("slo_feedback", **FEEDBACK), 10, [(0, latency(1.2)), (15, latency(1.2))])
    assert sizes(decisions) == [13, 15]
    assert decisions[0].reason == "ttft p99 1.2 s, aim 0.8 s: 10 +25.0% = 12.5"


def test_feedback_rests_within_its_dead_band() -> None:
    """0.64 s to 0.96 s is within 20% of 0.8 s; the error is remembered, so the step after it sees a change of 0.3."""
    one = policy("slo_feedback", **FEEDBACK)
    decisions = run(one, 10, [(0, latency(0.95)), (15, latency(0.65)), (30, latency(1.2))])
    assert sizes(decisions)[:2] == [10, 10]
    assert decisions[0].reason == "ttft p99 0.95 s, aim 0.8 s: within 20%"
    error, last = 1.2 / 0.8 - 1, 0.65 / 0.8 - 1
    assert sizes(decisions)[2] == math.ceil(10 * (1 + 0.2 * (error - last) + 0.3 * error)) == 13


def test_feedback_limits_its_steps_and_does_not_save_up_what_bounds_hold_back() -> None:
    """100 s: error is cut to 1, +50% each, +30% once it stays; at the maximum it stops, and comes down at once."""
    one = policy("slo_feedback", **{**FEEDBACK, "max_replicas": 20, "max_down": "10%"})
    rows = [(0.0, latency(100)), (15.0, latency(100)), (30.0, latency(100)), (45.0, latency(0.1))]
    assert sizes(run(one, 10, rows)) == [15, 20, 20, 18]


def test_feedback_cools_down_from_its_last_change() -> None:
    one = policy("slo_feedback", **{**FEEDBACK, "cooldown_up": "30s", "cooldown_down": "60s"})
    rows = [(0, 1.2), (15, 1.2), (30, 1.2), (45, 0.1), (75, 0.1), (90, 0.1)]
    decisions = run(one, 10, [(at_s, latency(value)) for at_s, value in rows])
    assert sizes(decisions)[:5] == [13, 13, 15, 15, 15]
    assert decisions[1].reason.endswith("last change 15 s ago, cooldown 30 s")
    assert decisions[3].reason.endswith("last change 15 s ago, cooldown 60 s")
    assert sizes(decisions)[5] < 15, "60 s after the change at 30 s"


def test_feedback_without_a_latency_keeps_a_busy_fleet_and_shrinks_an_idle_one() -> None:
    one = policy("slo_feedback", **FEEDBACK)
    busy, idle = run(one, 10, [(0, latency(None))]), run(one, 10, [(0, latency(None, in_system=0.0))])
    assert sizes(busy) == [10]
    assert busy[0].reason == "no ttft p99 within 60 s: kept"
    assert sizes(idle) == [8], "error -1: 0.2 x -1 + 0.3 x -1 = -50%, cut to max_down 20%"


def test_feedback_on_itl_asks_for_itl() -> None:
    one = policy("slo_feedback", target="50ms", metric="itl", max_replicas=100)
    assert one.queries[0] == Query(ITL, "p99", 60.0)
    assert sizes(run(one, 10, [(0, latency(0.06, metric=ITL))])) == [13]


# -- clairvoyant


def test_clairvoyant_takes_the_fullest_window_apart() -> None:
    """Work ahead of 60, 120, 180 s: 2, 3, 4 a second, so 120, 360, 720 in all: windows of 2, 4, 6."""
    one = policy("clairvoyant", lead="160s", window="1m", period="20s", max_replicas=50)
    assert one.queries == tuple(Query(WORK_AHEAD, over_s=60.0 * count) for count in (1, 2, 3))
    assert one.window_loads([2.0, 3.0, 4.0]) == [2.0, 4.0, 6.0]
    (decision,) = run(one, 1, [(0, dict(zip(one.queries, [2.0, 3.0, 4.0], strict=True)))])
    assert decision.replicas == math.ceil(6 / 0.8) == 8
    assert decision.reason == "6 replicas' work in window 3 of 3, 60 s each, / 0.8 wants 8"


def test_clairvoyant_orders_no_replica_for_a_rounding_error() -> None:
    one = policy("clairvoyant", lead="585s", utilization=1.0, max_replicas=50)
    (decision,) = run(one, 1, [(0, dict.fromkeys(one.queries, 0.1 * 30))])
    assert decision.replicas == 3


# -- scheduled

WEEK: dict[str, Any] = {
    "replicas": 2,
    "rows": [
        {"days": "mon-fri", "from": "08:00", "to": "18:00", "replicas": 10},
        {"days": "wed", "from": "12:00", "to": "13:30", "replicas": 14},
        {"days": "sat, sun", "from": "22:00", "to": "04:00", "replicas": 6},
    ],
}


def changes(one: Any, until_s: float) -> list[tuple[float, int]]:
    """Hours and replicas of every decision, each asked for when the last one said."""
    at_s, found = 0.0, []
    while at_s is not None and at_s < until_s:
        decision, _ = one.decide(seen(at_s, 1, {}), None)
        found.append((at_s / HOUR_S, decision.replicas))
        at_s = decision.next_s
    return found


def test_a_week_by_the_table() -> None:
    day = {name: 24.0 * index for index, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}
    weekdays = [(day[name] + hour, size) for name in ("mon", "tue") for hour, size in ((8, 10), (18, 2))]
    wednesday = [(day["wed"] + hour, size) for hour, size in ((8, 10), (12, 14), (13.5, 10), (18, 2))]
    late = [(day[name] + hour, size) for name in ("thu", "fri") for hour, size in ((8, 10), (18, 2))]
    weekend = [(day["sat"] + 22, 6), (day["sun"] + 4, 2), (day["sun"] + 22, 6)]
    monday = [(0.0, 6), (4.0, 2)]  # the night of Sunday goes on
    week = [*monday, *weekdays, *wednesday, *late, *weekend]
    assert changes(policy("scheduled", **WEEK), 7 * DAY_S) == week
    two_weeks = changes(policy("scheduled", **WEEK), 14 * DAY_S)
    assert two_weeks == [*week, *((hour + 168, size) for hour, size in week[1:])], "nothing changes at midnight"


def test_a_run_that_begins_in_the_middle_of_the_week() -> None:
    one = policy("scheduled", **WEEK, start_at="wed 12:30")
    assert one.initial_replicas == 14
    assert (one.floor_replicas, one.most_replicas) == (2, 14)
    assert changes(one, DAY_S) == [(0.0, 14), (1.0, 10), (5.5, 2), (19.5, 10)]
    assert one.decide(seen(HOUR_S, 14, {}), None)[0].reason == "scheduled for wed 13:30: 10"


def test_a_table_without_changes_is_asked_once() -> None:
    rows = [{"from": "00:00", "to": "24:00", "replicas": 3}]
    decision, _ = policy("scheduled", replicas=1, rows=rows).decide(seen(0.0, 3, {}), None)
    assert (decision.replicas, decision.next_s) == (3, None)


# -- predictive


def rate(value: float) -> dict[Query, float]:
    return {Query(REQUESTS, "rate", 60.0): value}


FORECAST: dict[str, Any] = {"per_replica": "5/s", "max_replicas": 100, "headroom": 0, "scale_down_delay": 0}
DAY: dict[str, Any] = {**FORECAST, "season": "24h", "bin": "1h", "period": "10m", "lead": "50m"}


def daily(hour: float) -> float:
    """50/s from 9 to 17 o'clock, 10/s at night."""
    return 50.0 if 9 <= hour % 24 < 17 else 10.0


def two_days(**keys: Any) -> dict[float, Decision]:
    """Decisions by hour, of a fleet under the daily load as a policy with 10-minute periods samples it."""
    times = [600.0 * tick for tick in range(1, 2 * 144)]
    rows = [(at_s, rate(daily((at_s - 60) / HOUR_S))) for at_s in times]
    return {at_s / HOUR_S: one for at_s, one in zip(times, run(policy("predictive", **keys), 2, rows), strict=True)}


def test_seasonal_naive_reacts_on_the_first_day_and_is_early_on_the_second() -> None:
    """10/s need 2 replicas, 50/s need 10. The peak of 9 o'clock is within a lead and a period from 8 o'clock on."""
    decisions = two_days(**DAY)
    assert decisions[9].replicas == 2
    assert decisions[9 + 1 / 6].replicas == 10
    assert decisions[24 + 8 - 1 / 6].replicas == 2
    assert decisions[24 + 8].replicas == 10
    assert decisions[24 + 17 + 1 / 6].replicas == 2, "the evening's bins have been seen"
    assert decisions[24 + 8].reason == ("request_rate 10, seasonal_naive 50 at most within 3600 s; + 0% / 5 wants 10")


def test_what_is_forecast_is_a_floor_under_the_need_of_the_moment() -> None:
    one = policy("predictive", **DAY)
    past = one.after(None, 600.0, 10.0)
    for hour in range(1, 49):  # yesterday and the day before there was nothing
        past = one.after(past, hour * HOUR_S + 600.0, 0.0)
    at_s = 49 * HOUR_S
    assert one.decide(seen(at_s, 1, rate(30.0)), past)[0].replicas == 6
    assert policy("predictive", **DAY, reactive=False).decide(seen(at_s, 1, rate(30.0)), past)[0].replicas == 1


def test_scale_in_false_never_removes() -> None:
    decisions = list(two_days(**DAY, scale_in=False).values())
    assert sizes(decisions) == sorted(sizes(decisions))
    assert sizes(decisions)[-1] == 10


def test_ewma_halves_the_age_of_what_it_saw() -> None:
    """Half-life of one period: 8, then (8 + 24) / 2 = 16, then (16 + 24) / 2 = 20."""
    one = policy("predictive", **FORECAST, method="ewma", half_life="1m", reactive=False)
    decisions = run(one, 1, [(60, rate(8)), (120, rate(24)), (180, rate(24))])
    assert [decision.proposed for decision in decisions] == [2, 4, 4]
    assert [decision.reason.split()[3] for decision in decisions] == ["8", "16", "20"]


def test_headroom_is_a_share_of_the_load() -> None:
    one = policy("predictive", **{**FORECAST, "method": "last", "headroom": "30%", "metric": "concurrency"})
    (decision,) = run(one, 1, [(60, {Query(CONCURRENCY, "mean", 60.0): 20.0})])
    assert decision.replicas == math.ceil(20 * 1.3 / 5) == 6


def test_a_missing_rate_adds_what_is_forecast_and_removes_nothing() -> None:
    one = policy("predictive", **{**FORECAST, "method": "last"})
    assert run(one, 7, [(0, {})])[0].reason == "no request_rate yet: kept"
    assert sizes(run(one, 7, [(0, {}), (60, rate(50)), (120, {}), (180, rate(5))])) == [7, 10, 10, 1]
    past = one.after(None, 60.0, 50.0)
    assert one.decide(seen(120.0, 12, {}), past)[0].replicas == 12


def test_a_bin_is_the_mean_of_its_samples() -> None:
    one = policy("predictive", **{**FORECAST, "season": "3m", "bin": "1m", "window": "20s", "period": "20s", "lead": 0})
    past = None
    for at_s, value in ((20, 1.0), (40, 2.0), (60, 6.0), (80, 9.0)):  # 60 s is of the 20 s before: the first bin
        past = one.after(past, at_s, value)
    assert past.season.slots == (3.0, None, None)
    assert (past.bin, past.total, past.count) == (1, 9.0, 1)


def test_holt_winters_by_hand() -> None:
    """A season of two bins: 10, 20 make level 15, offsets -5, +5. Then 14: before 15, level 15 + 0.5 x (14 + 5 - 15) =
    17, trend 0.5 x (17 - 15) = 1, offset 0.5 x (14 - 15) + 0.5 x -5 = -3. Two bins on: 17 + 2 x 1 - 3 = 16."""
    model = Smoothed((None, None), (0.5, 0.5, 0.5)).learned(0, 10.0)
    assert model.at(1) is None
    model = model.learned(1, 20.0)
    assert [model.at(2), model.at(3)] == [10.0, 20.0]
    model = model.learned(2, 14.0)
    assert (model.level, model.trend, model.slots) == (17.0, 1.0, (-3.0, 5.0))
    assert [model.at(3), model.at(4)] == [17 + 1 + 5, 17 + 2 - 3]
    model = model.learned(3, 23.0)  # as forecast: nothing but the level moves, by the trend
    assert (model.level, model.trend, model.slots) == (18.0, 1.0, (-3.0, 5.0))


def test_holt_winters_passes_over_bins_without_samples() -> None:
    model = Smoothed((None, None), (0.5, 0.5, 0.5)).learned(0, 10.0).learned(1, 20.0).learned(2, 14.0)
    late = model.learned(5, 17 + 3 * 1 + 5)  # three bins on, as forecast
    assert (late.level, late.trend, late.slots) == (20.0, 1.0, (-3.0, 5.0))


def test_holt_winters_follows_a_growing_season_closer_than_naive() -> None:
    naive: Any = Season((None,) * 24)
    smooth: Any = Smoothed((None,) * 24, (0.2, 0.01, 0.3))
    missed = {"naive": 0.0, "smooth": 0.0}
    for hour in range(24 * 14):
        value = 100 + hour + 50 * math.sin(2 * math.pi * hour / 24)
        if hour >= 24 * 10:
            missed["naive"] += abs(naive.at(hour) - value)
            missed["smooth"] += abs(smooth.at(hour) - value)
        naive, smooth = naive.learned(hour, value), smooth.learned(hour, value)
    assert missed["naive"] == pytest.approx(24 * 96), "a day's growth behind"
    assert missed["smooth"] < 0.25 * missed["naive"]


def test_errors_of_the_past_become_capacity() -> None:
    assert spare((1.0, 2.0, 3.0, 4.0), 0.75) == 3.0
    assert spare((1.0, 2.0, 3.0, 4.0), 0.76) == 4.0
    assert spare((-4.0, -1.0), 0.5) == 0.0, "never less than the forecast"
    missed = Missed()
    for index in range(20):
        assert missed.spare is None
        missed = missed.foretold(index, 10.0).told(index, 10.0 + index, 0.9)
    assert missed.made == ()
    assert missed.spare == 17.0


def test_the_quantile_of_errors_takes_the_place_of_headroom() -> None:
    """A load that alternates between 10 and 20 by the minute; `last` is wrong by 10 half the time."""
    one = policy(
        "predictive",
        **{**FORECAST, "headroom": 1.0},
        method="last",
        headroom_quantile="90%",
        lead=0,
        bin="1m",
        season="2m",
    )
    decisions = run(one, 1, [(60.0 * tick, rate(10.0 + 10.0 * (tick % 2))) for tick in range(1, 60)])
    assert [decision.proposed for decision in decisions[:2]] == [8, 4], "twice the load"
    assert {decision.proposed for decision in decisions[30:]} == {6, 4}, "10 or 20, and 10 more, over 5"
    assert "+ 10 (p90)" in decisions[-1].reason


@pytest.mark.parametrize(
    ("kind", "keys", "told"),
    [
        ("predictive", {**DAY, "half_life": "1m"}, "is only used with method: ewma"),
        ("predictive", {**DAY, "gains": {}}, "is only used with method: holt_winters"),
        ("predictive", {**DAY, "bin": "7h"}, r"must go into the season \(86400 s\) 2 to 4032 times; got 25200 s"),
        ("predictive", {**DAY, "lead": "24h"}, r"must, with a period, be within a season"),
        ("clairvoyant", {"lead": "1h", "window": "1s"}, "must be at least 1/240 of lead and period, got 1 s"),
        ("scheduled", {"replicas": 0, "rows": []}, "must be above 0, or a row's replicas must"),
        ("scheduled", {**WEEK, "start_at": "mon-tue 8:00"}, "must be one day and a time, such as 'tue 08:30'"),
        ("scheduled", {"replicas": 1, "rows": [{"from": "8", "to": "9:00", "replicas": 2}]}, "must be a time of day"),
        (
            "scheduled",
            {"replicas": 1, "rows": [{"days": "m", "from": "8:00", "to": "9:00", "replicas": 2}]},
            "must be days",
        ),
        ("queue_length", {"target": 0}, "must be above 0"),
        ("queue_length", {"target": 1, "min_replicas": 11}, r"must be at most max_replicas \(10\), got 11"),
    ],
)
def test_wrong_keys_are_told(kind: str, keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        policy(kind, **keys)
