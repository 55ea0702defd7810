"""Where requests of the naive model go: to a replica's queue, to the line of their pool, or away."""

from __future__ import annotations

import math

from sim.model import meters
from sim.model.specs import PoolSpec
from tests.oracle.parts import Books, Job, Machine, blocks
from tests.oracle.serving import Serving, admitting


class Routing(Serving):
    """The pools: ready replicas in the order in which they opened, a line, the books."""

    def __init__(self, specs: list[PoolSpec]) -> None:
        self.specs = specs
        self.ready: list[list[Machine]] = [[] for _ in specs]
        self.central: list[list[Job]] = [[] for _ in specs]
        """Central queues; with a queue at each replica, who came while none was ready."""
        self.cursor = [0 for _ in specs]
        self.books = [Books() for _ in specs]
        self.noted = False
        self.clients_act = False
        """Something that control must hear of at once has happened since it was last told."""

    def pool_of(self, job: Job) -> int:
        """Where the request is to be served next."""
        after = self.specs[job.pool].next_pool
        return after if job.sent and after is not None else job.pool

    def comes(self, job: Job, pool: int, now_s: float, new: bool) -> None:
        """A request reaches the pool; not `new` when it had reached it before."""
        books = self.books[pool]
        books.change(1, now_s)
        books.arrived += new
        books.arrived_tokens += job.prompt * new
        hears = self.specs[pool].hears
        self.noted |= hears == meters.HEARS_CHANGES or (hears == meters.HEARS_FIRST and not self.ready[pool])

    def goes(self, pool: int, now_s: float) -> None:
        self.books[pool].change(-1, now_s)
        self.noted |= self.specs[pool].hears == meters.HEARS_CHANGES

    def first_token(self, job: Job, machine: Machine) -> None:
        self.books[machine.pool].ttft_s.append(job.first_token_s - job.arrival_s)

    def answered(self, job: Job, machine: Machine, now_s: float) -> None:
        if job.outcome != "completed":
            self.goes(machine.pool, now_s)
            return
        self.books[machine.pool].answer(job, now_s)
        self.noted |= self.specs[machine.pool].hears == meters.HEARS_CHANGES

    def reject(self, job: Job, pool: int, now_s: float) -> None:
        if now_s > job.arrival_s or not math.isnan(job.start_s):
            job.finish_s = now_s
        if self.clients_act and math.isnan(job.start_s):
            job.left_s = now_s
        self.goes(pool, now_s)
        self.ended(job, "rejected")

    def arrive(self, job: Job, now_s: float, new: bool = True) -> None:
        row = self.pool_of(job)
        spec = self.specs[row]
        limit = math.inf if spec.max_waiting is None else spec.max_waiting
        self.comes(job, row, now_s, new)
        machine = None
        if spec.central:
            best = None if self.central[row] else self.offer(row)
            machine = best if best is not None and (not spec.batching or self.fits(best, job)) else None
        elif self.ready[row]:
            machine = self.route(self.ready[row], job, row)
        if machine is None:
            if len(self.central[row]) >= limit:
                self.reject(job, row, now_s)
            else:
                self.central[row].append(job)
            return
        room = self.fits(machine, job) if spec.batching else len(machine.batch) < machine.spec.seats
        if not room and len(machine.waiting) >= limit:
            self.reject(job, row, now_s)
            return
        self.join(machine, job, now_s)

    def join(self, machine: Machine, job: Job, now_s: float, plan: bool = True) -> None:
        """A request is the replica's now."""
        job.replica = machine.row
        job.been_in = False
        if machine.spec.batching:
            machine.waiting.append(job)
            if plan and machine.ends_s == math.inf:
                self.plan(machine, now_s)
        elif len(machine.batch) < machine.spec.seats:
            self.serve(machine, job, now_s)
        else:
            machine.waiting.append(job)

    def fits(self, machine: Machine, job: Job) -> bool:
        """Seats and memory as the engine last noted them, for this one and those that wait."""
        spec = machine.spec
        if machine.outstanding() >= spec.seats:
            return False
        size = spec.block_tokens
        waiting = sum(blocks(other.prompt + other.recompute, size) for other in machine.waiting)
        need = blocks(job.prompt + job.recompute, size)
        if not job.sent:
            need -= sum(blocks(tokens, size) for tokens in machine.known(job)[2])
        return machine.blocks(size) + waiting + need <= admitting(spec)

    def offer(self, pool: int) -> Machine | None:
        """Who would get the head of the central queue: a free seat, and the fewest requests or prompt tokens."""
        free = [m for m in self.ready[pool] if m.outstanding() < m.spec.seats]
        if self.specs[pool].batching:
            return min(free, key=lambda m: (sum(j.prompt for j in m.batch + m.waiting), m.row), default=None)
        return min(free, key=lambda m: (m.outstanding(), m.row), default=None)

    def dispatch(self, machine: Machine | None, pool: int, now_s: float) -> None:
        """The head of the central queue goes where there is room, again and again; `machine` plans by itself."""
        line = self.central[pool]
        while line:
            best = self.offer(pool)
            if best is None or (best.spec.batching and not self.fits(best, line[0])):
                return
            self.join(best, line.pop(0), now_s, plan=best is not machine)

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
