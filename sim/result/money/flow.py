"""Amounts that run up over time at piecewise constant rates: USD, GPU-seconds, kilowatt-hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Flow:
    """An amount from the run's start on, linear between its edges; so what it is over any stretch is exact."""

    edges_s: Array
    """Increasing, shape (n + 1,)."""
    total: Array
    """Up to each edge, same shape."""

    @staticmethod
    def of_rate(edges_s: Array, per_s: Array) -> Flow:
        """From a rate in each bin, shape (n,)."""
        return Flow(edges_s, np.concatenate(([0.0], np.cumsum(per_s * np.diff(edges_s)))))

    @staticmethod
    def of_parts(edges_s: Array, parts: Array) -> Flow:
        """From an amount in each bin, shape (n,)."""
        return Flow(edges_s, np.concatenate(([0.0], np.cumsum(parts))))

    def upto(self, at_s: Array) -> Array:
        """The amount up to each instant, same shape."""
        return np.interp(at_s, self.edges_s, self.total)

    def bins(self, edges_s: Array) -> Array:
        """The amount in each bin between edges, shape (bins,)."""
        return np.diff(self.upto(edges_s))

    def times(self, factor: float) -> Flow:
        """So many times the amount."""
        return Flow(self.edges_s, self.total * factor)


NOTHING = Flow(np.array((0.0, 1.0)), np.zeros(2))


def added(flows: Sequence[Flow], at_s: Array) -> Array:
    """The sum of some amounts up to each instant, same shape."""
    return np.sum([flow.upto(at_s) for flow in flows], axis=0) if flows else np.zeros(len(at_s))


def share_of(part: Array, whole: Array) -> Array:
    """part / whole, same shape; 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
