"""Queues of the naive model that have an order: who is served first, who gives way, who finds no room.

Priorities, shares and limits are told in `lines`. Where queues are preemptive, who outranks somebody that is served
takes the place of the lowest level there, of these of the last that came in: in a slot when it comes (also when it
comes once more), in a batch at the next boundary (`batches`). Whoever goes first of all, and gets a place in one of
these ways, needs no room to wait. In a central queue a replica is asked only if nobody who goes before is on the way to
its batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from sim.model.specs import PoolSpec, SenderSpec, TenantSpec
from tests.oracle.lines import Line, held
from tests.oracle.naive import Naive
from tests.oracle.parts import Job, Machine, blocks
from tests.oracle.serving import admitting

NO_ROOM = "no room"


class Ordered(Naive):
    """The fleet, its queues `Line`s."""

    def __init__(
        self,
        specs: list[PoolSpec],
        jobs: list[Job],
        senders: Sequence[SenderSpec],
        tenants: Sequence[TenantSpec] = (),
        horizon_s: float = math.inf,
    ) -> None:
        super().__init__(specs, jobs, senders=senders, horizon_s=horizon_s)
        self.tenants = tenants
        self.places = [self.line(spec, of_pool=True) for spec in specs]
        self.central = [*self.places]
        self.begin()

    def begin(self) -> None:
        """What else is to be kept from the start on."""

    def line(self, spec: PoolSpec, of_pool: bool) -> Line:
        return Line(spec, self.senders, self.tenants, of_pool)

    def own(self, machine: Machine) -> Line:
        """Those who wait at a replica."""
        assert isinstance(machine.waiting, Line)
        return machine.waiting

    # -- where requests go ------------------------------------------------------------------------------------------

    def arrive(self, job: Job, now_s: float, new: bool = True) -> None:
        row = self.pool_of(job)
        spec, line = self.specs[row], self.places[row]
        self.comes(job, row, now_s, new)
        goes_to = self.choice(job, row, now_s)
        if goes_to == NO_ROOM:
            self.reject(job, row, now_s)
        elif isinstance(goes_to, Machine):
            if spec.central:
                line.charge(job)
                self.waited(line, job, now_s)
            self.join(goes_to, job, now_s)
        else:
            line.come(job)
            if spec.central and spec.batching and line.first() is job:
                self.dispatch(None, row, now_s)

    def choice(self, job: Job, row: int, now_s: float) -> Machine | Line | str:
        """The replica that would take it, the pool's own line, or NO_ROOM."""
        spec, line = self.specs[row], self.places[row]
        if spec.central:
            machine = self.taker(job, row, now_s) if line.goes_first(job) else None
            return machine or (NO_ROOM if line.full(job) else line)
        if not self.ready[row]:
            return NO_ROOM if line.full(job) else line
        machine = self.route(self.ready[row], job, row)
        if self.room(machine, job) or self.displaces(machine, job, now_s) or not self.own(machine).full(job):
            return machine
        return NO_ROOM

    def room(self, machine: Machine, job: Job) -> bool:
        return self.fits(machine, job) if machine.spec.batching else len(machine.batch) < machine.spec.seats

    def taker(self, job: Job, row: int, now_s: float) -> Machine | None:
        """Of a central queue: the replica that has a place for it, else the one where it takes somebody else's."""
        best = self.offer(row)
        if best is not None and self.room(best, job):
            return best
        return self.gives_up_a_place(job, row, now_s)

    def gives_up_a_place(self, job: Job, row: int, now_s: float) -> Machine | None:
        """Where it takes the place of the lowest level, of these of the last that began."""
        found = [(m, self.outranked(m, job, now_s)) for m in self.ready[row] if self.displaces(m, job, now_s)]
        if not found:
            return None
        own = self.places[row]
        return max(found, key=lambda pair: (own.rank(pair[1]), pair[1].start_s))[0]

    def displaces(self, machine: Machine, job: Job, now_s: float) -> bool:
        """Whether it is to have somebody's place, and nobody who goes before it waits for that."""
        spec = self.specs[machine.pool]
        nobody = not spec.batching or not self.own(machine).before(job)
        return spec.preemptive and nobody and self.outranked(machine, job, now_s) is not None

    def outranked(self, machine: Machine, job: Job, now_s: float) -> Job | None:
        """Who gives way to it; not those whose client has gone, nor services that end now."""
        line = self.places[machine.pool]
        below = [
            (line.rank(other), place, other)
            for place, other in enumerate(machine.batch)
            if line.rank(other) > line.rank(job) and other.outcome == "unfinished"
            if machine.spec.batching or other.ends_s > now_s
        ]
        return max(below)[2] if below else None

    def fits(self, machine: Machine, job: Job) -> bool:
        """Seats and memory as the engine last noted them, for this one and those that wait and go before it."""
        spec, ahead = machine.spec, self.own(machine).before(job)
        if len(machine.batch) + len(ahead) >= spec.seats:
            return False
        size = spec.block_tokens
        need = blocks(job.prompt + job.recompute, size)
        if not job.sent:
            need -= sum(blocks(tokens, size) for tokens in machine.known(job)[2])
        return machine.blocks(size) + held(ahead, size) + need <= admitting(spec)

    def join(self, machine: Machine, job: Job, now_s: float, plan: bool = True) -> None:
        """A request is the replica's now; it has a place there, or may wait for one."""
        job.replica = machine.row
        job.been_in = False
        own, central = self.own(machine), machine.spec.central
        if machine.spec.batching:
            own.come(job)
            if plan and machine.ends_s == math.inf:
                self.plan(machine, now_s)
            return
        if len(machine.batch) == machine.spec.seats and self.displaces(machine, job, now_s):
            self.breaks_off(machine, job, now_s)
        if len(machine.batch) < machine.spec.seats:
            if not central:
                own.charge(job)
                self.waited(own, job, now_s)
            self.serve(machine, job, now_s)
        else:
            own.come(job)

    def breaks_off(self, machine: Machine, job: Job, now_s: float) -> None:
        """A service stops for this request, to go on later where it was."""
        other = self.outranked(machine, job, now_s)
        assert other is not None
        machine.account(now_s)
        machine.batch.remove(other)
        machine.preemptions += 1
        other.service_s = other.ends_s - now_s
        other.ends_s = math.inf
        other.first_token_s = math.nan
        if machine.spec.central:
            other.replica = -1
            self.places[machine.pool].come_back(other)
        else:
            other.been_in = True
            self.own(machine).come_back(other)

    def dispatch(self, machine: Machine | None, pool: int, now_s: float) -> None:
        """The first of the central queue goes where there is a place, again and again; `machine` plans by itself."""
        line, spec = self.places[pool], self.specs[pool]
        while line:
            job = line.first()
            best = self.offer(pool)
            if best is None or not self.room(best, job):
                best = self.gives_up_a_place(job, pool, now_s) if spec.batching else None
            if best is None:
                return
            if self.too_late(line, job, now_s):
                continue
            line.take(job)
            self.join(best, job, now_s, plan=best is not machine)

    def waited(self, line: Line, job: Job, now_s: float) -> bool:
        """It is its turn: note how long it has waited. Whether that is too long."""
        return False

    def too_late(self, line: Line, job: Job, now_s: float) -> bool:
        """Whether it has been turned away, now that its turn has come."""
        return False

    # -- slots ------------------------------------------------------------------------------------------------------

    def fill(self, machine: Machine, line: list[Job], now_s: float) -> None:
        """Free slots take who waits here, then who waits in the pool's line."""
        while len(machine.batch) < machine.spec.seats and (machine.waiting or line):
            place = self.own(machine) if machine.waiting else line
            assert isinstance(place, Line)
            job = place.first()
            if self.too_late(place, job, now_s):
                continue
            place.take(job)
            self.serve(machine, job, now_s)

    # -- control ----------------------------------------------------------------------------------------------------

    def open(self, row: int, make: int, now_s: float) -> None:
        pool = self.pool_of_row[row]
        home = self.specs[pool]
        other = home if make == 0 else home.makes[make - 1]
        of_replica = ("seats", "max_batched_tokens", "chunked", "kv_capacity_tokens", "watermark_share", "drafted")
        of_replica += ("tokens_per_step", "base_s", "prefill_s_per_token", "decode_s_per_seq", "attention_s_per_token")
        of_replica += ("prefill_s_per_token_sq", "mixed_s", "tokens_s", "seqs_s", "lookahead", "overhead_s")
        made = replace(home, **{name: getattr(other, name) for name in of_replica})
        machine = Machine(row, pool, made, since_s=now_s, idle_since_s=now_s, waiting=self.line(home, of_pool=False))
        self.machines[row] = machine
        self.past[row].lives += 1
        self.ready[pool].append(machine)
        line = self.places[pool]
        if home.central and home.batching:
            self.dispatch(machine, pool, now_s)
            self.plan(machine, now_s)
            self.dispatch(None, pool, now_s)
        elif home.central:
            self.fill(machine, line, now_s)
        else:
            while line:
                job = line.first()
                line.take(job)
                self.join(self.route(self.ready[pool], job, pool), job, now_s)

    def drain(self, machine: Machine, redirect: bool, now_s: float) -> None:
        machine.ready = False
        self.ready[machine.pool].remove(machine)
        if redirect:
            go = [job for job in self.own(machine).in_order() if not job.been_in]
            for job in go:
                machine.waiting.remove(job)
                job.replica = -1
                self.goes(machine.pool, now_s)
            self.again(go, now_s)
        self.next_in_turn(machine, now_s)

    def next_in_turn(self, machine: Machine, now_s: float) -> None:
        if machine.spec.batching:
            super().next_in_turn(machine, now_s)

    def close(self, machine: Machine, retry: bool, now_s: float, resume: bool = False) -> None:
        machine.waiting = self.own(machine).in_order()
        super().close(machine, retry, now_s, resume)

    def to_the_head(self, pool: int, jobs: list[Job], now_s: float) -> None:
        for job in reversed(jobs):
            self.places[pool].come_back(job)
        if self.specs[pool].batching:
            self.dispatch(None, pool, now_s)
        else:
            self.let_in(pool, now_s)

    def let_in(self, pool: int, now_s: float) -> None:
        """Slots: the first of the central queue goes where there is a place, its own or another's."""
        line = self.places[pool]
        while line:
            job = line.first()
            machine = self.taker(job, pool, now_s)
            if machine is None:
                return
            line.take(job)
            self.join(machine, job, now_s)
