"""The naive model's loop: whatever is next happens, one thing at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.model.specs import PoolSpec, SenderSpec
from tests.oracle.clients import CACHE, Clients
from tests.oracle.control import Step
from tests.oracle.parts import Job, Machine


class Naive(Clients):
    """The fleet, run by `run()`; then the jobs hold their times, further attempts behind those that were given."""

    def __init__(
        self,
        specs: list[PoolSpec],
        jobs: list[Job],
        most_in_flight: list[int | None] | None = None,
        senders: Sequence[SenderSpec] | None = None,
        horizon_s: float = math.inf,
    ) -> None:
        plain = [SenderSpec(max_in_flight=most) for most in most_in_flight or [None]]
        super().__init__(specs, jobs, senders or plain, horizon_s)
        self.clients_act = senders is not None
        self.links_free_s = [0.0 for _ in specs]
        """When the link that a whole pool shares has sent all that is on it."""
        self.close_together = False

    def run(self, schedule: Sequence[Step] | None = None, lets_go: bool = True) -> None:
        """To the end; without a schedule, every replica is ready from 0 on. `lets_go`: drained replicas are closed."""
        if schedule is None:
            schedule = [Step(0.0, "open", row) for row in range(len(self.machines))]
        pending = sorted((job for job in self.jobs if job.arrival_s < math.inf), key=lambda job: job.arrival_s)
        steps = list(schedule)
        look_s = math.inf
        while True:
            machine = min((m for m in self.machines if m), key=lambda m: (m.next_s(), m.row), default=None)
            ends_s = math.inf if machine is None else machine.next_s()
            step_s = steps[0].at_s if steps else math.inf
            timer_s, row, what = self.next_timer()
            arrival_s = pending[0].arrival_s if pending else math.inf
            now_s = self.now_s = min(ends_s, look_s, step_s, timer_s, arrival_s)
            if now_s == math.inf:
                break
            self.look_for_ties([step_s, arrival_s, timer_s, *(m.next_s() for m in self.machines if m)])
            if machine is not None and now_s == ends_s:
                self.complete(machine, now_s)
            elif now_s == look_s:
                look_s = math.inf
                for gone in self.drained() if lets_go else ():
                    self.close(gone, True, now_s)
            elif now_s == step_s:
                self.act(steps.pop(0))
            elif now_s == timer_s and what == CACHE:
                self.deliver()
            elif now_s == timer_s:
                self.happens(self.jobs[row], what, now_s)
            else:
                self.sends(pending.pop(0), now_s)
            self.release(now_s)
            if self.noted:
                self.noted = False
                self.notices.append(now_s)
                look_s = now_s
        for row, open_still in enumerate(self.machines):
            if open_still is not None:
                self.past[row].add(open_still)

    def look_for_ties(self, times_s: list[float]) -> None:
        """Whether two things happen so close together that rounding decides which goes first."""
        first, second = sorted(times_s)[:2]
        self.close_together |= second < math.inf and second - first <= 1e-9 * second

    def next_timer(self) -> tuple[float, int, int]:
        """What is due next for a single job: when, its row, what."""
        on_link = [(at_s, row, CACHE) for at_s, row, _, _ in self.on_links]
        return min(*on_link, *map(self.due, self.open_jobs), (math.inf, -1, CACHE), (math.inf, -1, CACHE))

    def complete(self, machine: Machine, now_s: float) -> None:
        pool, central = machine.pool, machine.spec.central
        if machine.spec.batching:
            self.end_iteration(machine, now_s)
            self.look_around(now_s, machine)
            if central:
                self.dispatch(machine, pool, now_s)
            self.plan(machine, now_s)
            if central:  # who was admitted shares blocks with others, so there may be room for one more
                self.dispatch(None, pool, now_s)
        else:
            self.end_services(machine, now_s)
            self.look_around(now_s, machine)
            self.fill(machine, self.central[pool] if central and machine.ready else [], now_s)
        self.noted |= not machine.ready and machine.empty()

    def send(self, job: Job, machine: Machine, now_s: float) -> None:
        """Its prefill is done: its KV cache goes to the other pool, after those before it."""
        spec = machine.spec
        machine.batch.remove(job)
        machine.sending.append(job)
        self.goes(machine.pool, now_s)
        job.sent = True
        job.recompute = 1
        free_s = self.links_free_s[machine.pool] if spec.link_shared else machine.link_free_s
        through_s = max(now_s, free_s) + spec.link_s_per_token * job.prompt
        if spec.link_shared:
            self.links_free_s[machine.pool] = through_s
        else:
            machine.link_free_s = through_s
        self.on_links.append((through_s + spec.link_latency_s, job.row, job, machine))

    def deliver(self) -> None:
        """The next KV cache is through."""
        first = min(self.on_links)
        self.on_links.remove(first)
        now_s, _, job, machine = first
        if machine.ends_s == math.inf:
            machine.account(now_s)
        before = machine.kv()
        machine.sending.remove(job)
        machine.leaves(job, job.prompt)
        if machine.ends_s < math.inf:
            machine.kv_s -= (before - machine.kv()) * (machine.ends_s - now_s)
        job.arrived = True
        if machine.waiting and machine.ends_s == math.inf:
            self.plan(machine, now_s)
        if machine.spec.central:
            self.dispatch(None, machine.pool, now_s)
        self.noted |= not machine.ready and machine.empty()
        if job.outcome == "unfinished":
            self.arrive(job, now_s)
        else:  # its client has gone meanwhile
            job.left_s = now_s
