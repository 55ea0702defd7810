"""What control does to the naive model: replicas open, drain and close at given times.

At one instant control comes after completions, and before KV caches that arrive and requests that do. First it looks
for drained replicas, if it has been told of something; then comes what is planned.

- Opened, a replica takes requests: first those that wait in the line of its pool, in order.
- A draining replica takes no more. With `redirect`, who waits there and has never been in its batch is routed again, in
  order (a KV cache that waits to be decoded, too); who was preempted stays. In a central pool they go to its head.
  Its turn passes to others: who waits at the head of a central queue is offered to the next.
- Closed, it loses its batch in order of admission, then its queue, then the KV caches still on its link as they would
  have arrived. Each fails now, or (`retry`) begins again from nothing at the pool that its stream goes to: at the head
  of a central queue, else routed as it would be on arrival. What was computed, caches of prompts too, is forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sim.model.specs import PoolSpec
from tests.oracle.parts import Job, Machine, Past
from tests.oracle.routing import Routing


@dataclass(frozen=True)
class Step:
    """One act of control. What does not apply (a replica that is closed is to drain) is passed over."""

    at_s: float
    verb: Literal["open", "drain", "close"]
    row: int
    flag: bool = True
    """drain: redirect; close: retry."""
    resume: bool = False
    """close: what is retried goes on from where it was."""
    make: int = 0
    """open: which make, 0 being the pool's own."""

    @property
    def lost(self) -> Literal["retry", "resume", "fail"]:
        """close: what becomes of the requests there."""
        if not self.flag:
            return "fail"
        return "resume" if self.resume else "retry"


class Control(Routing):
    """Rows of replicas that are used again and again."""

    def __init__(self, specs: list[PoolSpec]) -> None:
        super().__init__(specs)
        self.pool_of_row = [pool for pool, spec in enumerate(specs) for _ in range(spec.replicas)]
        self.machines: list[Machine | None] = [None for _ in self.pool_of_row]
        self.past = [Past() for _ in self.pool_of_row]
        self.on_links: list[tuple[float, int, Job, Machine]] = []
        self.notices: list[float] = []
        """When control was told of something."""

    def act(self, step: Step) -> None:
        machine = self.machines[step.row]
        if step.verb == "open" and machine is None:
            self.open(step.row, step.make, step.at_s)
        elif step.verb == "drain" and machine is not None and machine.ready:
            self.drain(machine, step.flag, step.at_s)
        elif step.verb == "close" and machine is not None:
            self.close(machine, step.flag, step.at_s, step.resume)

    def drained(self) -> list[Machine]:
        """Replicas on their way out that have nothing left to do."""
        return [m for m in self.machines if m is not None and not m.ready and m.empty()]

    def open(self, row: int, make: int, now_s: float) -> None:
        pool = self.pool_of_row[row]
        home = self.specs[pool]
        made = replace(
            home if make == 0 else home.makes[make - 1],
            batching=home.batching,
            central=home.central,
            router=home.router,
            max_waiting=home.max_waiting,
            next_pool=home.next_pool,
            cancels=home.cancels,
            link_shared=home.link_shared,
            link_s_per_token=home.link_s_per_token,
            link_latency_s=home.link_latency_s,
        )
        machine = Machine(row, pool, made, since_s=now_s, idle_since_s=now_s)
        self.machines[row] = machine
        self.past[row].lives += 1
        self.ready[pool].append(machine)
        if home.central and home.batching:
            self.dispatch(machine, pool, now_s)
            self.plan(machine, now_s)
            self.dispatch(None, pool, now_s)
        elif home.central:
            self.dispatch(None, pool, now_s)
        else:
            line, self.central[pool] = self.central[pool], []
            for job in line:
                self.join(self.route(self.ready[pool], job, pool), job, now_s)

    def drain(self, machine: Machine, redirect: bool, now_s: float) -> None:
        machine.ready = False
        self.ready[machine.pool].remove(machine)
        if redirect:
            go = [job for job in machine.waiting if not job.been_in]
            machine.waiting = [job for job in machine.waiting if job.been_in]
            for job in go:
                job.replica = -1
                self.goes(machine.pool, now_s)
            self.again(go, now_s)
        self.next_in_turn(machine, now_s)

    def next_in_turn(self, machine: Machine, now_s: float) -> None:
        """The head of a central queue may have been kept for a replica that takes no more."""
        if machine.spec.central:
            self.dispatch(None, machine.pool, now_s)

    def close(self, machine: Machine, retry: bool, now_s: float, resume: bool = False) -> None:
        if machine.ready:
            self.ready[machine.pool].remove(machine)
        machine.account(now_s)
        self.past[machine.row].close(machine, now_s)
        self.machines[machine.row] = None
        here = machine.batch + machine.waiting
        sent = [entry[2] for entry in sorted(self.on_links) if entry[3] is machine]
        self.on_links = [entry for entry in self.on_links if entry[3] is not machine]
        for _ in here:
            self.goes(machine.pool, now_s)
        for job in here + sent:
            if job.given_up:
                job.left_s = now_s
        here, sent = ([job for job in jobs if not job.given_up] for jobs in (here, sent))
        for job in here + sent:
            job.lost += 1
            job.replica = -1
            job.answering |= job.first_token_s <= now_s
            if retry and resume:
                job.go_on(now_s)
            elif retry:
                job.start_over()
                if self.clients_act:
                    job.service_s = job.drawn[0]
                if not job.answering:
                    job.token_s = math.nan
            else:
                job.finish_s = now_s
                if job.first_token_s > now_s:
                    job.first_token_s = math.nan  # its client has not seen it
                self.ended(job, "failed")
            job.ends_s = math.inf
        if retry:
            self.again(here + sent, now_s)
        self.next_in_turn(machine, now_s)

    def again(self, jobs: Sequence[Job], now_s: float) -> None:
        """Requests come once more to the pools that they were in before, in their order."""
        heads: dict[int, list[Job]] = {}
        for job in jobs:
            pool = self.pool_of(job)
            if self.specs[pool].central:
                heads.setdefault(pool, []).append(job)
            else:
                self.arrive(job, now_s, new=False)
        for pool, head in heads.items():
            for job in head:
                self.comes(job, pool, now_s, new=False)
            self.to_the_head(pool, head, now_s)

    def to_the_head(self, pool: int, jobs: list[Job], now_s: float) -> None:
        """They wait before all others of their pool's own queue, in their order."""
        self.central[pool][:0] = jobs
        self.dispatch(None, pool, now_s)
