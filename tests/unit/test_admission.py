"""Who is turned away: limits of queues and classes, quotas of tenants, load that is shed; worked out by hand."""

from __future__ import annotations

import math

import pytest

from sim.model import queues
from sim.model.specs import ClassLimit, SenderSpec, TenantSpec
from sim.model.tables import REJECTED
from tests.ordered import asked, engine, levels, run, served, slots


def rejected(s: object) -> list[int]:
    """Rows of the requests that were turned away."""
    outcomes = s.requests["outcome"]  # type: ignore[attr-defined]
    return [row for row, outcome in enumerate(outcomes) if outcome == REJECTED]


@pytest.mark.parametrize("order", ["fcfs", "priority", "weighted_fair"])
def test_a_class_may_have_a_limit_of_its_own(order: str) -> None:
    """One of the lower class may wait, three of all."""
    limits = (ClassLimit(), ClassLimit(max_waiting=1))
    jobs = [served(0, 0, 9), *(served(1 + place, stream, 9) for place, stream in enumerate((1, 1, 0, 0, 0, 1)))]
    s = run(slots(order=order, class_limits=limits, max_waiting=3), jobs, levels(0, 1))
    assert rejected(s) == [2, 5, 6]


def test_limits_count_prompt_tokens() -> None:
    """Fifty may wait; of the second class, twenty."""
    limits = (ClassLimit(), ClassLimit(max_waiting_tokens=20))
    pool = engine(seats=1, max_waiting_tokens=50, class_limits=limits)
    jobs = [asked(0, 0, 99, 30), asked(1, 1, 21, 1), asked(2, 1, 20, 1), asked(3, 0, 31, 1), asked(4, 0, 30, 1)]
    assert rejected(run(pool, jobs, levels(0, 0))) == [1, 3]
    assert rejected(run(engine(seats=1, max_waiting_tokens=50), jobs, levels(0, 0))) == [3, 4]


def test_who_takes_a_place_at_once_needs_no_room_to_wait() -> None:
    jobs = [served(0, 1, 9), served(1, 1, 9), served(2, 0, 1), served(2.5, 0, 1)]
    s = run(slots(order="priority", preemptive=True, max_waiting=1), jobs, levels(0, 1))
    assert rejected(s) == [3]
    assert s.requests["start_s"][2] == 2


# -- quotas -----------------------------------------------------------------------------------------------------------


def test_a_quota_in_requests_is_a_bucket() -> None:
    """Two at once, then one a second."""
    tenant = TenantSpec(requests_per_s=1.0, request_burst=2.0)
    jobs = [served(at_s, 0, 0.1) for at_s in (0, 0.25, 0.5, 1.0, 1.5, 9.0, 9.0, 9.0)]
    s = run(slots(), jobs, [SenderSpec(tenant=0)], [tenant])
    assert rejected(s) == [2, 4, 7]
    assert s.run["retry_after_s"][0] == 1.0


def test_a_quota_in_tokens_counts_prompt_and_output() -> None:
    tenant = TenantSpec(tokens_per_s=10.0, token_burst=100.0)
    jobs = [asked(0, 0, 70, 10), asked(1, 0, 30, 10), asked(2, 0, 30, 10), asked(20, 0, 101, 1)]
    s = run(engine(), jobs, [SenderSpec(tenant=0)], [tenant])
    assert rejected(s) == [1, 3]


def test_who_comes_back_when_told_to_is_let_in() -> None:
    """Whatever the rounding: a bucket that lacks a part in a thousand million is full enough."""
    for rate in (0.3, 0.7, 1.1, 3.0, 7.0):
        tenant = TenantSpec(requests_per_s=rate, request_burst=1.0)
        first = run(slots(), [served(0.1, 0, 0.01), served(0.2, 0, 0.01)], [SenderSpec(tenant=0)], [tenant])
        back_s = 0.2 + float(first.run["retry_after_s"][0])
        jobs = [served(at_s, 0, 0.01) for at_s in (0.1, 0.2, back_s)]
        assert rejected(run(slots(), jobs, [SenderSpec(tenant=0)], [tenant])) == [1]


def test_quotas_are_each_tenants_own_and_others_have_none() -> None:
    tenants = [TenantSpec(requests_per_s=1.0, request_burst=1.0), TenantSpec()]
    senders = [SenderSpec(tenant=0), SenderSpec(tenant=1), SenderSpec()]
    jobs = [served(0, stream, 0.1) for stream in (0, 1, 2, 0, 1, 2)]
    assert rejected(run(slots(), jobs, senders, tenants)) == [3]


# -- shedding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("central", [True, False])
def test_load_is_shed_by_class(central: bool) -> None:
    """At one waiting a replica (of two) the lower class is refused, the higher never."""
    limits = (ClassLimit(), ClassLimit(shed_at=1.0))
    jobs = [served(0, 0, 9), served(0, 0, 9), *(served(1 + place, place % 2, 9) for place in range(6))]
    s = run(slots(replicas=2, central=central, shed="load", class_limits=limits, retry_after_s=7), jobs, levels(0, 0))
    assert rejected(s) == [5, 7]  # two wait when the sixth comes
    assert s.run["retry_after_s"][0] == 7


@pytest.mark.parametrize(("order", "out"), [("fcfs", [5, 6]), ("priority", [5])])
def test_who_would_wait_too_long_is_refused(order: str, out: list[int]) -> None:
    """A start a second. At 2.1 two wait: a third would for 3 s, and 2.5 s are too long; unless it goes before them."""
    limits = (ClassLimit(shed_at=2.5), ClassLimit(shed_at=2.5))
    jobs = [served(at_s, 1, 1) for at_s in (0, 0.1, 0.2, 0.3, 0.4, 2.1)]
    jobs += [served(2.2, 0, 1), served(4.1, 1, 1)]
    s = run(slots(order=order, shed="estimated_wait", class_limits=limits), jobs, levels(0, 1))
    assert rejected(s) == out
    assert s.pools["between_s"][0] == pytest.approx(1.0)


def test_who_finds_nobody_waiting_is_let_in() -> None:
    """Slow services made the mean what it is; it does not keep the door shut."""
    limits = (ClassLimit(shed_at=0.5),)
    jobs = [served(at_s, 0, 5) for at_s in (0, 0.1, 0.2)] + [served(50, 0, 1), served(50.5, 0, 1), served(50.6, 0, 1)]
    s = run(slots(shed="estimated_wait", class_limits=limits), jobs, levels(0))
    assert s.pools["between_s"][0] > 0.5
    assert rejected(s) == [5]


def test_controlled_delay_refuses_who_has_waited_too_long() -> None:
    """The first to start has not waited, so the interval until 3 is a good one. In that from 3 to 6 all who start have
    waited more than 0.5 s: at 7, those who have waited more than 1 s are refused.
    """
    jobs = [served(0.4 * place, 0, 1) for place in range(16)]
    s = run(slots(shed="codel", target_s=0.5, interval_s=3.0), jobs, levels(0))
    assert rejected(s) == [7, 8, 9, 10, 11, 12, 13, 14]
    assert s.requests["finish_s"][7:15].tolist() == [7.0] * 8
    assert s.requests["start_s"][15] == 7.0
    assert s.replicas["outstanding"][0] == 0


@pytest.mark.parametrize("pool", [slots(central=False), engine(seats=1), engine(seats=1, central=True)])
def test_controlled_delay_at_every_kind_of_queue(pool: object) -> None:
    """Twice the load that can be served, for long: waits stay near twice the target."""
    jobs = [asked(place / 2, 0, 1, 1) for place in range(200)]
    for job in jobs:
        job.service_s = 1.0
    told = {**vars(pool), "shed": "codel", "target_s": 2.0, "interval_s": 4.0}
    s = run(type(pool)(**told), jobs, levels(0))
    waited_s = s.requests["start_s"] - s.requests["arrival_s"]
    late = s.requests["arrival_s"] > 40
    assert len(rejected(s)) > 60
    assert max(wait_s for wait_s in waited_s[late] if not math.isnan(wait_s)) < 8.0


def test_a_replica_that_takes_over_a_row_knows_nothing_of_waits_there() -> None:
    jobs = [served(0.4 * place, 0, 1) for place in range(16)]
    s = run(slots(central=False, shed="codel", target_s=0.5, interval_s=3.0), jobs, levels(0))
    place, told = len(s.pools), ["least_wait_s", "until_s", "overloaded"]
    assert all(s.queues[name][place] > 0 for name in told)
    queues.forget(s, place)
    assert [s.queues[name][place] for name in told] == [0, 0, 0]
