"""Work over time, by pool, of requests that end while it is not yet known when the fleet's later decisions will be."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sim.model.work import WorkLaw
from sim.result.tally.layout import RATES, Grid, grid


class Ramps:
    """Work that begins and ends, by the instants that it is asked at; see `sim.result.work`.

    Kept apart by iterations, tokens and squares, because what each of them takes is known of all requests together.
    """

    def __init__(self, pools: int, edges_s: NDArray[np.float64]) -> None:
        self.grid: Grid = grid(edges_s)
        self.sums: NDArray[np.float64] = np.zeros((pools, len(edges_s) + 1, RATES))

    def cut(self, at_s: Iterable[float]) -> None:
        """Ask at these instants too. None is before the latest that has been counted, unless it is known already."""
        edges_s = self.grid.edges_s
        wanted_s = np.union1d(edges_s, np.fromiter(at_s, np.float64))
        if len(wanted_s) == len(edges_s):
            return
        # all that a bin holds so far lies before what it is cut at: it goes to the first of its parts
        places = np.searchsorted(wanted_s, edges_s, side="right")
        sums = np.zeros((len(self.sums), len(wanted_s) + 1, RATES))
        sums[:, 0] = self.sums[:, 0]
        sums[:, places] = self.sums[:, 1:]
        self.grid, self.sums = grid(wanted_s), sums

    def done_s(self, law: WorkLaw, edges_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Replica-seconds of work at a pool up to each of some instants, which are among those that it is cut at."""
        upto = np.cumsum(self.sums[law.pool], axis=0)
        rates = upto[:, :3] @ _weights(law)
        moments = upto[:, 3:] @ _weights(law)
        places = np.searchsorted(self.grid.edges_s, edges_s)
        return np.asarray(rates[places] * (edges_s - self.grid.edges_s[0]) - moments[places])


def _weights(law: WorkLaw) -> NDArray[np.float64]:
    return np.array((law.s_per_iteration, law.s_per_new_token, law.s_per_square))
