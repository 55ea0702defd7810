"""Where a run has forgotten how it began: MSER-5, and a look at whether what is left still drifts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.statistics.intervals import of_mean

BATCH = 5


@dataclass(frozen=True)
class Warmup:
    """How much of a series to leave out."""

    truncate: int
    """Values from the start."""
    is_long_enough: bool
    """Whether the rest is what the run settled in; if not, it is to be extended."""


def mser5(series: NDArray[np.float64]) -> Warmup:
    """The truncation that makes the standard error of what is left least, over batches of 5; at least 10 values.

    argmin over d of sum over the batches after d of (b - mean)^2 / (n - d)^2, for d up to half of the n batches (White
    1997; Franklin and White 2008). At the half itself the run was too short: it has not settled yet.
    """
    count = len(series) // BATCH
    assert count >= 2, "a series of at least 10 values"
    batches = series[: count * BATCH].reshape(count, BATCH).mean(axis=1)
    left = count - np.arange(count // 2 + 1)
    sums = np.cumsum(batches[::-1])[::-1][: len(left)]
    squares = np.cumsum((batches**2)[::-1])[::-1][: len(left)]
    values = (squares - sums**2 / left) / left.astype(np.float64) ** 2
    best = int(np.argmin(values))
    return Warmup(best * BATCH, best < count // 2)


def drifts(runs: NDArray[np.float64], truncate: int) -> bool:
    """Whether independent runs, shape (runs, values), still drift after a truncation; never known of fewer than 5.

    The later half of what is left against the earlier half, as differences within runs, at 95 %. MSER takes a slow
    and steady drift for noise where the run ends long before it does.
    """
    if len(runs) < 5:
        return False
    left = runs[:, truncate:]
    half = left.shape[1] // 2
    more = of_mean((left[:, -half:].mean(axis=1) - left[:, :half].mean(axis=1)).tolist())
    return more.low > 0 or more.high < 0
