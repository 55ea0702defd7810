"""Routers of the naive model that remember or see old loads, and pools that spill over.

A router with old loads reads them all at 0, `refresh_s`, twice that and so on, before anything else of that instant;
what opens later is seen with nothing. It adds what it has sent since, if it counts that. A session is where its last
request had come to, answered or not.
"""

from __future__ import annotations

import math

from tests.oracle.clients import first_of
from tests.oracle.doors import Doors
from tests.oracle.lines import Line, held
from tests.oracle.ordered import NO_ROOM
from tests.oracle.parts import Job, Machine, blocks


class Remembering(Doors):
    """The whole fleet."""

    def begin(self) -> None:
        super().begin()
        self.looks_done = [-1 for _ in self.specs]
        self.read: dict[Machine, int] = {}
        self.sent_since: dict[Machine, int] = {}
        self.drawn_pools = [job.pool for job in self.jobs]
        self.been_at: dict[Job, Machine] = {}
        self.follows: dict[Job, Job] = {}
        self.ending: Job | None = None

    # -- old loads --------------------------------------------------------------------------------------------------

    def look_for_ties(self, times_s: list[float]) -> None:
        """Also what routers read before anything happens."""
        super().look_for_ties(times_s)
        for pool, spec in enumerate(self.specs):
            if spec.refresh_s > 0 and int(self.now_s / spec.refresh_s) > self.looks_done[pool]:
                self.looks_done[pool] = int(self.now_s / spec.refresh_s)
                for machine in self.ready[pool]:
                    self.read[machine] = self.load(machine)
                    self.sent_since[machine] = 0

    def load(self, machine: Machine) -> int:
        """What its router ranks it by."""
        router = self.specs[machine.pool].router
        if router == "least_tokens":
            return sum(job.prompt for job in machine.batch + machine.waiting)
        if router == "least_kv":
            return machine.noted_blocks + held(machine.waiting, machine.spec.block_tokens)
        return machine.outstanding()

    def seen_load(self, machine: Machine) -> int:
        """The same, as its router knows it."""
        if self.specs[machine.pool].refresh_s == 0:
            return self.load(machine)
        return self.read.get(machine, 0) + self.sent_since.get(machine, 0)

    def join(self, machine: Machine, job: Job, now_s: float, plan: bool = True) -> None:
        spec = self.specs[machine.pool]
        self.been_at[job] = machine
        if spec.counts_own:
            amount = {"least_tokens": job.prompt, "least_kv": blocks(job.prompt + job.recompute, spec.block_tokens)}
            self.sent_since[machine] = self.sent_since.get(machine, 0) + amount.get(spec.router, 1)
        super().join(machine, job, now_s, plan)

    def serve(self, machine: Machine, job: Job, now_s: float) -> None:
        self.been_at[job] = machine
        super().serve(machine, job, now_s)

    # -- routers ----------------------------------------------------------------------------------------------------

    def route(self, pool: list[Machine], job: Job, row: int) -> Machine:
        spec = self.specs[row]
        if spec.router in ("round_robin", "random"):
            return super().route(pool, job, row)
        if spec.router == "power_of_two":
            return self.by_lot(pool, job)
        choices = pool
        mean = spec.load_bound * sum(map(self.seen_load, pool)) / len(pool)
        within = [machine for machine in pool if self.seen_load(machine) <= math.ceil(mean) + 1]
        before = self.follows.get(first_of(job))
        if spec.router == "session_affinity" and before is not None and self.been_at.get(before) in within:
            return self.been_at[before]
        if spec.router == "prefix_aware" and job.prefix and not job.sent:
            most = max(machine.known(job)[0] for machine in within)
            choices = [machine for machine in within if machine.known(job)[0] == most]
        return min(choices, key=lambda machine: (self.seen_load(machine), machine.row))

    def by_lot(self, pool: list[Machine], job: Job) -> Machine:
        one = int(job.ticket * len(pool))
        others = [machine for machine in pool if machine is not pool[one]]
        if not others:
            return pool[one]
        other = others[int((job.ticket * len(pool) - one) * len(others))]
        return other if self.seen_load(other) < self.seen_load(pool[one]) else pool[one]

    def too_late(self, line: Line, job: Job, now_s: float) -> bool:
        if super().too_late(line, job, now_s):
            self.been_at.pop(job, None)
            return True
        return False

    def ended(self, job: Job, outcome: str) -> None:
        self.ending = job
        super().ended(job, outcome)

    def over(self, first: Job, over_s: float, answered: bool) -> None:
        if answered or self.senders[first.stream].persists:
            assert self.ending is not None
            self.follows.update(dict.fromkeys(first.then, self.ending))
        super().over(first, over_s, answered)

    # -- spill-over -------------------------------------------------------------------------------------------------

    def another(self, job: Job, attempt: int, copy: int = 0) -> Job:
        new = super().another(job, attempt, copy)
        new.pool = self.drawn_pools[first_of(job).row]
        return new

    def arrive(self, job: Job, now_s: float, new: bool = True) -> None:
        if new and not job.sent:
            while (to := self.specs[job.pool].spill_to) is not None and self.too_full(job, now_s):
                job.pool = to
        super().arrive(job, now_s, new)

    def too_full(self, job: Job, now_s: float) -> bool:
        """Whether its pool passes it on."""
        pool = job.pool
        ready, cursor = self.ready[pool], self.cursor[pool]
        if not ready:
            return True
        waiting = len(self.places[pool]) + sum(len(machine.waiting) for machine in ready)
        if waiting > self.specs[pool].spill_above * len(ready) or self.sheds(job, pool):
            return True
        rejected = self.choice(job, pool, now_s) == NO_ROOM
        self.cursor[pool] = cursor
        return rejected
