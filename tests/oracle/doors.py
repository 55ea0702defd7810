"""Who is turned away by the naive model: over a quota, because its pool has too much to do, or for it waited too long.

A request is judged when its client sends it: first by its tenant's buckets, which must hold enough for it, then by its
pool; it is charged to its tenant if both let it in. Controlled delay judges those who have never been served, when it
is their turn. Who has a place as soon as it comes is not judged, but its wait counts as the others' do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.model.specs import ClassLimit
from tests.oracle.batches import Batches
from tests.oracle.lines import Line
from tests.oracle.parts import Job, Machine

NEARLY = 1 - 1e-9
"""What is as good as enough."""


@dataclass
class Bucket:
    """It fills at a rate, up to a brim."""

    per_s: float
    brim: float
    left: float
    since_s: float = 0.0

    def fill(self, now_s: float) -> None:
        if self.per_s < math.inf:
            self.left = min(self.brim, self.left + self.per_s * (now_s - self.since_s))
        self.since_s = now_s

    def lacks(self, amount: float) -> bool:
        return self.per_s < math.inf and self.left < amount * NEARLY


@dataclass
class Pace:
    """How fast those who wait in a pool are served: the mean time between two starts while others wait."""

    between_s: float = 0.0
    last_s: float = 0.0
    all_along: bool = False
    """Somebody has waited ever since the last start."""

    def start(self, now_s: float) -> None:
        passed_s = now_s - self.last_s
        if self.all_along:
            self.between_s = passed_s if self.between_s == 0 else self.between_s + 0.1 * (passed_s - self.between_s)
        self.last_s = now_s


class Doors(Batches):
    """Whom the fleet does not let in."""

    def begin(self) -> None:
        super().begin()
        self.buckets = [
            (
                Bucket(tenant.requests_per_s, tenant.request_burst, tenant.request_burst),
                Bucket(tenant.tokens_per_s, tenant.token_burst, tenant.token_burst),
            )
            for tenant in self.tenants
        ]
        self.paces = [Pace() for _ in self.specs]
        self.retry_after_s = 0.0
        """What the client of the request that is being rejected is told."""

    # -- at the door ------------------------------------------------------------------------------------------------

    def arrive(self, job: Job, now_s: float, new: bool = True) -> None:
        if new and not job.sent:
            told_s = self.refused(job, now_s)
            if told_s is not None:
                self.retry_after_s = told_s
                self.sends_away(job, job.pool, now_s)
                return
        super().arrive(job, now_s, new)

    def refused(self, job: Job, now_s: float) -> float | None:
        """What a request that is not let in is told; None: it comes in, and its tenant is charged."""
        tenant = self.senders[job.stream].tenant
        if tenant is not None:
            requests, tokens = self.buckets[tenant]
            need = float(job.prompt + job.output)
            requests.fill(now_s)
            tokens.fill(now_s)
            waits_s = []
            if requests.lacks(1):
                waits_s.append((1 - requests.left) / requests.per_s)
            if tokens.lacks(need):
                waits_s.append(max((min(need, tokens.brim) - tokens.left) / tokens.per_s, 1e-3))
            if waits_s:
                return max(waits_s)
        if self.sheds(job, job.pool):
            return self.specs[job.pool].retry_after_s
        if tenant is not None:
            requests.left -= 1
            tokens.left -= need
        return None

    def waiting(self, pool: int) -> list[Job]:
        """Everybody who waits anywhere in a pool."""
        machines = [m for m in self.machines if m is not None and m.pool == pool]
        return [*self.places[pool], *(job for machine in machines for job in machine.waiting)]

    def sheds(self, job: Job, pool: int) -> bool:
        """Whether the pool has too much to do for one of its class."""
        spec, line = self.specs[pool], self.places[pool]
        group = self.senders[job.stream].group
        limit = spec.class_limits[group].shed_at if group < len(spec.class_limits) else ClassLimit().shed_at
        waiting = self.waiting(pool)
        if spec.shed == "load":
            return len(waiting) >= limit * max(len(self.ready[pool]), 1)
        if spec.shed != "estimated_wait" or not waiting:
            return False
        before = [other for other in waiting if spec.order != "priority" or line.rank(other) <= line.rank(job)]
        return (len(before) + 1) * self.paces[pool].between_s > limit

    # -- starts -----------------------------------------------------------------------------------------------------

    def takes_seat(self, job: Job, pool: int, now_s: float) -> None:
        self.paces[pool].start(now_s)
        self.paces[pool].all_along = bool(self.waiting(pool))

    def serve(self, machine: Machine, job: Job, now_s: float) -> None:
        super().serve(machine, job, now_s)
        self.takes_seat(job, machine.pool, now_s)

    def leaves(self, job: Job, now_s: float) -> None:
        super().leaves(job, now_s)
        self.nobody_waits()

    def drain(self, machine: Machine, redirect: bool, now_s: float) -> None:
        super().drain(machine, redirect, now_s)
        self.nobody_waits()

    def close(self, machine: Machine, retry: bool, now_s: float, resume: bool = False) -> None:
        super().close(machine, retry, now_s, resume)
        self.nobody_waits()

    def nobody_waits(self) -> None:
        """Who waited has left unserved: if it was the last, others have not waited all along."""
        for pool, pace in enumerate(self.paces):
            pace.all_along &= bool(self.waiting(pool))

    def look_for_ties(self, times_s: list[float]) -> None:
        """Two that are due together count, too."""
        super().look_for_ties(times_s)
        due_s = sorted(self.due(job)[0] for job in self.open_jobs)[:2]
        if len(due_s) == 2 and due_s[1] < math.inf:
            self.close_together |= 0 < due_s[1] - due_s[0] <= 1e-9 * due_s[1]

    # -- too late ---------------------------------------------------------------------------------------------------

    def too_late(self, line: Line, job: Job, now_s: float) -> bool:
        if not self.waited(line, job, now_s):
            return False
        line.remove(job)
        pool = self.pool_of(job)
        job.replica = -1
        job.finish_s = now_s
        self.reject(job, pool, now_s)
        return True

    def waited(self, line: Line, job: Job, now_s: float) -> bool:
        """Note how long it has waited, now that its turn has come. Whether that is too long."""
        spec = line.spec
        only_passes = spec.central != line.of_pool
        if spec.shed != "codel" or only_passes or job.sent or not math.isnan(job.start_s):
            return False
        waited_s = now_s - job.arrival_s
        if now_s >= line.until_s:
            line.overloaded = line.least_wait_s > spec.target_s
            line.least_wait_s = waited_s
            line.until_s = now_s + spec.interval_s
            return False
        line.least_wait_s = min(line.least_wait_s, waited_s)
        return line.overloaded and waited_s > 2 * spec.target_s

    # -- what clients hear ------------------------------------------------------------------------------------------

    def reject(self, job: Job, pool: int, now_s: float) -> None:
        self.retry_after_s = self.specs[pool].retry_after_s
        self.goes(pool, now_s)
        self.sends_away(job, pool, now_s)

    def sends_away(self, job: Job, pool: int, now_s: float) -> None:
        """Its client hears of it: now, or, if nobody tells it, when it would give up waiting for tokens."""
        heard_s = now_s
        if math.isnan(job.start_s):
            job.left_s = now_s
        if self.specs[pool].silent:
            gives_up_s = min((at_s for at_s, what in self.limits(job) if what == "timed_out"), default=math.inf)
            heard_s = gives_up_s if now_s < gives_up_s < math.inf else now_s
        if heard_s > job.arrival_s or not math.isnan(job.start_s):
            job.finish_s = heard_s
        self.ended(job, "rejected")
        self.retry_after_s = 0.0

    def tries_again(self, job: Job, heard_s: float) -> bool:
        if not super().tries_again(job, heard_s):
            return False
        if job.outcome == "rejected" and self.senders[job.stream].heeds:
            job.retry_s = heard_s + max(job.backoff_s, self.retry_after_s)
        return True
