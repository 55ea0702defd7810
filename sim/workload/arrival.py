"""What every law of arrival times shares."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from sim.workload.randomness import RngOf

__all__ = ["Arrivals"]

Floats = NDArray[np.float64]


class Arrivals(BaseModel):
    """A law of arrival times."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    kind: str

    @abstractmethod
    def arrivals(self, rng_of: RngOf, horizon_s: float) -> Floats:
        """Sorted times in [0, horizon_s), shape (n,); those before t do not depend on the horizon."""

    def pieces(self, rng_of: RngOf, horizon_s: float, rows: int) -> Iterator[Floats]:
        """The same times in pieces of about `rows`, for runs that do not hold all of them at once.

        A law that does not say how makes all of them and cuts them.
        """
        times = self.arrivals(rng_of, horizon_s)
        for at in range(0, len(times), rows):
            yield times[at : at + rows]

    @abstractmethod
    def mean_rate(self, horizon_s: float) -> float:
        """Expected arrivals a second, over [0, horizon_s)."""

    @property
    def dispersion(self) -> float | None:
        """Variance over mean of the counts of long times: 1 for a Poisson process.

        None where the mean rate changes with time, or depends on how soon requests are answered.
        """
        return None
