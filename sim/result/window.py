"""What is measured: the requests that arrive, and the time that passes, between the warm-up's end and the horizon."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.scenario import Scenario


@dataclass(frozen=True)
class Window:
    """The measured stretch of a run: time in [start_s, end_s), requests in rows [first, last) of `RunLog.logical`.

    Where rows are not kept, there are none in it.
    """

    start_s: float
    end_s: float
    first: int
    last: int

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def rows(self) -> slice:
        """The requests whose first attempts arrive in the window: one slice, as rows stand in that order."""
        return slice(self.first, self.last)


def measured_window(scenario: Scenario, log: RunLog) -> Window:
    """The window of a run, from its warm-up to its horizon.

    Without a horizon the run ends with the trace's last arrival, and that arrival belongs to it.
    """
    start_s, end_s = float(scenario.warmup_s), float(log.edges_s[-1])
    if log.tally is not None:
        return Window(min(start_s, end_s), end_s, 0, 0)
    arrival_s = log.logical["arrival_s"]
    first = bisect_left(arrival_s, start_s)
    last = len(arrival_s) if scenario.horizon_s is None else bisect_left(arrival_s, end_s)
    return Window(min(start_s, end_s), end_s, first, max(first, last))
