"""A naive model of the same fleet, for comparison: plain Python, one iteration at a time, every batch scanned whole.

Written from the semantics (README of the model: docs/architecture.md), not from the transitions: lists instead of
tables, `min` over everything instead of heaps and tournaments, no jump over identical iterations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sim.model.state import PoolSpec


@dataclass(eq=False, repr=False)
class Job:
    """One request, with what has become of it."""

    def __repr__(self) -> str:
        return f"Job(at {self.arrival_s}, {self.prompt} + {self.output})"

    arrival_s: float
    prompt: int = 0
    cached: int = 0
    output: int = 1
    service_s: float = 0.0
    ticket: float = 0.0
    pool: int = 0
    stream: int = 0
    start_s: float = math.nan
    first_token_s: float = math.nan
    finish_s: float = math.nan
    rejected: bool = False
    row: int = 0
    replica: int = -1
    made: int = 0  # output tokens so far
    recompute: int = 0  # output tokens that the next prefill recomputes
    left: int = 0  # prefill tokens still to do
    begun: bool = False  # an iteration serves it
    prefilling: bool = False
    sent: bool = False  # its KV cache went, or goes, to the pool that decodes
    arrived: bool = False  # and has not been admitted there
    prefix: tuple[int, ...] = ()  # ids of the blocks of its prompt, from the front
    piece: int = 16  # tokens of such a block
    holds: tuple[int, ...] = ()  # of these, in memory because of it

    def block_of(self, i: int) -> int:
        """Tokens of the i-th block of its prompt."""
        return min(self.piece, self.prompt - i * self.piece)

    @property
    def context(self) -> int:
        """KV tokens it holds: all of its prefill while that lasts, then everything before the token being made."""
        return self.prompt + (self.recompute if self.prefilling else self.made)


def blocks(tokens: int, size: int) -> int:
    return math.ceil(tokens / size)


@dataclass(eq=False)
class Machine:
    row: int
    pool: int
    batch: list[Job] = field(default_factory=list)  # in order of admission
    waiting: list[Job] = field(default_factory=list)
    ends_s: float = math.inf  # of the iteration under way
    decoding: list[Job] = field(default_factory=list)
    changed: bool = False  # somebody joined or left since the last plan
    noted_blocks: int = 0  # when the batch last changed
    iteration: int = 0  # iterations done
    sending: list[Job] = field(default_factory=list)  # still in memory
    idle_since_s: float = 0.0  # up to when its memory is accounted for while it runs nothing
    link_free_s: float = 0.0
    idle: dict[int, int] = field(default_factory=dict)  # blocks of prompts that nobody holds, and their tokens
    busy_s: float = 0.0
    running_s: float = 0.0
    kv_s: float = 0.0
    preemptions: int = 0

    def kv(self) -> int:
        held = sum(job.context for job in self.batch) + sum(job.prompt for job in self.sending)
        return held - sum((count - 1) * tokens for count, tokens in self.holders().values())

    def blocks(self, size: int) -> int:
        held = sum(blocks(job.context, size) for job in self.batch)
        held += sum(blocks(job.prompt, size) for job in self.sending)
        return held - sum((count - 1) * blocks(tokens, size) for count, tokens in self.holders().values())

    def holders(self) -> dict[int, tuple[int, int]]:
        """By block of a prompt: how many hold it, and its tokens."""
        found: dict[int, tuple[int, int]] = {}
        for job in self.batch + self.sending:
            for i, name in enumerate(job.holds):
                found[name] = (found.get(name, (0, 0))[0] + 1, job.block_of(i))
        return found

    def known(self, job: Job) -> tuple[int, int, list[int]]:
        """Tokens of a job's prompt in memory; of these, those that others hold, and the sizes of their blocks."""
        holders = self.holders()
        known, shared, sizes = 0, 0, []
        for i, name in enumerate(job.prefix):
            if name not in holders and name not in self.idle:
                break
            known += job.block_of(i)
            if name in holders:
                shared += job.block_of(i)
                sizes.append(job.block_of(i))
        return known, shared, sizes

    def leaves(self, job: Job, computed: int) -> None:
        """A job is gone from batch and link: its blocks that nobody else holds are idle from now on."""
        names, job.holds = job.holds, ()
        holders = self.holders()
        for i, name in reversed(list(enumerate(names))):
            if name not in holders and i * job.piece + job.block_of(i) <= computed:
                self.idle[name] = job.block_of(i)

    def forget(self, spec: PoolSpec) -> None:
        """Idle blocks, the oldest first, until the rest fits."""
        size = spec.block_tokens
        while sum(blocks(t, size) for t in self.idle.values()) > max(
            spec.kv_capacity_tokens // size - self.blocks(size), 0
        ):
            del self.idle[next(iter(self.idle))]

    def outstanding(self) -> int:
        return len(self.batch) + len(self.waiting)


class Naive:
    """The fleet, run by `run()`; afterwards the jobs hold their times."""

    def __init__(self, specs: list[PoolSpec], jobs: list[Job], most_in_flight: list[int | None] | None = None) -> None:
        self.specs = specs
        self.jobs = jobs
        for row, job in enumerate(jobs):
            job.row = row
        self.machines: list[Machine] = []
        for pool, spec in enumerate(specs):
            for _ in range(spec.replicas):
                self.machines.append(Machine(len(self.machines), pool))
        self.central: list[list[Job]] = [[] for _ in specs]
        self.most_in_flight = most_in_flight or [None]
        self.in_flight = [0 for _ in self.most_in_flight]
        self.held: list[list[Job]] = [[] for _ in self.most_in_flight]
        self.released: list[Job] = []
        self.on_links: list[tuple[float, int, Job, Machine]] = []
        self.cursor = [0 for _ in specs]
        self.close = False

    def run(self) -> None:
        pending = sorted(self.jobs, key=lambda job: job.arrival_s)
        while True:
            arrival_s = pending[0].arrival_s if pending else math.inf
            machine = min(self.machines, key=lambda m: (self.next_s(m), m.row))
            now_s = self.next_s(machine)
            through_s = min(self.on_links)[0] if self.on_links else math.inf
            if now_s == math.inf and not pending and not self.on_links:
                return
            self.look_for_ties([arrival_s, through_s, *(self.next_s(m) for m in self.machines)])
            if now_s <= min(arrival_s, through_s):
                self.complete(machine, now_s)
            elif through_s <= arrival_s:
                now_s = through_s
                self.deliver()
            else:
                job = pending.pop(0)
                now_s = arrival_s
                most = self.most_in_flight[job.stream]
                if most is not None and self.in_flight[job.stream] >= most:
                    self.held[job.stream].append(job)
                    continue
                self.in_flight[job.stream] += 1
                self.arrive(job, now_s)
            while self.released:
                job = self.released.pop(0)
                job.arrival_s = now_s
                self.arrive(job, now_s)

    def look_for_ties(self, times_s: list[float]) -> None:
        """Whether two things happen so close together that rounding decides which goes first."""
        first, second = sorted(times_s)[:2]
        self.close |= second < math.inf and second - first <= 1e-9 * second

    def ended(self, job: Job) -> None:
        """Its client has heard, and may send one that it held back."""
        if self.held[job.stream]:
            self.released.append(self.held[job.stream].pop(0))
        else:
            self.in_flight[job.stream] -= 1

    def send(self, job: Job, machine: Machine, now_s: float) -> None:
        """Its prefill is done: its KV cache goes to the other pool, after those before it."""
        spec = self.specs[machine.pool]
        machine.batch.remove(job)
        machine.sending.append(job)
        job.sent = True
        job.recompute = 1
        link = next(m for m in self.machines if m.pool == machine.pool) if spec.link_shared else machine
        link.link_free_s = max(now_s, link.link_free_s) + spec.link_s_per_token * job.prompt
        self.on_links.append((link.link_free_s + spec.link_latency_s, job.row, job, machine))

    def deliver(self) -> None:
        """The next KV cache is through."""
        first = min(self.on_links)
        self.on_links.remove(first)
        now_s, _, job, machine = first
        if machine.ends_s == math.inf:
            machine.kv_s += machine.kv() * (now_s - machine.idle_since_s)
            machine.idle_since_s = now_s
        before = machine.kv()
        machine.sending.remove(job)
        machine.leaves(job, job.prompt)
        if machine.ends_s < math.inf:
            machine.kv_s -= (before - machine.kv()) * (machine.ends_s - now_s)
        job.arrived = True
        if machine.waiting and machine.ends_s == math.inf:
            self.plan(machine, now_s)
        if self.specs[machine.pool].central:
            self.dispatch(None, machine.pool, now_s)
        self.arrive(job, now_s)

    def next_s(self, machine: Machine) -> float:
        if self.specs[machine.pool].batching:
            return machine.ends_s
        return min((job.finish_s for job in machine.batch), default=math.inf)

    # -- arrivals ---------------------------------------------------------------------------------------------------

    def arrive(self, job: Job, now_s: float) -> None:
        after = self.specs[job.pool].next_pool
        row = after if job.sent and after is not None else job.pool
        spec = self.specs[row]
        pool = [m for m in self.machines if m.pool == row]
        if spec.central:
            best = self.offer(row)
            if self.central[row] or best is None or (spec.batching and not self.fits(best, job)):
                if len(self.central[row]) >= (math.inf if spec.max_waiting is None else spec.max_waiting):
                    job.rejected = True
                    job.finish_s = now_s if job.sent else job.finish_s
                    self.ended(job)
                else:
                    self.central[row].append(job)
                return
            machine = best
        else:
            machine = self.route(pool, job, row)
        room = self.fits(machine, job) if spec.batching else len(machine.batch) < spec.seats
        limit = math.inf if spec.max_waiting is None else spec.max_waiting
        if not room and len(machine.waiting) >= limit:
            job.rejected = True
            job.finish_s = now_s if job.sent else job.finish_s
            self.ended(job)
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
        size = spec.block_tokens
        waiting = sum(blocks(other.prompt + other.recompute, size) for other in machine.waiting)
        need = blocks(job.prompt + job.recompute, size)
        if not job.sent:
            need -= sum(blocks(tokens, size) for tokens in machine.known(job)[2])
        return machine.blocks(size) + waiting + need <= self.admitting(spec)

    def admitting(self, spec: PoolSpec) -> int:
        """Blocks that admission may fill."""
        whole = spec.kv_capacity_tokens // spec.block_tokens
        return whole - int(spec.watermark_share * whole)

    def mean_ahead(self, machine: Machine) -> float:
        """By how much of a token the mean of all that was made is ahead of whole tokens."""
        made = self.specs[machine.pool].tokens_per_step * machine.iteration
        return made - math.floor(made)

    def offer(self, pool: int) -> Machine | None:
        """Who would get the head of the central queue: a free seat, and the fewest requests or prompt tokens."""
        spec = self.specs[pool]
        free = [m for m in self.machines if m.pool == pool and m.outstanding() < spec.seats]
        if spec.batching:
            return min(free, key=lambda m: (sum(j.prompt for j in m.batch + m.waiting), m.row), default=None)
        return min(free, key=lambda m: (m.outstanding(), m.row), default=None)

    def dispatch(self, machine: Machine | None, pool: int, now_s: float) -> None:
        line = self.central[pool]
        while line:
            best = self.offer(pool)
            if best is None or not self.fits(best, line[0]):
                return
            job = line.pop(0)
            job.replica = best.row
            best.waiting.append(job)
            if best is not machine and best.ends_s == math.inf:
                self.plan(best, now_s)

    def route(self, pool: list[Machine], job: Job, row: int) -> Machine:
        router = self.specs[row].router
        if router == "round_robin":
            place = self.cursor[row] % len(pool)
            self.cursor[row] = place + 1
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
        size = self.specs[row].block_tokens
        return min(
            pool, key=lambda m: (m.noted_blocks + sum(blocks(j.prompt + j.recompute, size) for j in m.waiting), m.row)
        )

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
                self.dispatch(machine, machine.pool, now_s)
            self.plan(machine, now_s)
            if spec.central:  # who was admitted shares blocks with others, so there may be room for one more
                self.dispatch(None, machine.pool, now_s)
            return
        for job in [
            job for job in sorted(machine.batch, key=lambda job: (job.finish_s, job.row)) if job.finish_s <= now_s
        ]:
            machine.batch.remove(job)
            self.ended(job)
        while len(machine.batch) < spec.seats and (machine.waiting or (spec.central and self.central[machine.pool])):
            job = machine.waiting.pop(0) if machine.waiting else self.central[machine.pool].pop(0)
            job.replica = machine.row
            self.serve(machine, job, now_s)

    # -- batching ---------------------------------------------------------------------------------------------------

    def end_iteration(self, machine: Machine, now_s: float) -> None:
        spec = self.specs[machine.pool]
        client_s = now_s + spec.overhead_s
        made = math.floor(spec.tokens_per_step * machine.iteration)
        machine.iteration += 1
        made = math.floor(spec.tokens_per_step * machine.iteration) - made
        for job in machine.decoding:
            job.made += made
        machine.forget(spec)
        decoded = {job.row for job in machine.decoding}
        sent = []
        for job in machine.batch:
            if job.prefilling and job.begun and job.left == 0:
                job.prefilling = False
                machine.changed = True
                job.made += 1
                if math.isnan(job.first_token_s):
                    job.first_token_s = client_s
                if spec.next_pool is not None and job.made < job.output:
                    sent.append(job)
        for job in sent:
            self.send(job, machine, now_s)
        done = [job for job in machine.batch if not job.prefilling and job.made >= job.output]
        # answers go out in this order: those of one token, as admitted; then the others, by last token and request
        for job in sorted(done, key=lambda job: (job.output - job.made, job.row) if job.row in decoded else (-99, 0)):
            job.finish_s = client_s
            machine.batch.remove(job)
            machine.leaves(job, job.prompt)
            machine.changed = True
            self.ended(job)

    def plan(self, machine: Machine, now_s: float) -> None:
        spec = self.specs[machine.pool]
        if machine.ends_s == math.inf:
            machine.kv_s += machine.kv() * (now_s - machine.idle_since_s)
        changed, machine.changed = machine.changed, False
        size = spec.block_tokens
        while machine.blocks(size) > spec.kv_capacity_tokens // size:
            job = machine.batch.pop()
            machine.leaves(job, job.prompt + job.recompute - job.left if job.prefilling else job.prompt)
            job.prefilling = False
            job.recompute = job.made
            machine.waiting.insert(0, job)
            changed = True
            machine.preemptions += 1
        machine.forget(spec)
        machine.decoding = [job for job in machine.batch if not job.prefilling]
        context = sum(job.context for job in machine.decoding) + len(machine.decoding) * self.mean_ahead(machine)
        ahead = spec.lookahead == 1 and len(machine.batch) > 0
        drafted = len(machine.decoding) * spec.drafted
        budget = spec.max_batched_tokens - len(machine.decoding) - drafted
        admitted = [job for job in machine.batch if job.prefilling]
        while machine.waiting and len(machine.batch) < spec.seats:
            job = machine.waiting[0]
            tokens = job.prompt + job.recompute
            cached, sizes = job.cached, []
            if job.prefix:
                cached = 0
            if job.prefix and not job.sent:
                cached, _, sizes = machine.known(job)
                cached = min(cached, tokens - 1)
            need = blocks(tokens, size) - sum(blocks(shared, size) for shared in sizes)
            if machine.blocks(size) + need > self.admitting(spec):
                break
            planned = sum(max(other.left, 1) for other in admitted)
            room = spec.max_batched_tokens if ahead else budget - planned
            left = 0 if job.arrived else tokens - cached
            if (not ahead and room <= 0) or (not spec.chunked and left > room):
                break
            machine.waiting.pop(0)
            job.prefilling = True
            job.left = left
            job.arrived = False
            job.begun = False
            if math.isnan(job.start_s):
                job.start_s = now_s
                job.cached = cached
            machine.batch.append(job)
            if not job.sent:
                job.holds = job.prefix
                for name in job.prefix:
                    machine.idle.pop(name, None)
            machine.forget(spec)
            changed = True
            if not ahead:
                admitted.append(job)
        prompt_tokens, squares, whole = 0, 0.0, 0
        for job in admitted:
            if budget <= 0 or (not spec.chunked and job.left > budget):
                break
            job.begun = True
            chunk = min(job.left, budget)
            before = job.prompt + job.recompute - job.left
            squares += chunk * (2 * before + chunk)
            if chunk == 0:  # nothing to prefill: its first token is a decode step
                whole += 1
                context += job.context
            job.left -= chunk
            budget -= max(chunk, 1)
            prompt_tokens += chunk
        if changed:
            machine.noted_blocks = machine.blocks(size)
        if not machine.batch:
            machine.ends_s = math.inf
            machine.idle_since_s = now_s
            return
        decoding = len(machine.decoding) + whole
        duration_s = (
            spec.base_s
            + spec.prefill_s_per_token * (prompt_tokens + drafted)
            + spec.decode_s_per_seq * decoding
            + spec.attention_s_per_token * context
            + spec.prefill_s_per_token_sq * squares
            + spec.tokens_s[min(prompt_tokens + decoding + drafted, len(spec.tokens_s) - 1)]
            + (spec.mixed_s if prompt_tokens else 0.0)
            + (0.0 if spec.seqs_s is None else spec.seqs_s[decoding])
        )
        machine.ends_s = now_s + duration_s
        machine.busy_s += duration_s
        machine.running_s += duration_s * len(machine.batch)
        machine.kv_s += duration_s * (machine.kv() + len(machine.decoding) * self.mean_ahead(machine))
