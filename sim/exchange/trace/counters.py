"""How many requests wait and run, and how many replicas are ready, as steps over time: exact, one a change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.exchange.trace.window import Window, nanoseconds

if TYPE_CHECKING:
    from sim.exchange.served import Served
    from sim.exchange.trace.states import State

Ints = NDArray[np.int64]
Steps = Iterator[tuple[int, int]]
"""Time in nanoseconds, and the count from then on."""


def waiting(served: Served, pool: int, window: Window, most_ns: int) -> Steps:
    """Requests of a pool that have come and not started, those turned away not at all."""
    own = served.pool == pool
    gone_s = np.minimum(served.start_s[own], np.where(np.isinf(served.start_s[own]), served.client_end_s[own], np.inf))
    return _steps(nanoseconds(served.arrival_s[own], most_ns), nanoseconds(gone_s, most_ns), window)


def running(served: Served, pool: int, window: Window, most_ns: int) -> Steps:
    """Requests of a pool between start and end, as the summary's `time_average.running` counts them."""
    own = (served.pool == pool) & np.isfinite(served.start_s)
    came_ns, gone_ns = nanoseconds(served.start_s[own], most_ns), nanoseconds(served.client_end_s[own], most_ns)
    return _steps(came_ns, gone_ns, window)


def in_state(states: list[list[State]], name: str, window: Window) -> Steps:
    """Replicas that are in a state."""
    stretches = [(state.from_ns, state.to_ns) for life in states for state in life if state.name == name]
    came_ns, gone_ns = np.array(stretches, np.int64).reshape(-1, 2).T
    return _steps(came_ns, gone_ns, window)


def _steps(came_ns: Ints, gone_ns: Ints, window: Window) -> Steps:
    """The count at the window's start, then one step for each instant in it at which the count changes."""
    there = gone_ns > came_ns
    at_ns = np.concatenate((came_ns[there], gone_ns[there]))
    by = np.repeat(np.array([1, -1]), there.sum())
    instants, place = np.unique(np.maximum(at_ns, window.from_ns), return_inverse=True)
    level = np.cumsum(np.bincount(place, weights=by, minlength=len(instants))).astype(np.int64)
    before = None
    if not len(instants) or instants[0] > window.from_ns:
        yield window.from_ns, 0
        before = 0
    for time_ns, count in zip(instants.tolist(), level.tolist(), strict=True):
        if time_ns >= window.to_ns:
            return
        if count != before:
            yield time_ns, count
            before = count
