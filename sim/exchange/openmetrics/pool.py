"""What is known of a pool and of none of its replicas: a central queue, requests that moved, KV memory, replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.exchange.openmetrics.scrapes import Floats, Ints, Scrapes, Stretch
from sim.exchange.trace.states import BOOTING, DOWN, DRAINING, READY, states_of
from sim.result.fleet import integrals_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.exchange.served import Served
    from sim.result.log import RunLog


def queued_at_replica(served: Served, per_replica: list[bool]) -> NDArray[np.bool_]:
    """Which attempts waited, if at all, in the queue of the replica that they ended up at: all the time; shape (n,)."""
    ready_s = np.append([life.ready_s for life in served.lives], np.inf)[served.life]
    return np.asarray(served.known & (served.arrival_s >= ready_s) & np.array(per_replica)[served.pool])


def running(served: Served, pool: int, stretch: Stretch) -> Ints:
    """Requests at each sample that were in a batch, it is not known which."""
    own = (served.pool == pool) & ~served.known & np.isfinite(served.start_s)
    return stretch.there(served.start_s[own], np.maximum(served.end_s[own], served.start_s[own]))


def waiting(served: Served, pool: int, queued: NDArray[np.bool_], stretch: Stretch) -> Ints:
    """Requests at each sample that waited elsewhere than in the queue of a known replica."""
    own = (served.pool == pool) & ~queued
    return stretch.there(served.arrival_s[own], np.minimum(served.start_s[own], served.end_s[own]))


def kv_share(log: RunLog, pool: int, scrapes: Scrapes) -> tuple[Stretch, Floats]:
    """The mean KV share between each sample and the one before it, up to the horizon; nothing without KV memory."""
    times_s = scrapes.times_s[scrapes.times_s <= log.edges_s[-1]]
    used = integrals_at(log.samples, times_s, [pool])
    there = np.diff(used["kv_capacity_s"])
    if not (there > 0).all() or not len(there):
        return Stretch(1, times_s[:0]), np.empty(0)
    return Stretch(1, times_s[1:]), np.diff(used["kv_tokens_s"]) / there


def replicas(log: RunLog, served: Served, pool: int, stretch: Stretch) -> tuple[Ints, Ints]:
    """Replicas at each sample: all that are paid, and those that take requests."""
    most_ns = round(log.end_s * 1e9)
    states = [state for life in served.lives if life.pool == pool for state in states_of(log, life, most_ns)]

    def among(*names: str) -> Ints:
        times = np.array([state[1:] for state in states if state.name in names], np.float64).reshape(-1, 2)
        times_s = np.where(times >= most_ns, np.inf, times / 1e9)
        return stretch.there(times_s[:, 0], times_s[:, 1])

    return among(BOOTING, READY, DRAINING, DOWN), among(READY)
