"""What the invariants look at: each pool with its requests, its samples, and when its replicas serve."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim import Scenario
from sim.model.tables import COMPLETED
from sim.result import RunLog
from sim.scenario import Pool

STRETCH = np.dtype([("replica", "i8"), ("from_s", "f8"), ("drain_s", "f8"), ("to_s", "f8"), ("make", "i8")])
"""A time in which a row of the model's table serves: new requests until `drain_s`, and what it has until `to_s`."""


@dataclass(frozen=True)
class Part:
    """A pool with the requests that it served or turned away."""

    pool: Pool
    central: bool
    first: int
    """Row of its first replica."""
    replicas: int
    """Rows of replicas: the most that it can have at once."""
    rows: NDArray[Any]
    """All of its requests."""
    calls: NDArray[Any] | None
    """Rows of calls beside them, where clients do more than wait."""
    head: NDArray[Any]
    """The first of them, for the sweeps."""
    until_s: float
    """Nothing arrives before this that is not in `head`."""
    samples: NDArray[Any]
    spans: NDArray[Any]
    span0: int
    """Row of the first of them in the log."""
    down: NDArray[Any]
    preempted: bool
    """Somebody, somewhere, was: then a request may be out of its seat between start and finish."""
    quotas: bool
    """Some tenant may send so much and no more."""
    moves: bool
    """Requests are handed over from here or to here: its rows tell only half of what happens on its replicas."""

    @cached_property
    def elastic(self) -> bool:
        """Replicas come or go: else every one of them is there all the time."""
        return len(self.down) > 0 or len(self.spans) != self.replicas or not there_always(self.spans)

    @cached_property
    def makes(self) -> tuple[Pool, ...]:
        """What its replicas can be, as `make` in a span counts."""
        return makes_of(self.pool)

    @cached_property
    def overheads_s(self) -> NDArray[np.float64]:
        """Time outside the engine, by make."""
        return np.array([make.overhead_s if self.is_slots else make.law.overhead_s for make in self.makes])

    @cached_property
    def serves(self) -> NDArray[Any]:
        """Rows of `STRETCH`, by replica row and time."""
        found = []
        for place, life in enumerate(self.spans):
            down = self.down[self.down["span"] == self.span0 + place]
            from_s = [life["ready_s"], *np.sort(down["to_s"])]
            to_s = [*np.sort(down["from_s"]), life["gone_s"]]
            for begin_s, end_s in zip(from_s, to_s, strict=True):
                if begin_s < end_s:
                    drain_s = min(life["draining_s"], end_s)
                    found.append((self.first + life["replica"], begin_s, drain_s, end_s, life["make"]))
        return np.sort(np.array(found, STRETCH), order=["replica", "from_s"])

    def ready_at(self, at_s: NDArray[Any]) -> NDArray[Any]:
        """How many replicas take requests just after some instants; same shape."""
        begun = np.searchsorted(np.sort(self.serves["from_s"]), at_s, side="right")
        return begun - np.searchsorted(np.sort(self.serves["drain_s"]), at_s, side="right")

    @property
    def redirects(self) -> bool:
        """Who waits at a replica that drains is sent on."""
        return bool(self.pool.drain.queued == "redirect")

    def steady(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Which requests were at one replica only: not lost with one, and none was drained before they started."""
        if not self.elastic:
            return np.ones(len(rows), bool)
        drains_s = np.sort(self.spans["draining_s"][np.isfinite(self.spans["draining_s"]) & self.redirects])
        before = np.searchsorted(drains_s, rows["arrival_s"], side="left")
        sent_on = np.searchsorted(drains_s, rows["start_s"], side="right") > before
        return (rows["lost"] == 0) & ~sent_on

    @cached_property
    def seated(self) -> NDArray[Any]:
        """Of `head`, those that had a seat and left it, with that time (and the time outside the engine) as the end."""
        if self.calls is None:
            return done(self.head)
        left_s = self.calls["left_s"][: len(self.head)]
        rows = self.head.copy()
        rows["finish_s"] = np.where(np.isnan(left_s), rows["finish_s"], left_s + self.overheads_s.max())
        return rows[(rows["outcome"] == COMPLETED) | (np.isfinite(left_s) & np.isfinite(rows["start_s"]))]

    @property
    def in_order(self) -> bool:
        """Whether the rows tell who came first, of any two; retries may come at the instant of others' arrivals."""
        return self.calls is None or bool((np.diff(self.rows["arrival_s"]) > 0).all())

    @property
    def at_once(self) -> NDArray[np.bool_]:
        """Whose ends tell when they left: of who is turned away it does not if he is not told at once."""
        if self.calls is None:
            return np.asarray(np.isnan(self.rows["finish_s"]))
        return np.ones(len(self.rows), bool)

    @cached_property
    def done(self) -> NDArray[Any]:
        return done(self.rows)

    @property
    def overhead_s(self) -> float:
        return float(self.overheads_s[0])

    @property
    def sheds(self) -> bool:
        """Requests are turned away that would find room to wait."""
        queue = self.pool.queue
        return self.quotas or queue.shed is not None or bool(queue.classes) or queue.max_waiting_tokens is not None

    @property
    def is_slots(self) -> bool:
        return bool(self.pool.replica.kind == "slots")


def parts(scenario: Scenario, log: RunLog, most_rows: int) -> Iterator[Part]:
    rows = log.requests
    head = rows[:most_rows]
    until_s = float(rows["arrival_s"][most_rows]) if len(rows) > most_rows else math.inf
    first = span0 = 0
    targets = {pool.kv_transfer.to for pool in scenario.pools.values() if pool.kv_transfer is not None}
    for row, (name, pool) in enumerate(scenario.pools.items()):
        own = log.spans[log.spans["pool"] == row]
        one = len(scenario.pools) == 1
        yield Part(
            pool=pool,
            central=pool.queue.kind == "central",
            first=first,
            replicas=log.rooms[row],
            rows=rows if one else rows[rows["pool"] == row],
            calls=log.calls if one or log.calls is None else log.calls[rows["pool"] == row],
            head=head if one else head[head["pool"] == row],
            until_s=until_s,
            samples=log.samples[log.samples["pool"] == row],
            spans=own,
            span0=span0,
            down=log.down[log.spans["pool"][log.down["span"]] == row],
            preempted=log.preemptions > 0,
            quotas=any(tenant.quota is not None for tenant in scenario.tenants.values()),
            moves=pool.kv_transfer is not None or name in targets,
        )
        first += log.rooms[row]
        span0 += len(own)


def makes_of(pool: Pool) -> tuple[Pool, ...]:
    """What replicas of a pool can be: by version, then by offer."""
    if not (pool.supply or pool.rollouts):
        return (pool,)
    return tuple(version.as_offered(offer) for version in pool.versions for offer in pool.offers)


def is_still(log: RunLog) -> bool:
    """Every replica is there all the time."""
    return there_always(log.spans) and len(log.down) == 0 and len(log.spans) == sum(log.rooms)


def there_always(spans: NDArray[Any]) -> bool:
    """Every one of these lives is ready from the run's start to its end."""
    ends_s = np.minimum(spans["draining_s"], spans["gone_s"])
    return bool((spans["ready_s"] == 0).all() and np.isinf(ends_s).all())


def done(rows: NDArray[Any]) -> NDArray[Any]:
    """The completed ones; no copy when they all are."""
    completed = rows["outcome"] == COMPLETED
    return rows if completed.all() else rows[completed]
