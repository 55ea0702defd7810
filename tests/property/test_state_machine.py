"""A fleet that Hypothesis does what it likes to: after every step what is there must add up.

Requests are sent, time goes on, replicas are killed, come back, are added and drained, clients give up, prices change.
`make validate` takes many more steps, of other kinds each time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sim.model import leaving, lives, loop, outcomes, state, tournament
from sim.model import timers as timers_of
from sim.model.specs import PoolSpec, SenderSpec
from sim.model.tables import ABANDONED, COMPLETED, NONE, REJECTED, UNFINISHED, State
from tests import runs
from tests.oracle import Job

ROWS = 4
MOST = 60
"""Requests that can be sent."""
ENDED = (COMPLETED, REJECTED, ABANDONED)


class Fleet(RuleBasedStateMachine):
    """One pool of up to four replicas."""

    s: State

    @initialize(batching=st.booleans(), central=st.booleans(), seats=st.integers(1, 4), room=st.integers(0, 8))
    def begin(self, batching: bool, central: bool, seats: int, room: int) -> None:
        spec = PoolSpec(
            batching=batching,
            replicas=ROWS,
            seats=seats,
            central=central,
            max_waiting=room + 2,
            max_batched_tokens=64,
            kv_capacity_tokens=160,
            base_s=1 / 16,
            decode_s_per_seq=1 / 64,
            prefill_s_per_token=1 / 1024,
            cancels=True,
        )
        jobs = [Job(math.inf, prompt=16, output=8, service_s=1.0) for _ in range(MOST)]
        rows = runs.table(jobs)
        self.s = state.build([spec], rows, [SenderSpec(attempts=1)], calls=runs.call_table(jobs, rows))
        self.s.run[0]["arrivals"] = 0
        self.wakes = tournament.build(ROWS)
        self.now_s = 0.0
        self.sent = 0
        self.price = 1.0
        self.usd, self.told_usd = 0.0, 0.0
        """Of the replicas' time: as this machine saw it, and as the tables tell it."""
        self.ready_s, self.paid_s, self.told_s = 0.0, 0.0, 0.0

    # -- what can happen ---------------------------------------------------------------------------------------------

    @rule(gap=st.integers(0, 16), prompt=st.integers(1, 60), output=st.integers(1, 60), quarters=st.integers(0, 12))
    @precondition(lambda self: self.sent < MOST)
    def submit(self, gap: int, prompt: int, output: int, quarters: int) -> None:
        """Somebody asks."""
        self.advance(gap)
        row = self.s.requests[self.sent]
        row["arrival_s"], row["prompt_tokens"], row["output_tokens"] = self.now_s, prompt, output
        row["service_s"] = row["first_service_s"] = quarters / 4
        call = self.s.calls[self.sent]
        call["service_s"] = call["first_service_s"] = quarters / 4
        self.sent += 1
        self.s.run[0]["arrivals"] = self.sent
        self._go(np.nextafter(self.now_s, math.inf))

    @rule(sixteenths=st.integers(1, 64))
    def advance(self, sixteenths: int) -> None:
        """Time goes on."""
        self._go(self.now_s + sixteenths / 16)

    @rule(row=st.integers(0, ROWS - 1), lost=st.sampled_from(["retry", "resume", "fail"]))
    def kill(self, row: int, lost: Any) -> None:
        if self.s.replicas[row]["serving"] == 1:
            lives.close_replica(self.s, row, self.now_s, lost)
            self._told()

    @rule(row=st.integers(0, ROWS - 1))
    def recover(self, row: int) -> None:
        if self.s.replicas[row]["serving"] == 0:
            lives.open_replica(self.s, row, self.now_s)
            self._told()

    @rule(count=st.integers(0, ROWS), redirect=st.booleans())
    def scale(self, count: int, redirect: bool) -> None:
        """So many replicas take requests from now on."""
        for row in range(ROWS):
            replica = self.s.replicas[row]
            if row < count:
                self.recover(row)
            elif replica["ready"] == 1 and lives.drain_replica(self.s, row, self.now_s, redirect):
                lives.close_replica(self.s, row, self.now_s, "retry")
        self._told()

    @rule(which=st.integers(0, MOST - 1))
    def cancel(self, which: int) -> None:
        """A client has had enough."""
        if which < self.sent and self.s.requests[which]["outcome"] == UNFINISHED:
            outcomes.give_up(self.s, which, ABANDONED, self.now_s)
            leaving.withdraw(self.s, which, self.now_s)
            self._told()

    @rule(price=st.floats(0, 10, width=16))
    def change_price(self, price: float) -> None:
        self._pay()
        self.price = price

    # -- how time goes on --------------------------------------------------------------------------------------------

    def _go(self, until_s: float) -> None:
        run = self.s.run[0]
        while True:
            done = loop.run_until(self.s, self.wakes, until_s, 10**6)
            to_s = float(run["noticed_s"]) if run["noticed"] else until_s if done else self.now_s
            self.ready_s += float(self.s.replicas["serving"].sum()) * (to_s - self.now_s)
            self.now_s = to_s
            if run["noticed"]:
                self._told()
            elif done:
                return
            else:
                state.grow(self.s, len(self.s.requests) + 8)

    def _told(self) -> None:
        """Replicas that were to go and have nothing left do go; the loop sees their new times."""
        self.s.run[0]["noticed"] = 0
        for row in runs.drained(self.s):
            lives.close_replica(self.s, row, self.now_s, "retry")

    def _pay(self) -> None:
        replicas = self.s.replicas
        here_s = np.where(replicas["serving"] == 1, self.now_s - replicas["ready_s"], 0.0)
        there_s = float((replicas["past_ready_s"] + here_s).sum())
        self.usd += (self.ready_s - self.paid_s) * self.price
        self.told_usd += (there_s - self.told_s) * self.price
        self.paid_s, self.told_s = self.ready_s, there_s

    # -- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def every_request_is_somewhere_once(self) -> None:
        """I2."""
        if not hasattr(self, "s"):
            return
        rows, run = self.s.requests[: self.sent], self.s.run[0]
        ended = int((rows["outcome"] != UNFINISHED).sum())
        assert run["next_arrival"] == self.sent, "sent, and not arrived"
        assert run["finished"] == ended
        assert run["in_system"] == self.sent - ended
        assert run["timers"] >= 0
        assert timers_of.next_s(self.s) == math.inf or run["timers"] > 0

    @invariant()
    def nothing_is_over_full(self) -> None:
        """I8: seats, memory and lines."""
        if not hasattr(self, "s"):
            return
        pool, replicas = self.s.pools[0], self.s.replicas
        assert (replicas["seated"] <= pool["seats"]).all()
        assert (replicas["seated"] >= 0).all()
        assert (replicas["running"] <= replicas["seated"]).all()
        assert (replicas["blocks"] >= 0).all()
        assert (replicas["ready"] <= replicas["serving"]).all()
        assert (replicas["outstanding"][replicas["serving"] == 0] == 0).all(), "a replica that is gone has work"
        assert (self.s.queues["length"] >= 0).all()
        assert pool["ready"] == replicas["ready"].sum()

    @invariant()
    def times_are_in_order(self) -> None:
        """I9."""
        if not hasattr(self, "s"):
            return
        rows = self.s.requests[: self.sent]
        done = rows[rows["outcome"] == COMPLETED]
        assert (done["arrival_s"] <= done["start_s"]).all()
        assert (done["start_s"] <= done["first_token_s"]).all()
        assert (done["first_token_s"] <= done["finish_s"]).all()
        assert (done["finish_s"] <= self.now_s).all()
        assert (self.s.replicas["wake_s"] >= self.now_s).all(), "something should have happened"

    @invariant()
    def nobody_waits_beside_a_free_place(self) -> None:
        """I11: of slots behind one line."""
        if not hasattr(self, "s") or self.s.pools[0]["batching"] == 1 or self.s.pools[0]["central"] == 0:
            return
        replicas = self.s.replicas
        free = (replicas["ready"] == 1) & (replicas["seated"] < self.s.pools[0]["seats"])
        assert not free.any() or self.s.queues[0]["length"] == 0

    @invariant()
    def who_is_served_is_at_a_replica(self) -> None:
        if not hasattr(self, "s"):
            return
        rows = self.s.requests[: self.sent]
        inside = rows[(rows["outcome"] == UNFINISHED) & (rows["replica"] != NONE)]
        assert (self.s.replicas["serving"][inside["replica"]] == 1).all()
        # who has given up may be in a batch up to its next boundary, too
        assert self.s.replicas["outstanding"].sum() >= len(inside)

    def teardown(self) -> None:
        """Everybody is served once all replicas are there for good; the bill is that of the time they were there."""
        if not hasattr(self, "s"):
            return
        self.scale(ROWS, True)
        self._go(self.now_s + 10_000)
        rows = self.s.requests[: self.sent]
        assert (rows["outcome"] != UNFINISHED).all(), "not everybody is served in the end"
        self._pay()
        assert self.usd == pytest.approx(self.told_usd, rel=1e-9, abs=1e-9)


TestFleet = Fleet.TestCase
TestFleet.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


class Longer(Fleet):
    """The same, many more of them."""


TestLonger = pytest.mark.slow(Longer.TestCase)
TestLonger.settings = settings(max_examples=1500, stateful_step_count=60, deadline=None, derandomize=False)
