"""Routers that remember, loads that are old, pools that spill over: choices computed by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim.model import affinity, calls, lives, prefix, routing, state, transitions
from sim.model.specs import ClassLimit, PoolSpec
from sim.model.tables import NONE, OUTCOMES, State
from tests import runs
from tests.oracle import Job

SLOTS = PoolSpec(batching=False, replicas=4, seats=8, router="session_affinity")


def opened(specs: list[PoolSpec], jobs: list[Job], remembered: bool = False) -> State:
    """Tables with every replica ready at zero."""
    requests = runs.table(jobs)
    table = calls.table(requests) if remembered else None
    names, sizes = runs.prefixes(jobs)
    s = state.build(specs, requests, prefixes=names, prefix_sizes=sizes, calls=table)
    for row in range(len(s.replicas)):
        lives.open_replica(s, row, 0.0)
    return s


def naming(at_s: float, *names: int, output: int = 1) -> Job:
    """A request whose prompt is blocks of 16 tokens with these ids."""
    return Job(at_s, prompt=16 * len(names), output=output, prefix=names, sizes=(16,) * len(names))


def arriving(spec: PoolSpec, times: list[float], **told: Any) -> list[int]:
    """The replicas of requests that arrive at these times, each served for a minute."""
    jobs = [Job(at, service_s=60.0, ticket=0.1, **told) for at in times]
    s = runs.run([spec], runs.table(jobs))
    return s.requests["replica"].tolist()


class TestSessionAffinity:
    def follow(self, loads: list[int], at_s: float = 2.0, **changes: Any) -> State:
        """The last request follows one that row 2 has answered at 1 s; replicas have these loads."""
        s = opened([replace(SLOTS, **changes)], [Job(0.0), Job(at_s)], remembered=True)
        s.requests[0]["replica"], s.requests[0]["finish_s"] = 2, 1.0
        s.calls[1]["before"] = 0
        s.replicas["outstanding"] = loads
        return s

    def chosen(self, s: State) -> int:
        return routing.choose(s, 0, 1, len(s.replicas), 2.0)

    @pytest.mark.parametrize(
        ("loads", "bound", "row"),
        [
            ([0, 0, 0, 0], 1.25, 2),
            ([0, 0, 2, 0], 1.25, 2),  # mean 0.5, times 1.25 and rounded up 1, and one: 2
            ([0, 0, 3, 0], 1.25, 0),  # mean 0.75: 1 and one, so 3 is too many
            ([0, 0, 3, 0], 2.0, 2),  # 1.5: 2 and one
            ([4, 4, 5, 3], 1.0, 2),  # mean 4: 4 and one
            ([4, 4, 6, 2], 1.0, 3),
        ],
    )
    def test_stays_within_the_bound(self, loads: list[int], bound: float, row: int) -> None:
        assert self.chosen(self.follow(loads, load_bound=bound)) == row

    def test_a_replica_that_drains_is_left(self) -> None:
        s = self.follow([0, 0, 0, 0])
        lives.drain_replica(s, 2, 1.5, redirect=False)
        assert self.chosen(s) == 0

    def test_a_new_replica_in_its_row_is_another_one(self) -> None:
        s = self.follow([1, 1, 1, 1])
        lives.close_replica(s, 2, 1.2, "retry")
        lives.open_replica(s, 2, 1.5)
        s.replicas["outstanding"][2] = 1
        assert self.chosen(s) == 0

    def test_a_session_that_begins_goes_to_the_least_loaded(self) -> None:
        s = self.follow([1, 0, 0, 1])
        s.calls[1]["before"] = NONE
        assert self.chosen(s) == 1

    def test_one_that_was_never_routed_leaves_no_trace(self) -> None:
        s = self.follow([1, 0, 0, 1])
        s.requests[0]["replica"] = NONE
        assert self.chosen(s) == 1

    def test_the_answer_of_another_pool_counts_for_nothing(self) -> None:
        s = opened([SLOTS, SLOTS], [Job(0.0), Job(2.0, pool=1)], remembered=True)
        s.requests[0]["replica"], s.requests[0]["finish_s"] = 2, 1.0
        s.calls[1]["before"] = 0
        assert routing.choose(s, 1, 1, len(s.replicas), 2.0) == 4

    def test_without_sessions_it_is_least_outstanding(self) -> None:
        assert arriving(SLOTS, [0.0, 0.1, 0.2, 0.3, 0.4]) == [0, 1, 2, 3, 0]


ENGINE = PoolSpec(
    batching=True,
    replicas=2,
    seats=8,
    router="prefix_aware",
    load_bound=1.0,
    max_batched_tokens=64,
    kv_capacity_tokens=1024,
    block_tokens=16,
    base_s=0.01,
)


class TestPrefixAware:
    def rows(self, jobs: list[Job], spec: PoolSpec = ENGINE) -> list[int]:
        s = runs.run([spec], runs.table(jobs), named=runs.prefixes(jobs))
        assert (s.requests["outcome"] == OUTCOMES.index("completed")).all()
        return s.requests["replica"].tolist()

    def test_goes_where_most_is_known_within_the_bound(self) -> None:
        first = [
            naming(0.0, 0, 1, 2),
            naming(0.0, 3, 4, 5),
        ]
        again = [naming(10.0, 3, 4, 6, output=99) for _ in range(6)]
        # nobody knows anything: least loaded; then row 1, until it has 4 (mean 2, and one: 3); then both know it all
        assert self.rows([*first, *again]) == [0, 1, 1, 1, 1, 1, 0, 0]

    def test_more_of_the_prompt_goes_before_less_load(self) -> None:
        jobs = [
            naming(0.0, 0, 1),  # row 0
            naming(0.0, 0),  # row 0 knows its one block, for it was admitted
            Job(0.0, prompt=16, output=200),  # names nothing: row 1
            naming(1.0, 0, 1),
            naming(1.0, 2, 3),  # unknown: the least loaded
        ]
        assert self.rows(jobs)[:4] == [0, 0, 1, 0]

    def test_ties_go_to_less_load_then_to_the_lowest_row(self) -> None:
        s = opened([replace(ENGINE, load_bound=9.0)], [naming(at, 0) for at in (0.0, 0.0, 5.0)])
        for row, r in ((1, 0), (0, 1)):  # both know the block
            transitions.enqueue(s, row, r, len(s.replicas), 0.0)
        assert routing.choose(s, 0, 2, 2, 0.0) == 0
        s.replicas["outstanding"] = [2, 1]
        assert routing.choose(s, 0, 2, 2, 0.0) == 1

    def test_what_growth_has_pushed_out_is_not_known(self) -> None:
        """Four blocks: two idle ones, and a sequence that grows from one block to three in one jump."""
        spec = replace(ENGINE, replicas=1, kv_capacity_tokens=64, base_s=1.0)
        jobs = [
            naming(0.0, 0, 1),
            Job(4.0, prompt=16, output=30),
            naming(99.0, 0, 1),
        ]
        s = opened([spec], jobs)
        transitions.arrive(s, 0, 0.0)
        transitions.wake(s, 0, 1.0)
        transitions.arrive(s, 1, 4.0)
        transitions.wake(s, 0, 5.0)  # prefilled: 17 tokens, and one more every second
        assert s.replicas[0]["planned"] > 20
        affinity.forget(s, 0, 20.0, True)  # 32 tokens: two blocks
        assert prefix.look(s, 0, 2)[0] == 32
        affinity.forget(s, 0, 21.0, False)  # this iteration is not over for who asks
        assert prefix.look(s, 0, 2)[0] == 32
        before = s.replicas[0]["blocks"]
        affinity.forget(s, 0, 21.0, True)
        assert prefix.look(s, 0, 2)[0] == 16
        assert (s.replicas[0]["blocks"], s.replicas[0]["idle_blocks"]) == (before, 1)


HERD = replace(SLOTS, replicas=3, router="least_outstanding", refresh_s=1.0, counts_own=False)


class TestStaleLoads:
    def test_all_go_to_the_same_until_it_looks_again(self) -> None:
        # loads as of 0: none; as of 1: 3, 0, 0; as of 2: 3, 2, 0. What comes at 1 and 2 is not in those
        assert arriving(HERD, [0.1, 0.2, 0.3, 1.0, 1.5, 2.0, 2.9]) == [0, 0, 0, 1, 1, 2, 2]

    def test_a_long_silence_changes_nothing(self) -> None:
        assert arriving(HERD, [0.1, 7.2, 7.3, 9.0]) == [0, 1, 1, 2]

    def test_its_own_requests_count_at_once(self) -> None:
        spec = replace(HERD, counts_own=True)
        # as of 1: 2, 1, 1, so its next ones go to 1, 2, and then the lowest of three with 2
        assert arriving(spec, [0.1, 0.2, 0.3, 0.4, 1.0, 1.1, 1.2]) == [0, 1, 2, 0, 1, 2, 0]

    def test_ends_are_seen_at_the_next_look_only(self) -> None:
        jobs = [Job(0.25, service_s=0.25), Job(0.75, service_s=0.25), Job(0.875), Job(1.25), Job(2.0)]
        s = runs.run([replace(HERD, counts_own=True)], runs.table(jobs))
        # the first has ended, the second ends at 1: as of 0, with its own, they are 1, 1, 0; as of 1, 0, 1, 1; at 2, 0
        assert s.requests["replica"].tolist() == [0, 1, 2, 0, 0]

    def test_tokens_are_counted_in_tokens(self) -> None:
        jobs = [Job(at, prompt=prompt, service_s=60.0) for at, prompt in ((0.1, 5), (0.2, 2), (0.3, 2), (0.4, 1))]
        s = runs.run([replace(HERD, replicas=2, router="least_tokens", counts_own=True)], runs.table(jobs))
        assert s.requests["replica"].tolist() == [0, 1, 1, 1]

    def test_two_by_lot_are_compared_as_they_were(self) -> None:
        # a ticket of 0.1 draws the first and the second of three
        assert arriving(replace(HERD, router="power_of_two"), [0.1, 0.2, 1.1, 1.2]) == [0, 0, 1, 1]

    def test_a_replica_that_opens_is_seen_with_nothing(self) -> None:
        s = opened([replace(HERD, replicas=2)], [Job(at, service_s=60.0) for at in (0.1, 1.1, 1.3, 1.4)])
        lives.close_replica(s, 1, 0.0, "retry")
        transitions.arrive(s, 0, 0.1)
        transitions.arrive(s, 1, 1.1)
        lives.open_replica(s, 1, 1.2)
        transitions.arrive(s, 2, 1.3)
        transitions.arrive(s, 3, 1.4)
        assert s.requests["replica"].tolist() == [0, 0, 1, 1]

    def test_sessions_keep_within_the_bound_of_what_is_seen(self) -> None:
        s = opened([replace(SLOTS, refresh_s=1.0)], [Job(0.0), Job(2.0)], remembered=True)
        s.requests[0]["replica"], s.requests[0]["finish_s"] = 2, 1.0
        s.calls[1]["before"] = 0
        s.replicas["load"], s.replicas["seen"], s.replicas["period"] = [0, 0, 3, 0], [0, 0, 2, 0], 2
        assert routing.choose(s, 0, 1, 4, 2.5) == 2
        assert routing.choose(s, 0, 1, 4, 3.0) == 0


class TestSpill:
    SMALL = PoolSpec(batching=False, replicas=1, seats=1, spill_to=1, spill_above=1.0)
    BIG = PoolSpec(batching=False, replicas=1, seats=1)

    def pools(self, specs: list[PoolSpec], count: int) -> State:
        return runs.run(specs, runs.table([Job(0.1 * i, service_s=60.0) for i in range(count)]))

    def test_more_waiting_than_allowed_goes_to_the_next_pool(self) -> None:
        # one runs, two wait: the fourth finds 2 waiting, more than one a replica
        s = self.pools([self.SMALL, self.BIG], 5)
        assert s.requests["pool"].tolist() == [0, 0, 0, 1, 1]
        assert s.requests["replica"].tolist() == [0, 0, 0, 1, 1]

    def test_along_a_chain_to_its_end(self) -> None:
        chain = [replace(self.SMALL, spill_above=0.0), replace(self.SMALL, spill_to=2, spill_above=0.0), self.BIG]
        assert self.pools(chain, 6).requests["pool"].tolist() == [0, 0, 1, 1, 2, 2]

    @pytest.mark.parametrize("central", [False, True])
    def test_what_would_be_rejected_goes_on_and_the_last_pool_rejects(self, central: bool) -> None:
        first = replace(self.SMALL, spill_above=math.inf, max_waiting=1, central=central)
        s = self.pools([first, replace(self.BIG, max_waiting=0)], 4)
        assert s.requests["pool"].tolist() == [0, 0, 1, 1]
        assert [OUTCOMES[code] for code in s.requests["outcome"]] == ["completed"] * 3 + ["rejected"]

    def test_asking_does_not_move_a_rota(self) -> None:
        spec = replace(self.SMALL, replicas=2, router="round_robin", max_waiting=0, spill_above=math.inf)
        s = self.pools([spec, self.BIG], 4)
        assert s.requests["replica"].tolist() == [0, 1, 2, 2]
        assert s.pools[0]["cursor"] == 2

    def test_no_ready_replica(self) -> None:
        s = opened([self.SMALL, self.BIG], [Job(1.0)])
        lives.close_replica(s, 0, 0.5, "retry")
        transitions.arrive(s, 0, 1.0)
        assert (s.requests[0]["pool"], s.requests[0]["replica"]) == (1, 1)

    def test_who_came_before_stays(self) -> None:
        s = opened([self.SMALL, self.BIG], [Job(0.0, service_s=60.0), Job(0.1)])
        for r in range(2):
            transitions.arrive(s, r, 0.1 * r)
        lives.close_replica(s, 0, 0.5, "retry")
        assert s.requests["pool"].tolist() == [0, 0]
        assert np.all(s.requests["replica"] == NONE)

    def test_what_would_be_shed_goes_on(self) -> None:
        first = replace(self.SMALL, spill_above=math.inf, shed="load", class_limits=(ClassLimit(shed_at=1.0),))
        assert self.pools([first, self.BIG], 4).requests["pool"].tolist() == [0, 0, 1, 1]
