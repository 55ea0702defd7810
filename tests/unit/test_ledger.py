"""The waste ledger against ledgers kept by hand, and sums that are what was paid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.result import DecisionRow, Result
from sim.result.money import billing
from sim.result.money.billing import Terms
from sim.result.money.ledger import ENTRIES, changes, waste
from tests.fleet_invariants import ledger as check_ledger
from tests.made_logs import downs, lives, log, requests, scenario

EDGES = [0.0, 100.0, 200.0]
ALWAYS = {"ready_s": 0.0}
NONE: dict[str, float] = dict.fromkeys(ENTRIES, 0.0)


def told(
    spans: Any,
    busy_s: list[tuple[float, float]],
    decisions: tuple[DecisionRow, ...] = (),
    *,
    down: Any = None,
    floor: int = 1,
    **changes: Any,
) -> dict[str, Any]:
    """The summary of a fleet whose replicas cost a dollar a second; `busy_s`: the integral of those at work."""
    samples = [(at_s, 0, 0, 0, busy, busy, 0, 0, 0) for at_s, busy in busy_s]
    made = log(requests(), EDGES, spans, samples, decisions=decisions, down=downs() if down is None else down)
    pools = {"main": {"usd_per_replica_hour": 3600.0, "floor_replicas": floor}}
    summary = Result(scenario(pools, horizon_s=EDGES[-1], **changes), made).summary()
    check_ledger(summary)
    return summary


def entries(*args: Any, **given: Any) -> dict[str, float]:
    """The ledger in replica-seconds, the entries that are not 0."""
    usd = told(*args, **given)["ledger"]["usd"]
    return {name: pytest.approx(part) for name, part in usd.items() if part}


def decision(at_s: float, wanted: int, proposed: int | None = None, busy_s: float = 0.0) -> DecisionRow:
    return DecisionRow(at_s, "main", 0, wanted, "as it should be", proposed, 0, 0.0, busy_s)


def test_a_fixed_fleet_is_at_work_or_kept_by_its_size() -> None:
    spans, fixed = lives(ALWAYS, ALWAYS), (decision(0.0, 2),)
    summary = told(spans, [(0, 0), (100, 130), (200, 150)], fixed, floor=2)
    assert summary["ledger"]["usd"] == {**NONE, "useful": pytest.approx(150), "floor": pytest.approx(250)}
    assert not changes(summary)
    assert waste(summary)["useful"] == pytest.approx(150 / 400)


def test_idle_replicas_are_the_minimums_first_then_the_policys_then_headroom() -> None:
    # of 4: half of one at work, 2 are kept by the minimum, load asks for 3, so one is kept by a window
    found = entries(lives(*[ALWAYS] * 4), [(0, 0), (200, 100)], (decision(0.0, 4, 3),), floor=2)
    assert found == {"useful": 100, "floor": 2 * 200 - 100, "cool_down": 200, "headroom": 200}
    # 3 at work: the minimum of 2 keeps nobody, one is idle, and load asks for it
    found = entries(lives(*[ALWAYS] * 4), [(0, 0), (200, 600)], (decision(0.0, 4, 5),), floor=2)
    assert found == {"useful": 600, "headroom": 200}
    # load asks for less than the minimum: above the minimum it is cool-down
    found = entries(lives(*[ALWAYS] * 4), [(0, 0), (200, 0)], (decision(0.0, 4, 0),), floor=2)
    assert found == {"floor": 400, "cool_down": 400}


def test_who_says_nothing_else_proposes_what_it_wants() -> None:
    found = entries(lives(ALWAYS, ALWAYS), [(0, 0), (200, 0)], (decision(0.0, 1),), floor=0)
    assert found == {"cool_down": 200, "headroom": 200}
    assert entries(lives(ALWAYS), [(0, 0), (200, 0)], (), floor=0) == {"headroom": 200}, "nobody asked for less"


def test_time_is_cut_at_decisions_with_what_they_saw() -> None:
    decisions = (decision(0.0, 2, 2), decision(50.0, 2, 1, busy_s=100.0), decision(150.0, 2, 2, busy_s=100.0))
    # both at work until 50, then none: kept by a window until 150, wanted again after
    found = entries(lives(ALWAYS, ALWAYS), [(0, 0), (200, 100)], decisions, floor=0)
    assert found == {"useful": 100, "cool_down": 100, "headroom": 100 + 50 + 50}


def test_cold_starts_drains_and_failures_are_not_idle_time() -> None:
    spans = lives(
        ALWAYS,
        {"launched_s": 20.0, "ready_s": 60.0, "draining_s": 120.0, "gone_s": 150.0, "why": "scaled_in"},
        {"launched_s": 30.0, "gone_s": 40.0, "why": "failed"},  # before it was ready
        {"launched_s": 50.0, "gone_s": 55.0, "why": "cancelled"},
        {"launched_s": 190.0},  # not ready by the end
    )
    # the first is at work when it is up, the second from the 60th second until it is gone
    busy_s = [(0, 0), (60, 60), (80, 100), (100, 120), (150, 220), (200, 270)]
    found = entries(spans, busy_s, (decision(0.0, 2),), down=downs((0, 80.0, 100.0)), floor=0)
    assert found == {"cold_start": 40 + 5 + 10, "drain": 30, "failed": 10 + 20, "useful": (200 - 20) + 60}


def test_work_of_those_that_drain_is_not_counted_twice() -> None:
    spans = lives(ALWAYS, ALWAYS, {"ready_s": 0.0, "draining_s": 100.0, "gone_s": 150.0, "why": "scaled_in"})
    # of the 300 done by 150, those that drained have the part that they have of the time: 50 of 450
    found = entries(spans, [(0, 0), (150, 300), (200, 350)], (decision(0.0, 3),), floor=0)
    useful = 300 * 400 / 450 + 50
    assert found == {"useful": pytest.approx(useful), "drain": 50, "headroom": pytest.approx(500 - useful)}


def test_only_the_window_counts() -> None:
    spans = lives(ALWAYS, {"launched_s": 20.0, "ready_s": 60.0})
    found = entries(spans, [(0, 0), (50, 50), (200, 200)], (decision(0.0, 2),), floor=1, warmup_s=50.0)
    assert found == {"useful": 150, "cold_start": 10, "headroom": 140}


def test_each_make_is_paid_at_its_own_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(billing, "terms", lambda _: (Terms(1, 3600.0), Terms(8, 360.0)))
    spans = lives(ALWAYS, {"make": 1, "launched_s": 50.0, "ready_s": 100.0})
    summary = told(spans, [(0, 0), (100, 100), (200, 200)], (decision(0.0, 2),), floor=0)
    # from 100 on half of the ready time is at work: of each make its part
    assert summary["ledger"]["usd"] == {
        **NONE, "useful": 100 + 50 + 5, "cold_start": 5, "headroom": pytest.approx(50 + 5),
    }  # fmt: skip
    hours = summary["ledger"]["gpu_hours"]
    assert hours["useful"] == pytest.approx((100 + 50 + 8 * 50) / 3600)
    assert hours["cold_start"] == pytest.approx(8 * 50 / 3600)


def test_without_a_price_there_are_hours_and_no_money() -> None:
    made = log(requests(), EDGES, lives(ALWAYS), [(0, 0, 0, 0, 0, 0, 0, 0, 0)])
    found = Result(scenario(horizon_s=200.0), made).summary()
    check_ledger(found)
    assert found["ledger"]["gpu_hours"]["floor"] == pytest.approx(200 / 3600)
    assert set(found["ledger"]["usd"].values()) == {None}


def test_pools_add_up() -> None:
    spans = lives({"pool": 0, **ALWAYS}, {"pool": 1, "launched_s": 10.0, "ready_s": 30.0})
    samples = [(at_s, pool, 0, 0, at_s / 2, 0, 0, 0, 0) for at_s in (0, 200) for pool in (0, 1)]
    made = log(requests(), EDGES, spans, samples, pools=("a", "b"), decisions=())
    pools = {"a": {"usd_per_replica_hour": 1.0}, "b": {"usd_per_replica_hour": 2.0, "gpus_per_replica": 4}}
    found = Result(scenario(pools, horizon_s=200.0), made).summary()
    for block in (found, *found["pools"].values()):
        check_ledger(block)
    for name in ENTRIES:
        parts = [block["ledger"]["usd"][name] for block in found["pools"].values()]
        assert found["ledger"]["usd"][name] == pytest.approx(sum(parts))
    assert found["pools"]["b"]["ledger"]["gpu_hours"]["cold_start"] == pytest.approx(4 * 20 / 3600)


stage_s = st.floats(0, 60, allow_nan=False)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 150), stage_s, stage_s, stage_s, st.booleans()), min_size=1, max_size=8),
    load=st.lists(st.floats(0, 1), min_size=8, max_size=8),
    wants=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=8, max_size=8),
    floor=st.integers(0, 6),
    warmup_s=st.sampled_from([0.0, 41.7]),
)
def test_every_paid_second_is_in_one_entry(rows: Any, load: Any, wants: Any, floor: int, warmup_s: float) -> None:
    made = []
    for launched_s, boot_s, serve_s, drain_s, ends in rows:
        ready_s = launched_s + boot_s
        ended = {"draining_s": ready_s + serve_s, "gone_s": ready_s + serve_s + drain_s, "why": "scaled_in"}
        made.append({"launched_s": launched_s, "ready_s": ready_s, **(ended if ends else {})})
    spans = lives(*made)
    at_s = np.linspace(0, 200, 9)
    ready_s = [np.maximum(np.minimum(spans["gone_s"], at) - spans["ready_s"], 0).sum() for at in at_s.tolist()]
    busy_s = np.concatenate(([0.0], np.cumsum(np.diff(ready_s) * load)))
    decisions = tuple(
        decision(float(at), want, proposed, float(busy))
        for at, busy, (want, proposed) in zip(at_s, busy_s, wants, strict=False)
    )
    down = downs((0, float(spans["ready_s"][0]) + 1.0, float(spans["ready_s"][0]) + 9.0))
    summary = told(spans, [(0, 0), (200, float(busy_s[-1]))], decisions, down=down, floor=floor, warmup_s=warmup_s)
    window_s = 200.0 - warmup_s
    paid_s = np.maximum(np.minimum(spans["gone_s"], 200.0) - np.maximum(spans["launched_s"], warmup_s), 0).sum()
    assert math.fsum(summary["ledger"]["usd"].values()) == pytest.approx(paid_s, rel=1e-9, abs=1e-9)
    assert summary["ledger"]["usd"]["floor"] <= floor * window_s + 1e-6
