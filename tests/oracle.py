"""A naive model of the same fleet, for comparison: plain Python, one iteration at a time, every batch scanned whole.

Written from the semantics (README of the model: docs/architecture.md), not from the transitions: lists instead of
tables, `min` over everything instead of heaps and tournaments, no jump over identical iterations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sim.model.state import PoolSpec


@dataclass(eq=False)
class Job:
    """One request, with what has become of it."""

    arrival_s: float
    prompt: int = 0
    output: int = 1
    service_s: float = 0.0
    ticket: float = 0.0
    pool: int = 0
    start_s: float = math.nan
    first_token_s: float = math.nan
    finish_s: float = math.nan
    rejected: bool = False
    replica: int = -1
    made: int = 0  # output tokens so far
    recompute: int = 0  # output tokens that the next prefill recomputes
    left: int = 0  # prefill tokens still to do
    prefilling: bool = False

    @property
    def context(self) -> int:
        """KV tokens it holds: all of its prefill while that lasts, then everything before the token being made."""
        return self.prompt + (self.recompute if self.prefilling else self.made)


@dataclass(eq=False)
class Machine:
    row: int
    pool: int
    batch: list[Job] = field(default_factory=list)  # in order of admission
    waiting: list[Job] = field(default_factory=list)
    ends_s: float = math.inf  # of the iteration under way
    decoding: list[Job] = field(default_factory=list)
    changed: bool = False  # somebody joined or left since the last plan
    noted_kv: int = 0  # when the batch last changed
    busy_s: float = 0.0
    running_s: float = 0.0
    kv_s: float = 0.0
    preemptions: int = 0

    def kv(self) -> int:
        return sum(job.context for job in self.batch)

    def outstanding(self) -> int:
        return len(self.batch) + len(self.waiting)


class Naive:
    """The fleet, run by `run()`; afterwards the jobs hold their times."""

    def __init__(self, specs: list[PoolSpec], jobs: list[Job]) -> None:
        self.specs = specs
        self.jobs = jobs
        self.machines: list[Machine] = []
        for pool, spec in enumerate(specs):
            for _ in range(spec.replicas):
                self.machines.append(Machine(len(self.machines), pool))
        self.central: list[list[Job]] = [[] for _ in specs]
        self.cursor = [0 for _ in specs]

    def run(self) -> None:
        pending = sorted(self.jobs, key=lambda job: job.arrival_s)
        while True:
            arrival_s = pending[0].arrival_s if pending else math.inf
            machine = min(self.machines, key=lambda m: (self.next_s(m), m.row))
            now_s = self.next_s(machine)
            if now_s == math.inf and not pending:
                return
            if now_s <= arrival_s:
                self.complete(machine, now_s)
            else:
                self.arrive(pending.pop(0), arrival_s)

    def next_s(self, machine: Machine) -> float:
        if self.specs[machine.pool].batching:
            return machine.ends_s
        return min((job.finish_s for job in machine.batch), default=math.inf)

    # -- arrivals ---------------------------------------------------------------------------------------------------

    def arrive(self, job: Job, now_s: float) -> None:
        spec = self.specs[job.pool]
        pool = [m for m in self.machines if m.pool == job.pool]
        if spec.central:
            best = self.offer(job.pool)
            if self.central[job.pool] or best is None or (spec.batching and not self.fits(best, job)):
                if len(self.central[job.pool]) >= (math.inf if spec.max_waiting is None else spec.max_waiting):
                    job.rejected = True
                else:
                    self.central[job.pool].append(job)
                return
            machine = best
        else:
            machine = self.route(pool, job)
        room = self.fits(machine, job) if spec.batching else len(machine.batch) < spec.seats
        limit = math.inf if spec.max_waiting is None else spec.max_waiting
        if not room and len(machine.waiting) >= limit:
            job.rejected = True
            return
        job.replica = machine.row
        if spec.batching:
            machine.waiting.append(job)
            if machine.ends_s == math.inf:
                self.plan(machine, now_s)
        elif room:
            self.serve(machine, job, now_s)
        else:
            machine.waiting.append(job)

    def fits(self, machine: Machine, job: Job) -> bool:
        """Seats and memory as the engine last noted them, for this one and those that wait."""
        spec = self.specs[machine.pool]
        if machine.outstanding() >= spec.seats:
            return False
        waiting = sum(other.prompt + other.recompute for other in machine.waiting)
        return machine.kv() + waiting + job.prompt <= spec.kv_capacity_tokens

    def offer(self, pool: int) -> Machine | None:
        """Who would get the head of the central queue: a free seat, and the fewest requests or prompt tokens."""
        spec = self.specs[pool]
        free = [m for m in self.machines if m.pool == pool and m.outstanding() < spec.seats]
        if spec.batching:
            return min(free, key=lambda m: (sum(j.prompt for j in m.batch + m.waiting), m.row), default=None)
        return min(free, key=lambda m: (m.outstanding(), m.row), default=None)

    def dispatch(self, machine: Machine, now_s: float) -> None:
        line = self.central[machine.pool]
        while line:
            best = self.offer(machine.pool)
            if best is None or not self.fits(best, line[0]):
                return
            job = line.pop(0)
            job.replica = best.row
            best.waiting.append(job)
            if best is not machine and best.ends_s == math.inf:
                self.plan(best, now_s)

    def route(self, pool: list[Machine], job: Job) -> Machine:
        router = self.specs[job.pool].router
        if router == "round_robin":
            place = self.cursor[job.pool] % len(pool)
            self.cursor[job.pool] = place + 1
            return pool[place]
        if router == "random":
            return pool[int(job.ticket * len(pool))]
        if router == "power_of_two":
            scaled = job.ticket * len(pool)
            one = int(scaled)
            if len(pool) == 1:
                return pool[0]
            other = int((scaled - one) * (len(pool) - 1))
            other += other >= one
            return pool[other] if pool[other].outstanding() < pool[one].outstanding() else pool[one]
        if router == "least_outstanding":
            return min(pool, key=lambda m: (m.outstanding(), m.row))
        if router == "least_tokens":
            return min(pool, key=lambda m: (sum(j.prompt for j in m.batch + m.waiting), m.row))
        assert router == "least_kv"
        return min(pool, key=lambda m: (m.noted_kv + sum(j.prompt + j.recompute for j in m.waiting), m.row))

    # -- slots ------------------------------------------------------------------------------------------------------

    def serve(self, machine: Machine, job: Job, now_s: float) -> None:
        job.start_s = now_s
        job.finish_s = now_s + job.service_s
        machine.batch.append(job)

    def complete(self, machine: Machine, now_s: float) -> None:
        spec = self.specs[machine.pool]
        if spec.batching:
            self.end_iteration(machine, now_s)
            if spec.central:
                self.dispatch(machine, now_s)
            self.plan(machine, now_s)
            return
        machine.batch = [job for job in machine.batch if job.finish_s > now_s]
        while len(machine.batch) < spec.seats and (machine.waiting or (spec.central and self.central[machine.pool])):
            job = machine.waiting.pop(0) if machine.waiting else self.central[machine.pool].pop(0)
            job.replica = machine.row
            self.serve(machine, job, now_s)

    # -- batching ---------------------------------------------------------------------------------------------------

    def end_iteration(self, machine: Machine, now_s: float) -> None:
        spec = self.specs[machine.pool]
        client_s = now_s + spec.overhead_s
        for job in machine.decoding:
            job.made += 1
        for job in machine.batch:
            if job.prefilling and job.left == 0:
                job.prefilling = False
                machine.changed = True
                job.made += 1
                if math.isnan(job.first_token_s):
                    job.first_token_s = client_s
        for job in [job for job in machine.batch if not job.prefilling and job.made == job.output]:
            job.finish_s = client_s
            machine.batch.remove(job)
            machine.changed = True

    def plan(self, machine: Machine, now_s: float) -> None:
        spec = self.specs[machine.pool]
        changed, machine.changed = machine.changed, False
        while machine.kv() > spec.kv_capacity_tokens:
            job = machine.batch.pop()
            job.prefilling = False
            job.recompute = job.made
            machine.waiting.insert(0, job)
            changed = True
            machine.preemptions += 1
        machine.decoding = [job for job in machine.batch if not job.prefilling]
        context = sum(job.context for job in machine.decoding)
        budget = spec.max_batched_tokens - len(machine.decoding)
        prompt_tokens, squares = 0, 0.0
        for job in machine.batch:
            if job.prefilling:
                chunk = min(job.left, budget)
                squares += chunk * (2 * (job.prompt + job.recompute - job.left) + chunk)
                job.left -= chunk
                budget -= chunk
                prompt_tokens += chunk
        whole = 0
        while budget > 0 and len(machine.batch) < spec.seats and machine.waiting:
            job = machine.waiting[0]
            tokens = job.prompt + job.recompute
            if machine.kv() + tokens > spec.kv_capacity_tokens or (not spec.chunked and tokens > budget):
                break
            machine.waiting.pop(0)
            job.prefilling = True
            job.left = tokens
            if math.isnan(job.start_s):
                job.start_s = now_s
            machine.batch.append(job)
            chunk = min(tokens, budget)
            squares += chunk * chunk
            job.left -= chunk
            prompt_tokens += chunk
            if tokens == 0:
                whole += 1  # nothing to prefill: its first token is a decode step
                budget -= 1
            budget -= chunk
            changed = True
        if changed:
            machine.noted_kv = machine.kv()
        if not machine.batch:
            machine.ends_s = math.inf
            return
        decoding = len(machine.decoding) + whole
        duration_s = (
            spec.base_s
            + spec.prefill_s_per_token * prompt_tokens
            + spec.decode_s_per_seq * decoding
            + spec.attention_s_per_token * context
            + spec.prefill_s_per_token_sq * squares
        )
        machine.ends_s = now_s + duration_s
        machine.busy_s += duration_s
        machine.running_s += duration_s * len(machine.batch)
        machine.kv_s += duration_s * machine.kv()
