"""What is kept of requests as they end, in a run that does not keep their rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.model.specs import PoolSpec
from sim.model.work import WorkLaw

if TYPE_CHECKING:
    from sim.result.log import DecisionRow
    from sim.scenario import Scenario


class Tally:
    """Sums over the requests of a run. Made before the run; told of every request once; asked afterwards."""

    def __init__(
        self,
        scenario: Scenario,
        specs: Sequence[PoolSpec],
        streams: tuple[str, ...],
        stream_class: tuple[int, ...],
        stream_tenant: tuple[int, ...],
        edges_s: NDArray[np.float64],
        decisions: Callable[[], Sequence[DecisionRow]],
    ) -> None:
        """`specs`, `streams`, `stream_class`, `stream_tenant`, `edges_s`: as those of the run's log.

        `decisions`: gives all decisions of the run until now, in any order (`Fleet.decisions`).
        """
        self.count = 0
        """Requests told of."""

    def add(self, rows: NDArray[np.void], now_s: float = math.inf) -> None:
        """Count some requests: rows of `REQUEST` in arrival order, each ended or, at the run's end, unfinished.

        `now_s`: how far the run is. What is decided later is decided at or after this time. The rows are not kept:
        they may be used again. Releases the interpreter for most of its time.
        """
        self.count += len(rows)

    def laws(self) -> tuple[WorkLaw, ...]:
        """How much work requests are, by pool (`RunLog.work`), by the mix of all that were counted."""
        raise NotImplementedError
