"""Who goes first where a queue orders by priority or by shares, and who gives way; times worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sim.model import state, tournament
from sim.model.specs import SenderSpec, TenantSpec
from tests import runs
from tests.oracle import Step
from tests.ordered import asked, engine, levels, run, served, slots

PRIORITY = {"order": "priority"}
PREEMPTIVE = {"order": "priority", "preemptive": True}


@pytest.mark.parametrize("central", [True, False])
def test_the_higher_level_goes_first_and_nobody_is_interrupted(central: bool) -> None:
    jobs = [served(0, 1, 2), served(0.5, 1, 1), served(1, 0, 1), served(1.5, 0, 1)]
    s = run(slots(central=central, **PRIORITY), jobs, levels(0, 1))
    assert s.requests["start_s"].tolist() == [0, 4, 2, 3]


@pytest.mark.parametrize("central", [True, False])
def test_a_service_that_breaks_off_goes_on_where_it_was(central: bool) -> None:
    """The first has had one second of three when the second comes, two when the third does."""
    jobs = [served(0, 1, 3), served(1, 0, 1), served(3, 0, 1)]
    s = run(slots(central=central, **PREEMPTIVE), jobs, levels(0, 1))
    assert s.requests["start_s"].tolist() == [0, 1, 3]
    assert s.requests["finish_s"].tolist() == [5, 2, 4]
    assert s.requests["first_token_s"].tolist() == [5, 2, 4]
    assert s.requests["preempted"].tolist() == [1, 0, 0]
    assert s.replicas["preemptions"][0] == 2
    assert s.replicas["busy_s"][0] == 5


def test_the_last_that_began_at_the_lowest_level_gives_way() -> None:
    jobs = [served(0, 2, 9), served(1, 2, 9), served(2, 1, 9), served(3, 0, 1)]
    s = run(slots(replicas=3, **PREEMPTIVE), jobs, levels(0, 1, 2))
    assert s.requests["preempted"].tolist() == [0, 1, 0, 0]
    assert s.requests["finish_s"].tolist() == [9, 11, 11, 4]


def test_equals_do_not_interrupt_one_another() -> None:
    s = run(slots(**PREEMPTIVE), [served(0, 1, 3), served(1, 1, 1)], levels(0, 1))
    assert s.requests["finish_s"].tolist() == [3, 4]


def test_with_age_a_lower_level_goes_first() -> None:
    """It counts as if it had come three seconds later: after who comes 2 s after it, before who comes 3.5 s after."""
    jobs = [served(0, 0, 5), served(1, 1, 1), served(3, 0, 1), served(4.5, 0, 1)]
    s = run(slots(aging_s=3, **PRIORITY), jobs, levels(0, 1))
    assert s.requests["start_s"].tolist() == [0, 6, 5, 7]


def test_shares_are_by_weight() -> None:
    jobs = [served(0, stream, 1) for stream in (0, 1) for _ in range(12)]
    senders = [SenderSpec(group=0, weight=3), SenderSpec(group=1, weight=1)]
    s = run(slots(order="weighted_fair"), jobs, senders)
    turns = s.requests["stream"][np.argsort(s.requests["start_s"])]
    assert turns[:12].tolist() == [0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0]


def test_a_share_is_counted_in_tokens() -> None:
    """The requests of the first are four times as long: of the others, four are served in the time of one."""
    jobs = sorted(
        [asked(0, 0, 30, 10) for _ in range(4)] + [asked(0, 1, 5, 5) for _ in range(16)], key=lambda job: job.stream
    )
    s = run(engine(seats=1, order="weighted_fair"), jobs, [SenderSpec(group=0), SenderSpec(group=1)])
    turns = s.requests["stream"][np.argsort(s.requests["start_s"])]
    assert turns[:10].tolist() == [0, 1, 1, 1, 1, 0, 1, 1, 1, 1]


def test_who_was_away_has_nothing_in_store() -> None:
    """The second tenant comes after the first had six turns alone: from then on they take turns."""
    jobs = [*(served(0, 0, 1) for _ in range(10)), *(served(5.5, 1, 1) for _ in range(4))]
    senders = [SenderSpec(tenant=0), SenderSpec(tenant=1)]
    s = run(slots(fair_tenants=True), jobs, senders, [TenantSpec(), TenantSpec()])
    turns = s.requests["stream"][np.argsort(s.requests["start_s"])]
    assert turns[6:].tolist() == [1, 0, 1, 0, 1, 0, 1, 0]


def test_tenants_share_within_a_level() -> None:
    """Two tenants at the lower level, one of them also at the higher: that goes first and takes from no share there."""
    senders = [SenderSpec(level=0, tenant=0), SenderSpec(level=1, group=1, tenant=0), SenderSpec(level=1, tenant=1)]
    jobs = [served(0, stream, 1) for stream in (0, 0, 1, 1, 2, 2)]
    s = run(slots(fair_tenants=True, **PRIORITY), jobs, senders, [TenantSpec(), TenantSpec()])
    turns = s.requests["stream"][np.argsort(s.requests["start_s"])]
    assert turns.tolist() == [0, 0, 1, 2, 1, 2]


# -- batches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("central", [True, False])
def test_a_batch_gives_way_at_the_next_iteration_and_computes_again(central: bool) -> None:
    """The first has three tokens at 3; it goes on at 5, makes the fourth while its prompt is recomputed, ends at 12."""
    jobs = [asked(0, 1, 10, 10), asked(2.5, 0, 5, 2)]
    s = run(engine(seats=1, central=central, **PREEMPTIVE), jobs, levels(0, 1))
    assert s.requests["start_s"].tolist() == [0, 3]
    assert s.requests["finish_s"].tolist() == [12, 5]
    assert s.requests["preempted"].tolist() == [1, 0]
    assert s.replicas["recomputed"][0] == 10  # its prompt, thrown away once


@pytest.mark.parametrize(("order", "start_s"), [("fcfs", [0, 1, 1, 1, 2]), ("priority", [0, 1, 3, 4, 2])])
def test_who_is_scheduled_ahead_is_still_outranked(order: str, start_s: list[float]) -> None:
    """Prompts of an iteration each, while the first decodes: in one line all come in at once, and wait in the batch."""
    jobs = [asked(0, 1, 1000, 9), *(asked(when, 1, 1000, 1) for when in (0.25, 0.5, 0.75)), asked(1.5, 0, 1000, 1)]
    s = run(engine(seats=9, memory=10_000, lookahead=1, order=order), jobs, levels(0, 1))
    assert s.requests["start_s"].tolist() == start_s
    first = s.requests["first_token_s"]
    assert (first[4] < first[2]) == (order == "priority")


def test_the_lowest_level_gives_way_from_the_middle_of_a_batch() -> None:
    jobs = [asked(0, 1, 10, 8), asked(0.5, 2, 10, 8), asked(1.5, 1, 10, 8), asked(3.5, 0, 10, 2)]
    s = run(engine(seats=3, **PREEMPTIVE), jobs, levels(0, 1, 2))
    assert s.requests["preempted"].tolist() == [0, 1, 0, 0]
    assert s.requests["finish_s"].tolist() == [8, 11, 10, 6]


def test_room_in_memory_is_made_too() -> None:
    """There are seats, but the prompt does not fit beside the other's: 60 and what it has made of 100 tokens."""
    jobs = [asked(0, 1, 60, 10), asked(2.5, 0, 50, 2)]
    s = run(engine(memory=100, **PREEMPTIVE), jobs, levels(0, 1))
    assert s.requests["start_s"].tolist() == [0, 3]
    assert s.requests["preempted"].tolist() == [1, 0]


@pytest.mark.parametrize(("order", "preempted"), [("fcfs", [0, 1]), ("priority", [1, 0])])
def test_when_memory_runs_out_the_lowest_level_gives_way(order: str, preempted: list[int]) -> None:
    """By order of arrival it would be the one that came last."""
    jobs = [asked(0, 1, 5, 12), asked(0.5, 0, 5, 12)]
    s = run(engine(memory=20, order=order), jobs, levels(0, 1))
    assert s.requests["preempted"].tolist() == preempted


def test_a_small_prompt_of_a_higher_level_goes_before_a_large_one_that_does_not_fit() -> None:
    jobs = [asked(0, 0, 60, 6), asked(0.5, 1, 80, 2), asked(1.5, 0, 20, 2)]
    s = run(engine(memory=100, **PRIORITY), jobs, levels(0, 1))
    assert s.requests["start_s"].tolist() == [0, 6, 2]


def test_one_level_is_first_come_first_served() -> None:
    """Where nobody outranks anybody, orders change nothing."""
    rng = np.random.default_rng(3)
    jobs = [asked(float(at_s), 0, int(rng.integers(5, 60)), int(rng.integers(1, 9))) for at_s in np.arange(60) / 2]
    plain = run(engine(memory=150), jobs, levels(4)).requests
    for queue in (PREEMPTIVE, {"order": "weighted_fair"}, {"fair_tenants": True}):
        np.testing.assert_array_equal(run(engine(memory=150, **queue), jobs, levels(4)).requests, plain)


# -- shares are of what is served -------------------------------------------------------------------------------------

TENANTS = [TenantSpec(), TenantSpec()]


def test_who_is_given_a_place_before_others_is_charged_for_it() -> None:
    """At 1 the first tenant takes the slot from a lower level. So it has had a turn at its level, and at 4 it is the
    other tenant's, though that came later.
    """
    senders = [SenderSpec(level=0, tenant=0), SenderSpec(level=0, tenant=1), SenderSpec(level=1, group=1, tenant=0)]
    jobs = [served(0, 2, 5), served(1, 0, 3), served(1.5, 0, 1), served(2, 1, 1)]
    s = run(slots(fair_tenants=True, **PREEMPTIVE), jobs, senders, TENANTS)
    assert s.requests["start_s"].tolist() == [0, 1, 5, 4]


def test_a_new_replica_knows_nothing_of_what_the_last_one_served() -> None:
    """The first tenant had four turns at the replica that was closed; at the new one the tenants begin as equals."""
    senders = [SenderSpec(tenant=0), SenderSpec(tenant=1)]
    pool = slots(central=False, fair_tenants=True)
    jobs = [*(served(0, 0, 1) for _ in range(4)), *(served(9, stream, 1) for stream in (0, 0, 0, 1))]
    s = state.build([pool], runs.table(jobs), senders, tenants=TENANTS)
    wakes = tournament.build(1)
    for step in (Step(0.0, "open", 0), Step(5.0, "close", 0), Step(6.0, "open", 0)):
        runs.run_until(s, wakes, step.at_s, [], lets_go=True)
        runs.act(s, step)
    assert not s.queues["tag"].any()
    runs.run_until(s, wakes, np.inf, [], lets_go=True)
    assert s.requests["start_s"][4:].tolist() == [9, 11, 12, 10]
