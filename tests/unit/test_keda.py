"""KEDA as a policy: two loops, zero and back, idle replicas, calendars, triggers that fail."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from sim.autoscaling.kubernetes.keda import Keda
from sim.autoscaling.observation import WAITING, Decision, Observation, Query

QUEUE = {"metric": "num_requests_waiting", "threshold": 5}
HOUR_S = 3600.0


def keda(*triggers: dict[str, Any], **fields: Any) -> Keda:
    return Keda.model_validate({"kind": "keda", "triggers": triggers or (QUEUE,), **fields})


def cron(start: str, end: str, replicas: int = 4, **fields: Any) -> dict[str, Any]:
    return {"cron": {"start": start, "end": end, "desired_replicas": replicas, **fields}}


def run(policy: Keda, load: Any, until_s: float, start: int = 0) -> list[tuple[float, Decision]]:
    """Every decision of a pool that follows at once; `load` is the queue at a time, or None for no value."""
    at_s, current, memory, found = 0.0, start, None, []
    while at_s <= until_s:
        value = load(at_s)
        values = {} if value is None else {Query(WAITING): value}
        decision, memory = policy.decide(Observation(at_s, current, current, values=values), memory)
        assert decision.next_s is not None
        assert decision.next_s > at_s
        found.append((at_s, decision))
        current, at_s = decision.replicas, decision.next_s
    return found


def changes(found: list[tuple[float, Decision]], start: int = 0) -> list[tuple[float, int]]:
    """When the size changed, and to what."""
    sizes = [start, *(decision.replicas for _, decision in found)]
    pairs = zip(found, sizes, sizes[1:], strict=False)
    return [(at_s, new) for (at_s, _), old, new in pairs if new != old]


def test_from_zero_and_back() -> None:
    """Load from 40 s to 100 s: KEDA's next poll wakes the pool, the HPA grows it, both let it go."""
    found = run(keda(), lambda at_s: 60.0 if 40.0 <= at_s < 100.0 else 0.0, 600.0)
    # At 105 s nobody waits any more, but the wish of 90 s still counts, up to and at 390 s. The last active poll is
    # that of 90 s too, so the poll of 390 s is not late enough and that of 420 s is.
    assert changes(found) == [(60.0, 1), (75.0, 4), (90.0, 8), (105.0, 12), (405.0, 1), (420.0, 0)]
    reasons = {at_s: decision.reason for at_s, decision in found}
    assert reasons[60.0] == "KEDA: num_requests_waiting 60 is above 0: 0 -> 1"
    assert reasons[75.0] == "num_requests_waiting 60 / 5 wants 12; scale-up limit max(2 x 1, 4) = 4"
    assert reasons[420.0] == "KEDA: no trigger active for 330s, cooldown period 300s: 1 -> 0"


def test_each_loop_keeps_its_own_time() -> None:
    found = run(keda(polling_interval="40s", sync_period="15s", min_replicas=1), lambda at_s: 1.0, 90.0, start=1)
    assert [at_s for at_s, _ in found] == [0.0, 15.0, 30.0, 40.0, 45.0, 60.0, 75.0, 80.0, 90.0]
    early, memory = keda().decide(Observation(0.0, 0, 0), None)
    assert early.next_s == 15.0
    asked, _ = keda().decide(Observation(3.0, 7, 7), memory)
    assert (asked.replicas, asked.next_s, asked.reason) == (7, 15.0, "neither the HPA nor KEDA is due")


def test_active_is_strictly_above_the_activation_threshold() -> None:
    policy = keda({**QUEUE, "activation_threshold": 10})
    assert changes(run(policy, lambda at_s: 10.0, 60.0)) == []
    assert changes(run(policy, lambda at_s: 10.5, 20.0)) == [(0.0, 1), (15.0, 3)]


def test_cooldown_only_governs_the_last_step() -> None:
    assert changes(run(keda(min_replicas=2), lambda at_s: 0.0, 900.0, start=6), start=6) == [(315.0, 2)]
    idle = keda(min_replicas=3, idle_replicas=0, cooldown_period="60s")
    load = [50.0] * 4 + [0.0] * 60  # at each half minute
    found = run(idle, lambda at_s: load[int(at_s // 30)], 240.0)
    # Awake at once to the minimum; asleep from any size after the cooldown, the window of the HPA notwithstanding.
    assert changes(found) == [(0.0, 3), (15.0, 6), (30.0, 10), (180.0, 0)]


def test_the_first_cooldown_counts_from_the_start() -> None:
    assert changes(run(keda(), lambda at_s: 0.0, 60.0, start=1), start=1) == [(30.0, 0)]
    later = keda(initial_cooldown_period="90s")
    assert changes(run(later, lambda at_s: 0.0, 200.0, start=1), start=1) == [(120.0, 0)]


def test_a_pool_below_its_minimum_is_lifted_without_load() -> None:
    assert changes(run(keda(min_replicas=2), lambda at_s: 0.0, 30.0)) == [(0.0, 2)]
    assert changes(run(keda(min_replicas=2, idle_replicas=0), lambda at_s: 0.0, 30.0)) == []


def test_without_a_value_a_trigger_reads_zero_or_fails() -> None:
    assert changes(run(keda(), lambda at_s: None, 60.0, start=3), start=3) == [(30.0, 0)]
    strict = keda({**QUEUE, "ignore_null_values": False})
    found = run(strict, lambda at_s: None, 600.0, start=3)
    assert changes(found, start=3) == []
    assert found[-1][1].reason == "no change: num_requests_waiting has no value"


def test_fallback_after_failures_in_a_row() -> None:
    strict = {**QUEUE, "ignore_null_values": False}
    policy = keda(strict, min_replicas=1, fallback={"failure_threshold": 3, "replicas": 6})
    found = run(policy, lambda at_s: 5.0 if at_s < 30.0 else None, 120.0, start=2)
    # Failures at 30, 45, 60 s are put up with; the fourth is not.
    assert changes(found, start=2) == [(75.0, 4), (90.0, 6)]
    assert found[-1][1].reason == "num_requests_waiting failed 7 times, fallback wants 6"
    asleep = keda(strict, fallback={"failure_threshold": 3, "replicas": 6})
    assert changes(run(asleep, lambda at_s: None, 100.0)) == [(90.0, 6)]  # at 0 only polls try, every 30 s


def test_a_cron_window_opens_and_closes() -> None:
    """Monday, 00:00: nobody until 06:00, four replicas until 20:00; outside its window it asks for one."""
    policy = keda(cron("0 6 * * *", "0 20 * * *"), polling_interval="60s")
    found = changes(run(policy, lambda at_s: None, 24 * HOUR_S))
    # The last poll in the window is at 19:59; its replicas stay for the window of the HPA and the cooldown of KEDA.
    assert found == [(6 * HOUR_S, 1), (6 * HOUR_S + 15.0, 4), (20 * HOUR_S + 300.0, 0)]


def test_cron_knows_zones_and_days() -> None:
    weekdays = cron("0 6 * * 1-5", "0 20 * * 1-5", timezone="America/New_York")
    found = changes(run(keda(weekdays, run_starts="2024-01-05T00:00:00Z"), lambda at_s: None, 96 * HOUR_S))
    assert [at_s // HOUR_S for at_s, size in found if size == 4] == [0, 11, 83]  # it is Thursday evening there
    found = changes(run(keda(weekdays, run_starts="2024-07-05T00:00:00+02:00"), lambda at_s: None, 24 * HOUR_S))
    assert [at_s // HOUR_S for at_s, size in found if size == 4] == [0, 12]  # summer there, and two hours earlier


def test_the_largest_trigger_wins() -> None:
    policy = keda(QUEUE, cron("0 0 * * *", "0 12 * * *", replicas=6), min_replicas=1, max_replicas=8)
    assert changes(run(policy, lambda at_s: 20.0, 60.0, start=1), start=1) == [(0.0, 4), (15.0, 6)]
    assert changes(run(policy, lambda at_s: 400.0, 60.0, start=1), start=1) == [(0.0, 4), (15.0, 8)]


def test_memory_can_be_stored() -> None:
    policy = keda(QUEUE, cron("0 0 * * *", "0 12 * * *"))
    _, memory = policy.decide(Observation(0.0, 0, 0, values={Query(WAITING): 3.0}), None)
    assert pickle.loads(pickle.dumps(memory)) == memory
    assert policy.floor_replicas == 0
    assert keda(min_replicas=2, idle_replicas=1).floor_replicas == 1


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"min_replicas": 2, "idle_replicas": 2}, "must be below min_replicas"),
        ({"triggers": [{**QUEUE, "across": "each"}]}, "a trigger reads one value"),
        ({"triggers": [cron("0 6 * * *", "0  6 * * *")]}, "must differ from start"),
        ({"triggers": [cron("0 6 * *", "0 8 * * *")]}, "must be minute, hour, day, month"),
        ({"triggers": [cron("0 61 * * *", "0 8 * * *")]}, "must be a cron expression"),
        ({"triggers": [cron("0 0 30 2 *", "0 8 * * *")]}, "must be a cron expression that comes to pass"),
        ({"triggers": [cron("0 6 * * *", "0 8 * * *", timezone="Mars/Base")]}, "must be a time zone"),
        ({"triggers": [cron("0 6 * * *", "0 8 * * *")], "fallback": {"failure_threshold": 3, "replicas": 1}}, "metric"),
        ({"run_starts": "monday"}, "must be a date and time"),
        ({"triggers": []}, "at least 1"),
    ],
)
def test_what_it_refuses(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        keda(**fields)
