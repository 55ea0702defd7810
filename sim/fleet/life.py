"""The life of one replica: ordered, node, image, weights, engine, ready, draining, gone.

A SimPy process while it waits. Stages that take no time cause no event, so a replica that boots in 0 s serves at the
instant it is ordered.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import simpy

from sim.fleet.clock import LIFE
from sim.model import lives
from sim.result.log import STILL

if TYPE_CHECKING:
    from sim.fleet.deployment import Deployment

Phase = Literal["pending", "starting", "ready", "down", "draining", "gone"]


class Life:
    """One replica, in one row of the model's table for as long as it lives."""

    def __init__(self, deployment: Deployment, number: int, index: int, version: int) -> None:
        self.deployment = deployment
        self.number = number
        """Counts the pool's replicas from the first one ordered; tells its randomness from that of others."""
        self.index = index
        """Its row within the pool."""
        self.version = version
        self.offer = 0
        self.zone = 0
        self.phase: Phase = "pending"
        self.why = STILL
        self.lost = 0
        self.ordered_s = deployment.clock.now
        self.launched_s = self.image_s = self.weights_s = self.engine_s = math.inf
        self.ready_s = self.draining_s = self.gone_s = math.inf
        self.opened_s = math.inf
        """When it last became ready: at first, or after a repair."""
        self.busy_before_s = 0.0
        """Busy time of its row until then, by those that had it before."""
        self.serving = 0
        """How often it has become ready."""
        self.downs: list[tuple[float, float]] = []
        self._rngs: dict[str, np.random.Generator] = {}
        self._process: simpy.Process | None = None
        self._grace_ends_s = math.inf

    @property
    def row(self) -> int:
        """Its row in the model's table."""
        return self.deployment.row0 + self.index

    def rng(self, name: str) -> np.random.Generator:
        """This replica's own stream for one purpose; the same whatever other replicas do."""
        if name not in self._rngs:
            self._rngs[name] = self.deployment.rng(name, self.number)
        return self._rngs[name]

    def order(self) -> None:
        """Begin to come up."""
        self._start(self._come_up())

    def be_there(self) -> None:
        """Be ready at once: the run begins with it."""
        self.offer, self.zone = self.deployment.market.first(self)
        self.launched_s = self.image_s = self.weights_s = self.engine_s = self.deployment.clock.now
        self._open()

    def drain(self, why: int, grace_s: float) -> None:
        """Take no more requests, end those that are begun; after `grace_s` be killed. Before it is ready, just end."""
        deployment = self.deployment
        if self.phase != "ready":
            self.end(why)
            return
        self.phase = "draining"
        deployment.counts_no_more(self)
        self.why = why
        self.draining_s = deployment.clock.now
        redirect = deployment.pool.drain.queued == "redirect"
        if lives.drain_replica(deployment.state, self.row, deployment.clock.now, redirect):
            self.end(why)
            return
        deployment.draining[self.row] = self
        self._grace_ends_s = math.inf
        if grace_s < math.inf:
            self._start(self._grace(grace_s))
        deployment.changed()

    def reclaim(self, why: int, notice_s: float) -> None:
        """Be taken back: end what can be ended within the notice."""
        if self.phase != "draining":
            self.drain(why, notice_s)
        elif self._grace_ends_s > self.deployment.clock.now + notice_s:
            self.why = why
            self._start(self._grace(notice_s))

    def end(self, why: int) -> None:
        """Be gone, now; what it was doing is lost."""
        deployment, now_s = self.deployment, self.deployment.clock.now
        assert self.phase != "gone", f"replica {self.number} is gone already"
        serving = self.phase in ("ready", "draining")
        deployment.draining.pop(self.row, None)
        deployment.counts_no_more(self)
        self.phase = "gone"
        self.why = why
        self.gone_s = now_s
        self._stop()
        if serving:
            self._close()
        if self.downs and self.downs[-1][1] == math.inf:
            self.downs[-1] = (self.downs[-1][0], now_s)
        deployment.left(self)

    def fail(self, repair_s: float | None, why: int) -> None:
        """Fail while it serves: be repaired in place, or (None) be gone."""
        if self.phase != "ready" or repair_s is None:
            self.end(why)
            return
        self.phase = "down"
        self._close()
        self.downs.append((self.deployment.clock.now, math.inf))
        self._start(self._repair(repair_s))
        self.deployment.changed()

    def _come_up(self) -> Generator[Any, Any, None]:
        deployment, clock = self.deployment, self.deployment.clock
        try:
            yield from deployment.market.grant(self)
            self.launched_s = clock.now
            node_s, image_s, weights_s, engine_s = deployment.boot_s(self)
            yield from self._pass(node_s)
            self.image_s = clock.now
            yield from self._pass(image_s)
            self.phase = "starting"
            self.weights_s = clock.now
            yield from self._pass(weights_s)
            self.engine_s = clock.now
            yield from self._pass(engine_s)
        except simpy.Interrupt:
            return
        self._process = None
        self._open()

    def _grace(self, grace_s: float) -> Generator[Any, Any, None]:
        self._grace_ends_s = self.deployment.clock.now + grace_s
        try:
            yield from self._pass(grace_s)
        except simpy.Interrupt:
            return
        self._process = None
        self.end(self.why)

    def _repair(self, repair_s: float) -> Generator[Any, Any, None]:
        try:
            yield from self._pass(repair_s)
        except simpy.Interrupt:
            return
        self._process = None
        self.downs[-1] = (self.downs[-1][0], self.deployment.clock.now)
        self._open()

    def _pass(self, length_s: float) -> Generator[Any, Any, None]:
        if length_s > 0:
            clock = self.deployment.clock
            yield clock.at(clock.now + length_s, LIFE)

    def _open(self) -> None:
        deployment = self.deployment
        self.phase = "ready"
        self.serving += 1
        if self.serving == 1:
            self.ready_s = deployment.clock.now
        self.opened_s = deployment.clock.now
        self.busy_before_s = float(deployment.state.replicas[self.row]["busy_s"])
        make = deployment.make_row(self.offer, self.version)
        lives.open_replica(deployment.state, self.row, deployment.clock.now, make)
        deployment.watch(self)
        if deployment.rollout is not None:
            deployment.changed()

    def _close(self) -> None:
        deployment = self.deployment
        lost = deployment.pool.drain.lost
        self.lost += lives.close_replica(deployment.state, self.row, deployment.clock.now, lost)

    def _start(self, steps: Generator[Any, Any, None]) -> None:
        self._stop()
        self._process = self.deployment.clock.process(steps)

    def _stop(self) -> None:
        """End what it waits for. A process that is at this very line ends by itself."""
        process, self._process = self._process, None
        if process is not None and process.is_alive and process is not self.deployment.clock.active_process:
            process.interrupt()
