"""Lives of replicas in results: what is paid, what serves, what boots, drains or is down, worked out by hand."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.result import Result
from sim.result.lives import Stretches
from sim.result.money import billing
from sim.result.money.billing import Terms, billed_s
from tests.fleet_invariants import lives as check_lives
from tests.made_logs import downs, lives, log, requests, scenario

EDGES = [0.0, 100.0, 200.0, 300.0]
NOBODY = requests()
STAGES = ("launched_s", "image_s", "weights_s", "engine_s", "ready_s")


def life(ordered_s: float, ready_s: float = math.inf, **given: Any) -> dict[str, Any]:
    """A life launched as it was ordered, whose stages all begin then."""
    return dict.fromkeys(STAGES, ordered_s) | {"ordered_s": ordered_s, "ready_s": ready_s} | given


FLEET = lives(
    life(0.0, 0.0),  # there from the first second to the last
    life(50.0, 90.0, draining_s=250.0, gone_s=270.0, why="scaled_in", replica=1),
    # waits 20 s for a node, then is given up while it boots
    life(100.0, launched_s=120.0, image_s=120.0, weights_s=120.0, engine_s=120.0)
    | {"gone_s": 150.0, "why": "cancelled", "replica": 2},
    # the same row again, taken before it was ready
    life(150.0, gone_s=180.0, why="reclaimed", replica=2, spot=1),
    # never granted, given up
    life(200.0, gone_s=260.0, why="cancelled", replica=2, launched_s=math.inf),
)
for _name in ("image_s", "weights_s", "engine_s"):
    FLEET[_name][-1] = math.inf
DOWN = downs((0, 10.0, 30.0), (1, 240.0, 260.0))
SERVED = {
    # from ready to gone, and not down
    "first": 300 - 20,
    "second": (270 - 90) - 20,
}


def result(spans: Any = FLEET, down: Any = DOWN, table: Any = NOBODY, **changes: Any) -> Result:
    pools = changes.pop("pools", {"main": {"gpus_per_replica": 2, "usd_per_replica_hour": 3.6, "floor_replicas": 1}})
    ready_s = np.array([0.0, 90.0, 190.0, 265.0])  # what the fleet above comes to
    samples = [(at_s, 0, 1, ready, 0, 0, 0, 0, 0) for at_s, ready in zip(EDGES, ready_s, strict=True)]
    made = log(table, EDGES, spans, samples, down=down, decisions=())
    return Result(scenario(pools, horizon_s=300.0, **changes), made)


def test_the_fleet_made_here_is_one_that_an_engine_may_leave() -> None:
    check_lives(result().log)


def test_paid_is_from_launch_to_gone_ready_or_not() -> None:
    found = result().summary()
    paid_s = 300 + (270 - 50) + (150 - 120) + (180 - 150)
    assert found["replicas"]["replica_hours"] == pytest.approx(paid_s / 3600)
    assert found["replicas"]["gpu_hours"] == pytest.approx(2 * paid_s / 3600)
    assert found["cost"]["total_usd"] == pytest.approx(paid_s * 3.6 / 3600)


def test_replicas_are_those_that_serve_and_the_fewest_and_most_those_that_take_requests() -> None:
    found = result().summary()["replicas"]
    assert found["mean"] == pytest.approx(sum(SERVED.values()) / 300)
    assert (found["min"], found["max"]) == (0, 2), "none at all while the first is down"
    assert result(warmup_s=31.0).summary()["replicas"]["min"] == 1
    late = result(warmup_s=230.0).summary()["replicas"]
    assert (late["min"], late["max"]) == (1, 2), "the second goes down at 240 and drains from 250"


def test_the_timeline_says_who_boots_drains_and_is_down() -> None:
    columns = result().columns
    assert columns["booting"] == pytest.approx([40 / 100, (30 + 30) / 100, 0])
    assert columns["draining"] == pytest.approx([0, 0, 10 / 100]), "from 260, when it is up again, to 270"
    assert columns["down"] == pytest.approx([20 / 100, 0, 20 / 100])
    assert columns["usd_per_hour"] == pytest.approx([1.5 * 3.6, 2.6 * 3.6, 1.7 * 3.6])


def test_what_happened_to_replicas_is_counted_when_it_happened() -> None:
    found = result().summary()["lives"]
    boot_s = found.pop("boot_s")
    assert found == {
        "ordered": 5, "ready": 2, "scaled_in": 1, "cancelled": 2, "failed": 0, "zone_outage": 0, "reclaimed": 1,
        "rolled": 0, "repaired": 2,
    }  # fmt: skip
    assert boot_s == {"mean": 40.0, "p50": 40.0, "p99": 40.0, "max": 40.0}, "who was there at the start did not boot"
    late = result(warmup_s=95.0).summary()["lives"]
    assert (late["ordered"], late["ready"], late["boot_s"]["mean"]) == (3, 0, None)


def test_requests_that_lost_their_replica_are_counted_once_or_by_how_it_ended() -> None:
    times = {"start_s": 1.0, "first_token_s": 2.0, "finish_s": 3.0}
    table = requests(
        {"arrival_s": 0.0, "lost": 2, **times},
        {"arrival_s": 0.5, "lost": 1, "outcome": "failed"},
        {"arrival_s": 1.0, **times},
    )
    assert result(table=table).summary()["faults"] == {"retried": 1, "lost": 2}


def test_a_bill_is_rounded_up_and_has_a_minimum() -> None:
    lasted_s = np.array([0.0, 10.0, 60.0, 61.0, 15.000000000001, math.inf])
    assert billed_s(lasted_s, 0.0, 0.0).tolist() == lasted_s.tolist()
    assert billed_s(lasted_s, 60.0, 0.0).tolist() == [0.0, 60.0, 60.0, 120.0, 60.0, math.inf]
    assert billed_s(lasted_s, 1.0, 30.0).tolist() == [30.0, 30.0, 60.0, 61.0, 30.0, math.inf]
    assert billed_s(lasted_s[4:5], 15.0, 0.0)[0] == lasted_s[4], "not a second granule for the error of a sum"


def test_what_is_billed_after_a_replica_was_gone_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(billing, "terms", lambda _: (Terms(2, 3.6, granularity_s=60.0),))
    found = result().summary()
    # 220 s are billed as 240, 30 s as 60, twice; who was never launched is not billed
    rounding_s = 20 + 30 + 30
    assert found["replicas"]["replica_hours"] == pytest.approx((580 + rounding_s) / 3600)
    assert found["ledger"]["gpu_hours"]["rounding"] == pytest.approx(2 * rounding_s / 3600)
    assert found["cost"]["total_usd"] == pytest.approx((580 + rounding_s) * 3.6 / 3600)
    cut = result(warmup_s=275.0).summary()
    assert cut["ledger"]["usd"]["rounding"] == pytest.approx(15 * 3.6 / 3600), "the window cuts a bill like a life"


stretch = st.tuples(*(st.floats(-20, 1100) | st.just(math.inf) for _ in range(2)))


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(stretch, max_size=12), edges=st.lists(st.floats(0, 1000), min_size=2, max_size=9))
def test_stretches_in_bins_are_those_of_each_alone(rows: list[tuple[float, float]], edges: list[float]) -> None:
    edges = sorted(edges)
    table = np.array(rows).reshape(-1, 2)
    told_s = Stretches(table[:, 0], table[:, 1]).bins_s(np.array(edges))
    for place, (left_s, right_s) in enumerate(pairwise(edges)):
        alone_s = sum(max(0.0, min(to_s, right_s) - max(from_s, left_s)) for from_s, to_s in rows)
        assert told_s[place] == pytest.approx(alone_s, abs=1e-9)
