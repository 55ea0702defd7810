"""Batches of the naive model whose places change hands by level.

When memory runs out, the lowest level gives way, of these the last that came in. At a boundary of a preemptive queue,
before anybody is given tokens: as long as the first in line outranks somebody in the batch, and the next iteration has
tokens left (without chunks: for its whole prompt), it is let in; if it does not fit, whom it outranks gives way. Who is
let in so is new: where iterations are scheduled ahead, it joins the one after. There all others that fit are let in at
once if they stand in one line, else no more than the iteration after has tokens for.
"""

from __future__ import annotations

import math

from tests.oracle.ordered import Ordered
from tests.oracle.parts import Job, Machine, blocks
from tests.oracle.serving import admitting

TURNED_AWAY = "turned away"


class Batches(Ordered):
    """How a batching replica plans its next iteration."""

    def plan(self, machine: Machine, now_s: float) -> None:
        spec, size = machine.spec, machine.spec.block_tokens
        if machine.ends_s == math.inf:
            machine.kv_s += machine.kv() * (now_s - machine.idle_since_s)
        changed, machine.changed = machine.changed, False
        while machine.blocks(size) > spec.kv_capacity_tokens // size:
            ranks = [self.places[machine.pool].rank(job) for job in machine.batch]
            lowest = max(ranks) if spec.order == "priority" else 0
            self.puts_back(machine, [job for job, rank in zip(machine.batch, ranks, strict=True) if rank >= lowest][-1])
        machine.forget()
        ahead = spec.lookahead == 1 and len(machine.batch) > 0
        new = self.displace(machine, now_s) if spec.preemptive else []
        machine.decoding = [job for job in machine.batch if not job.prefilling]
        given = (
            self.gives(machine, [job for job in machine.batch if job.prefilling and job not in new]) if ahead else None
        )
        home = self.specs[machine.pool]
        ordered = home.order != "fcfs" or home.fair_tenants
        while (ahead and not ordered) or self.tokens_left(machine) > 0:
            room = self.tokens_left(machine) if ordered or not ahead else spec.max_batched_tokens
            if self.lets_in(machine, room, now_s) is None:
                break
        given = given or self.gives(machine, [job for job in machine.batch if job.prefilling])
        self.iterate(machine, given, now_s)
        if changed or machine.changed:
            machine.noted_blocks = machine.blocks(size)
        machine.changed = False

    def puts_back(self, machine: Machine, job: Job) -> None:
        """It loses its place, and what was computed for it."""
        machine.batch.remove(job)
        machine.leaves(job, job.prompt + job.recompute - job.left if job.prefilling else job.prompt)
        job.prefilling = False
        job.recompute = job.made
        machine.changed = True
        if job.given_up:
            self.for_nothing(job, machine, self.now_s)
            return
        self.own(machine).come_back(job)
        machine.preemptions += 1

    def tokens_left(self, machine: Machine) -> int:
        """Of the next iteration, beside what its batch takes."""
        spec = machine.spec
        decoding = [job for job in machine.batch if not job.prefilling]
        planned = sum(max(job.left, 1) for job in machine.batch if job.prefilling)
        return spec.max_batched_tokens - len(decoding) * (1 + spec.drafted) - planned

    def displace(self, machine: Machine, now_s: float) -> list[Job]:
        """Who outranks others gets their places. Returns those let in, as far as they are still there."""
        new: list[Job] = []
        while machine.waiting:
            job = self.own(machine).first()
            other = self.outranked(machine, job, now_s)
            tokens = self.tokens_left(machine)
            if other is None or tokens <= 0 or (not machine.spec.chunked and job.prompt + job.recompute > tokens):
                break
            let_in = self.lets_in(machine, tokens, now_s)
            if let_in is None:
                self.puts_back(machine, other)
            elif isinstance(let_in, Job):
                new.append(let_in)
        return [job for job in new if job in machine.batch]

    def lets_in(self, machine: Machine, room: int, now_s: float) -> Job | str | None:
        """The first in line joins the batch, or is TURNED_AWAY; None: nobody waits, or it does not fit."""
        spec, size = machine.spec, machine.spec.block_tokens
        if not machine.waiting or len(machine.batch) >= spec.seats:
            return None
        job = self.own(machine).first()
        tokens = job.prompt + job.recompute
        cached, sizes = 0 if job.prefix else job.cached, []
        if job.prefix and not job.sent:
            cached, _, sizes = machine.known(job)
            cached = min(cached, tokens - 1)
        left = 0 if job.arrived else tokens - cached
        need = blocks(tokens, size) - sum(blocks(shared, size) for shared in sizes)
        if machine.blocks(size) + need > admitting(spec) or (not spec.chunked and left > room):
            return None
        if self.too_late(self.own(machine), job, now_s):
            return TURNED_AWAY
        self.own(machine).take(job)
        self.admitted(machine, job, left, cached, now_s)
        machine.changed = True
        self.takes_seat(job, machine.pool, now_s)
        return job

    def takes_seat(self, job: Job, pool: int, now_s: float) -> None:
        """It is served from now on, or once more."""
