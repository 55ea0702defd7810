"""How much work of a pool's requests is to come: what only a clairvoyant knows."""

from __future__ import annotations

import math

import numpy as np

from sim.model.work import Floats


class Work:
    """The work of one pool's requests by their time of arrival.

    A run ends and traffic does not: after `ends_s`, the end of arrivals, it goes on as it was before, backwards. Else
    who looks ahead would give its replicas back a while before the end, and seem cheaper than it is.
    """

    def __init__(self, arrival_s: Floats, work_s: Floats, ends_s: float = math.inf) -> None:
        self._arrival_s = arrival_s
        self._before_s = np.concatenate(([0.0], np.cumsum(work_s)))
        self._ends_s = ends_s

    def ahead(self, at_s: float, over_s: float) -> float:
        """Replica-seconds of work that arrive in [at_s, at_s + over_s), per second."""
        return (self._until(at_s + over_s) - self._until(at_s)) / over_s if over_s > 0 else 0.0

    def _until(self, at_s: float) -> float:
        """Replica-seconds of work that arrive before a time."""
        if at_s > self._ends_s:
            return 2 * self._until(self._ends_s) - self._until(2 * self._ends_s - at_s)
        return float(self._before_s[np.searchsorted(self._arrival_s, at_s)])
