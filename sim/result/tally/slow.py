"""What a price of slowness comes to, with requests told of in parts."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import REQUEST, UNFINISHED
from sim.pricing.slowness import AnySlowness, Charge, Seen
from sim.result.attempts import ended_s
from sim.result.groups import Group
from sim.result.money.slowness import seen_by


class Slow:
    """The sums of one price."""

    def __init__(self, price: AnySlowness, about: Group) -> None:
        self.price = price
        self.about = about
        self.requests = 0
        self.sums = price.sums(_seen(np.zeros(0, REQUEST), self, 0.0))
        self._unfinished: list[NDArray[np.void]] = []

    def add(self, rows: NDArray[np.void]) -> None:
        """Requests of the window. Those that never end are told of at the run's end; until then they are kept."""
        ended = rows["outcome"] != UNFINISHED
        if not ended.all():
            self._unfinished.append(rows[~ended])
            rows = rows[ended]
        seen = _seen(rows, self, math.inf)
        self.requests, self.sums = self.requests + len(seen), self.sums + self.price.sums(seen)

    def charge(self, ends_s: float, window_s: float) -> tuple[int, Charge]:
        """Of how many requests, and what it comes to, of a run that ends then and a window of this length."""
        seen = _seen(np.concatenate((np.zeros(0, REQUEST), *self._unfinished)), self, ends_s)
        requests = self.requests + len(seen)
        return requests, self.price.charge_of(self.sums + self.price.sums(seen), requests, window_s)


def _seen(rows: NDArray[np.void], slow: Slow, ends_s: float) -> Seen:
    return seen_by(rows, slow.price, slow.about.mask(rows), np.minimum(ended_s(rows), ends_s), math.nan)
