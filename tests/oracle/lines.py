"""Those who wait at one place of the naive model, a pool's or a replica's, and which of them goes first.

A place is one line, or has one for each level, class or tenant. In a line whoever comes later stands behind; of the
heads of lines the most urgent goes first, of equals the one whose line is furthest behind its share, then that of the
first line.

Shares are start-time fair queueing: a line's tag is where the service of its head begins on the scale of what lines of
its level have had, each by its weight; the clock of a level is the tag of the last that left here to be served. A line
that begins has no tag before the clock. Who comes back gives back what was charged for it here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.model.specs import ClassLimit, PoolSpec, SenderSpec, TenantSpec
from tests.oracle.parts import Job, blocks

Key = tuple[int, int, int]
"""Of a line: level, class, tenant; 0 where they share lines."""


class Line(list[Job]):
    """Those who wait, in order of coming (who came back, before the others)."""

    def __init__(
        self, spec: PoolSpec, senders: Sequence[SenderSpec], tenants: Sequence[TenantSpec], of_pool: bool
    ) -> None:
        super().__init__()
        self.spec, self.senders, self.tenants, self.of_pool = spec, senders, tenants, of_pool
        self.tags: dict[Key, float] = {}
        self.clocks: dict[int, float] = {}
        self.charged: set[Job] = set()
        # codel
        self.least_wait_s = 0.0
        self.until_s = 0.0
        self.overloaded = False

    # -- who goes first ---------------------------------------------------------------------------------------------

    def key(self, job: Job) -> Key:
        sender = self.senders[job.stream]
        level = sender.level if self.spec.order == "priority" else 0
        group = sender.group if self.spec.order == "weighted_fair" else 0
        customer = sender.tenant + 1 if self.spec.fair_tenants and sender.tenant is not None else 0
        return level, group, customer

    def rank(self, job: Job) -> int:
        """Where its level stands among those that there are."""
        return sorted({sender.level for sender in self.senders}).index(self.senders[job.stream].level)

    def urgency(self, job: Job) -> float:
        """Less goes first."""
        if self.spec.order != "priority":
            return 0.0
        level = self.senders[job.stream].level
        return level if self.spec.aging_s == math.inf else job.arrival_s + level * self.spec.aging_s

    def first(self) -> Job:
        heads: dict[Key, Job] = {}
        for job in self:
            heads.setdefault(self.key(job), job)
        return min(heads.items(), key=lambda head: (self.urgency(head[1]), self.tags.get(head[0], 0.0), head[0]))[1]

    def in_order(self) -> list[Job]:
        """All of them, as they would go if nobody else came; nothing is charged for that."""
        rest = Line(self.spec, self.senders, self.tenants, self.of_pool)
        rest.extend(self)
        rest.tags, rest.clocks = dict(self.tags), dict(self.clocks)
        found = []
        while rest:
            found.append(rest.first())
            rest.take(found[-1])
        return found

    def goes_first(self, job: Job) -> bool:
        """Whether one that has not joined them goes before them all, whatever the shares."""
        return not self or self.urgency(job) < self.urgency(self.first())

    def before(self, job: Job) -> list[Job]:
        """Those whose level is its own or a higher one; without levels all."""
        if self.spec.order != "priority":
            return list(self)
        return [other for other in self if self.rank(other) <= self.rank(job)]

    # -- coming and going -------------------------------------------------------------------------------------------

    def come(self, job: Job) -> None:
        key = self.key(job)
        if not any(self.key(other) == key for other in self):
            self.tags[key] = max(self.tags.get(key, 0.0), self.clocks.get(key[0], 0.0))
        self.append(job)

    def come_back(self, job: Job) -> None:
        """It goes to the head of its line."""
        self.insert(0, job)
        if job in self.charged:
            self.charged.remove(job)
            self.tags[self.key(job)] = self.tags.get(self.key(job), 0.0) - self.cost(job)

    def take(self, job: Job) -> None:
        """It leaves to be served."""
        self.charge(job)
        self.remove(job)

    def charge(self, job: Job) -> None:
        """It leaves to be served, or never waited."""
        key = self.key(job)
        clock = self.clocks.get(key[0], 0.0)
        tag = self.tags.get(key, 0.0)
        if not any(self.key(other) == key for other in self):
            tag = max(tag, clock)
        self.clocks[key[0]] = max(clock, tag)
        self.tags[key] = tag + self.cost(job)
        self.charged.add(job)

    def cost(self, job: Job) -> float:
        sender = self.senders[job.stream]
        tokens = max(float(job.prompt + job.output), 1.0)
        if self.spec.order == "weighted_fair":
            return tokens / sender.weight
        if self.spec.fair_tenants:
            return tokens if sender.tenant is None else tokens / self.tenants[sender.tenant].weight
        return 0.0

    # -- limits -----------------------------------------------------------------------------------------------------

    def full(self, job: Job) -> bool:
        """No more like it may wait here."""
        spec = self.spec
        group = self.senders[job.stream].group
        own = spec.class_limits[group] if group < len(spec.class_limits) else ClassLimit()
        mates = [other for other in self if self.senders[other.stream].group == group]
        return (
            over(len(self) + 1, spec.max_waiting)
            or over(sum(other.prompt for other in self) + job.prompt, spec.max_waiting_tokens)
            or over(len(mates) + 1, own.max_waiting)
            or over(sum(other.prompt for other in mates) + job.prompt, own.max_waiting_tokens)
        )


def over(amount: int, most: int | None) -> bool:
    return most is not None and amount > most


def held(jobs: Sequence[Job], size: int) -> int:
    """Blocks of KV memory that these will need."""
    return sum(blocks(job.prompt + job.recompute, size) for job in jobs)
