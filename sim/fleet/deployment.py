"""The replicas of one pool: as many as are wanted, ordered, drained, replaced when they fail, renewed by a rollout.

As a Kubernetes Deployment does it: who is not counted any more (gone, draining) is replaced at once, and a new version
comes in steps that keep within `max_surge` and `max_unavailable`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.fleet.clock import Clock
from sim.fleet.faults import breaker
from sim.fleet.life import Life
from sim.fleet.market import Market
from sim.fleet.setup import Makes
from sim.model import lives
from sim.model.tables import State
from sim.result.log import CANCELLED, DOWN, ROLLED, SCALED_IN, SPAN
from sim.scenario import Pool
from sim.scenario.rollout import Rollout
from sim.workload.randomness import named_rng

PATIENCE_S = 86_400.0
"""So long after the horizon the world stands still: no policy is asked, no refused order is tried again, nothing more
breaks. What a fleet has not served by then, it serves undisturbed, or never."""


class Deployment:
    """One pool's replicas."""

    def __init__(
        self,
        clock: Clock,
        state: State,
        named: tuple[str, Pool],
        makes: Makes,
        rows: dict[tuple[int, int], int],
        key: tuple[int, int],
        ends_s: float,
    ) -> None:
        self.clock = clock
        self.state = state
        self.name, self.pool = named
        self.makes = makes
        self.calm_s = ends_s + PATIENCE_S
        """Beyond this, nothing happens to its replicas but what was under way."""
        self.pool_row = rows[0, 0]
        self.row0 = int(state.pools[self.pool_row]["replica0"])
        self.wanted = 0
        self.version = 0
        self.rollout: Rollout | None = None
        self._alive: dict[int, Life] = {}
        self.draining: dict[int, Life] = {}
        """By row in the model's table."""
        self.lives: list[Life] = []
        """All there ever were."""
        self.on_ready: Callable[[], None] | None = None
        """Called when a replica has become ready, but for those that the run begins with."""
        self.market = Market(self, self.pool.offers)
        self._rows = rows
        self._key = key
        self._free = list(range(int(state.pools[self.pool_row]["replicas"])))
        heapify(self._free)
        self._reconciling = False
        self._breakers = [breaker(self, fault, number) for number, fault in enumerate(self.pool.faults)]

    def rng(self, name: str, entity: int | str) -> np.random.Generator:
        """The generator for one purpose of one replica (its number) of this pool."""
        return named_rng(*self._key, name, f"{self.name}/{entity}")

    def make_row(self, offer: int, version: int) -> int:
        """The row in the model's pool table of replicas from this offer, at this version."""
        return self._rows[offer, version]

    def made(self, life: Life) -> Pool:
        """What a replica is: the pool as it is in its offer and at its version."""
        return self.makes.pools[life.offer, life.version]

    def boot_s(self, life: Life) -> tuple[float, float, float, float]:
        """Seconds of the four stages of its boot, drawn for it alone."""
        pool = self.made(life)
        return pool.stages.stages(life.rng("boot"), pool.weight_bytes)

    def begin(self, replicas: int) -> None:
        """The run begins with so many replicas ready."""
        self.wanted = replicas
        self._reconciling = True  # there are as many as wanted only once all are there
        for _ in range(replicas):
            self._new().be_there()
        self._reconciling = False

    def scale(self, wanted: int) -> None:
        """Have so many replicas from now on."""
        self.wanted = wanted
        self.changed()

    def roll_out(self, rollout: Rollout) -> None:
        """Replace every replica by one of the next version."""
        self.version += 1
        self.rollout = rollout
        self.changed()

    def emptied(self) -> None:
        """Let replicas go that have ended all they had."""
        for row, life in list(self.draining.items()):
            if lives.is_empty(self.state, row):
                life.end(life.why)

    def left(self, life: Life) -> None:
        """A replica is gone: its row and its place with the provider are free."""
        heappush(self._free, life.index)
        self.market.give_back(life)
        self.changed()

    def watch(self, life: Life) -> None:
        """A replica is ready: from now on it can fail."""
        if self.on_ready is not None:
            self.on_ready()
        for broken in self._breakers:
            broken.watch(life)
        self.market.watch(life)

    def changed(self) -> None:
        """Order or let go, until there are as many as wanted. What that changes is looked at in the same call."""
        if self._reconciling:
            return
        self._reconciling = True
        try:
            while self._step():
                pass
        finally:
            self._reconciling = False

    @property
    def alive(self) -> list[Life]:
        """Those that the policy asked for, in the order of their orders: neither gone nor on their way out."""
        return list(self._alive.values())

    def counts_no_more(self, life: Life) -> None:
        """A replica is gone, or on its way out. Failures call this one by one: no list of the fleet is gone through."""
        self._alive.pop(life.number, None)

    def _step(self) -> bool:
        """Do what is to be done; returns whether that may be followed by more."""
        if self.rollout is not None:
            old = [life for life in self._alive.values() if life.version != self.version]
            if old:
                return self._roll(self.rollout, old)
        surplus = len(self._alive) - self.wanted
        if surplus > 0:
            self._let_go(self.alive, SCALED_IN, surplus)
        while len(self._alive) < self.wanted and self._order():
            pass
        return surplus > 0

    def _roll(self, rollout: Rollout, old: list[Life]) -> bool:
        """One step of a rolling update."""
        surge, unavailable = rollout.limits(self.wanted)
        new = len(self._alive) - len(old)
        if new < self.wanted and len(self._alive) < self.wanted + surge and self._order():
            return True
        ready = sum(life.phase == "ready" for life in self._alive.values())
        unready = [life for life in old if life.phase != "ready"]
        if unready or ready > self.wanted - unavailable:
            self._let_go(unready or old, ROLLED, 1)
            return True
        return False

    def _let_go(self, lives: list[Life], why: int, count: int) -> None:
        """The first to go are those that are not ready, as in a ReplicaSet; then as the pool's drain says."""
        grace_s = self.pool.drain.grace_s
        for life in sorted(lives, key=self._rank)[:count]:
            life.drain(why if life.phase == "ready" else CANCELLED, math.inf if grace_s is None else grace_s)

    def _rank(self, life: Life) -> tuple[int, int, int]:
        """Those with the least go first."""
        ranks = ("pending", "starting", "down", "ready")
        first = self.pool.drain.first
        busy = 0
        if first == "least_busy" and life.phase == "ready":
            busy = int(self.state.replicas[life.row]["outstanding"])
        return ranks.index(life.phase), busy, life.number if first == "oldest" else -life.number

    def _order(self) -> bool:
        """Order one more; False when no row is free, because as many still drain."""
        if not self._free:
            return False
        self._new().order()
        return True

    def _new(self) -> Life:
        life = Life(self, len(self.lives), heappop(self._free), self.version)
        self.lives.append(life)
        self._alive[life.number] = life
        return life

    def spans(self) -> NDArray[Any]:
        """One row of `SPAN` for every replica there ever was, in the order of their orders."""
        spans = np.zeros(len(self.lives), SPAN)
        for span, life in zip(spans, self.lives, strict=True):
            span["pool"] = self.pool_row
            span["replica"] = life.index
            span["make"] = life.version * len(self.pool.offers) + life.offer
            span["spot"] = self.market.is_spot(life)
            for name in ("zone", "version", "why", "lost"):
                span[name] = getattr(life, name)
            for name in SPAN.names or ():
                if name.endswith("_s"):
                    span[name] = getattr(life, name)
        return spans

    def downs(self, first: int) -> NDArray[Any]:
        """Rows of `DOWN`: times that replicas were down and repaired in place; their spans count from `first`."""
        rows = [(first + life.number, *down) for life in self.lives for down in life.downs]
        return np.array(rows, DOWN)
