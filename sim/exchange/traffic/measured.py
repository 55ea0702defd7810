"""What is known of a stream of real requests, wherever it was recorded: counts by time, lengths, who gave up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.forecast import DemandHistory

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sampled:
    """Lengths one by one."""

    values: Floats
    """Tokens, shape (n,), in rising order, n >= 1."""

    @property
    def mean(self) -> float:
        """Tokens."""
        return float(self.values.mean())


@dataclass(frozen=True, eq=False)
class Bucketed:
    """Lengths by the buckets of a histogram."""

    bounds: Floats
    """Upper bounds in tokens, shape (buckets,), rising; the last may be infinite."""
    counts: Floats
    """Requests in each bucket, shape (buckets,), some above 0."""
    mean: float
    """Tokens, by the histogram's sum; NaN where that was not recorded."""


@dataclass(frozen=True)
class OnlyMean:
    """Lengths of which only the mean is known."""

    mean: float
    """Tokens."""


Lengths = Sampled | Bucketed | OnlyMean


@dataclass(frozen=True)
class GaveUp:
    """Requests whose client went away."""

    count: float
    share: float
    """Of all requests."""
    waited_s: float
    """Waiting of all requests, those answered too, up to where the client could still have gone away."""
    before_first_token: bool
    """Whether most went without having seen a token."""
    constant_s: float | None = None
    """When nearly all went after the same time: a timeout."""


@dataclass(frozen=True, eq=False)
class Traffic:
    """One stream."""

    name: str
    """Empty where there is only one."""
    counts: DemandHistory
    """Arrivals a second in short steps; holes are NaN."""
    dated: bool
    """Whether times are wall-clock times; else they count from the start of the recording."""
    prompt: Lengths
    output: Lengths
    requests: float
    arrival_s: Floats | None = None
    """Arrivals since the first step's start, in order, where each is known; shape (n,)."""
    rank_correlation: float | None = None
    """Of the lengths of prompts and answers."""
    cached_share: float | None = None
    gave_up: GaveUp | None = None
    notes: tuple[str, ...] = ()
