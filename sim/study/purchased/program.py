"""A mixed-integer linear program put together term by term, and its solution by HiGHS (scipy.optimize.milp)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import ConfigError

MOST_NODES = 20_000
"""Of the branch and bound: counted, so that the same program gives the same answer on any machine."""
GAP_SHARE = 1e-6
"""Between the answer and the best there may be, where branch and bound comes to its end."""


@dataclass(frozen=True)
class Solved:
    """The best values found."""

    values: NDArray[np.float64]
    cost: float
    gap_share: float


@dataclass
class Program:
    """Minimise the sum of cost times variable, under rows of bounds; variables are numbered as they are added."""

    costs: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    at: tuple[list[int], list[int], list[float]] = field(default_factory=lambda: ([], [], []))
    rows: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))

    def add(self, cost: float = 0.0, low: float = 0.0, high: float = math.inf, whole: bool = False) -> int:
        """One more variable; its number."""
        self.costs.append(cost)
        self.low.append(low)
        self.high.append(high)
        self.whole.append(whole)
        return len(self.costs) - 1

    def row(self, terms: Sequence[tuple[int, float]], low: float = -math.inf, high: float = math.inf) -> None:
        """One more condition: low <= sum of factor times variable <= high."""
        number = len(self.rows[0])
        for variable, factor in terms:
            self.at[0].append(number)
            self.at[1].append(variable)
            self.at[2].append(factor)
        self.rows[0].append(low)
        self.rows[1].append(high)

    def solve(self) -> Solved:
        """The best values. Raises `ConfigError` if no values keep all conditions."""
        from scipy import optimize, sparse

        shape = (len(self.rows[0]), len(self.costs))
        matrix = sparse.csr_matrix((self.at[2], (self.at[0], self.at[1])), shape=shape)
        found = optimize.milp(
            np.array(self.costs),
            integrality=np.array(self.whole, dtype=int),
            bounds=optimize.Bounds(np.array(self.low), np.array(self.high)),
            constraints=optimize.LinearConstraint(matrix, np.array(self.rows[0]), np.array(self.rows[1])),
            options={"mip_rel_gap": GAP_SHARE, "node_limit": MOST_NODES},
        )
        if found.x is None:
            raise ConfigError(f"no purchase keeps all limits (HiGHS: {found.message}); raise a quota or 'most'")
        values = np.where(np.array(self.whole), np.rint(found.x), found.x)
        return Solved(values, float(np.array(self.costs) @ values), float(found.mip_gap or 0.0))
