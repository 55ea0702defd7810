"""The sampler: a SimPy process that writes down, at given instants, the integrals of every pool."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.fleet.clock import SAMPLE as RANK
from sim.fleet.clock import Clock
from sim.model import transitions
from sim.model.tables import State
from sim.result.log import SAMPLE

MOST_BINS = 300
WIDTHS_S = [
    *(base * 10.0**power for power in range(-6, 1) for base in (1, 2, 5)),
    *(10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 21600.0, 43200.0, 86400.0),
]


def edges(horizon_s: float) -> NDArray[np.float64]:
    """Edges of the timeline: round widths, at most 300 bins (beyond 300 days: days); the last one may be shorter."""
    width_s = next((width for width in WIDTHS_S if horizon_s / width <= MOST_BINS), 86400.0)
    inner = np.arange(0, int(np.ceil(horizon_s / width_s))) * width_s
    return np.append(inner[inner < horizon_s], horizon_s)


class Sampler:
    """Samples at `times_s` (sorted, unique); afterwards `rows()` holds one row of `SAMPLE` a pool and time."""

    def __init__(self, clock: Clock, state: State, times_s: NDArray[np.float64]) -> None:
        self.clock = clock
        self.state = state
        self.pools = int((state.pools["home"] == np.arange(len(state.pools))).sum())
        self.samples = np.zeros((len(times_s), self.pools), SAMPLE)
        self.process = clock.process(self._run(times_s))

    def _run(self, times_s: NDArray[np.float64]) -> Generator[Any, Any, None]:
        for row, at_s in zip(self.samples, times_s.tolist(), strict=True):
            yield self.clock.at(at_s, RANK)
            for pool_row, pool in enumerate(self.state.pools[: self.pools]):
                row[pool_row] = (at_s, pool_row, int(pool["ready"]), *transitions.sample(self.state, pool_row, at_s))

    def rows(self) -> NDArray[Any]:
        """All samples in time order."""
        return self.samples.reshape(-1)
