"""The clock of a run: SimPy's environment, with events at an exact time and in a declared order.

SimPy orders events of one instant by the order of their creation, and `timeout(a - now)` fires at `now + (a - now)`,
which is not always `a`. Both calendars need better: at one instant completions come first (by replica row), then
control, then timers, then arrivals; and an event scheduled for `a` fires at `a`.
"""

from __future__ import annotations

import math
from heapq import heappush
from typing import Any

import simpy

COMPLETION = 2
"""Rank of a completion on replica row 0; row r has COMPLETION + r. SimPy's own ranks are 0 (urgent) and 1 (normal)."""
CONTROL = 1 << 40
NOTICE, LIFE, SCRAPE, DECIDE, SAMPLE = (CONTROL + order for order in range(5))
"""Control at one instant, in order: what the data plane told it, replicas that come and go, metrics, policies, samples.
"""
TIMER = 1 << 41
ARRIVAL = 1 << 42


class Alarm(simpy.Event):
    """An event that fires at `at_s`, exactly, in its rank; one at infinity never fires."""

    def __init__(self, clock: Clock, at_s: float, rank: int) -> None:
        # as simpy.Timeout does, without a call to the parent's: this is the hot line of the SimPy calendar
        self.env = clock
        self.callbacks = []
        if at_s < math.inf:
            assert at_s >= clock._now, f"an event at {at_s} s is in the past at {clock._now} s"
            self._ok = True
            self._value = None
            heappush(clock._queue, (at_s, rank, next(clock._eid), self))


class Clock(simpy.Environment):
    """A SimPy environment with ranked alarms."""

    def __init__(self) -> None:
        super().__init__(0.0)  # not the whole number 0, for which everything would be compiled once more

    _now: float
    _queue: list[Any]
    _eid: Any

    def at(self, at_s: float, rank: int = CONTROL) -> Alarm:
        """An event for a process to yield: it fires at `at_s` (seconds), after lower and before higher ranks."""
        return Alarm(self, at_s, rank)

    def next_is_internal(self) -> bool:
        """True when the next event is SimPy's own (a process starts or is interrupted), which goes before any rank."""
        return bool(self._queue) and self._queue[0][1] < COMPLETION
