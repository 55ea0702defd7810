"""A factor that drifts at random around 1: what makes the rate of some arrival laws doubly stochastic."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sim.config.errors import ConfigError, Problem
from sim.config.units import AMOUNT, PositiveDuration
from sim.workload.rates import RateCurve

__all__ = ["Drift", "DriftCv", "drifting", "modulated"]

Floats = NDArray[np.float64]
CELLS = 64
"""In a correlation time: the marginal law of the factor is exact, its memory blurred by less than 1 %."""
_MOST_CELLS = 20_000_000

DriftCv = Annotated[float, AMOUNT.between(0.001, 10)]


class Drift(BaseModel):
    """A factor on a rate: lognormal with mean 1 at every instant, with a memory that fades (see the law `cox`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cv: Annotated[DriftCv, Field(description="Standard deviation of the factor.")]
    correlation: Annotated[PositiveDuration, Field(description="Time over which it forgets (by a factor e).")]


def drifting(
    rng: np.random.Generator, cv: float, correlation_s: float, horizon_s: float, key: str = "arrivals"
) -> tuple[Floats, Floats]:
    """When each cell starts, and the factor in it; both of shape (cells,), from 0 to at least the horizon.

    Its logarithm is a stationary Ornstein-Uhlenbeck process, constant over 1/64 of its correlation time. Raises
    `ConfigError` for too many cells; `key` holds the correlation time in the file.
    """
    step_s = correlation_s / CELLS
    if horizon_s / step_s > _MOST_CELLS:
        raise ConfigError(Problem("is too short for this horizon", f"{key}.correlation"))
    cells = int(horizon_s / step_s) + 2
    kept = math.exp(-1 / CELLS)
    fresh = math.sqrt(1 - kept * kept)
    shocks = rng.standard_normal(cells)
    shocks[1:] *= fresh
    states = accumulate(shocks.tolist(), lambda state, shock: kept * state + shock)
    log_rate = np.fromiter(states, dtype=np.float64, count=cells)
    variance = math.log1p(cv**2)
    log_rate *= math.sqrt(variance)
    log_rate -= variance / 2
    return np.arange(cells, dtype=np.float64) * step_s, np.exp(log_rate)


def modulated(curve: RateCurve, start_s: Floats, factor: Floats, horizon_s: float) -> RateCurve:
    """The curve times a factor that is constant from each start to the next, from 0 to at least the horizon."""
    turns = math.ceil(horizon_s / curve.period_s) if curve.periodic else 1
    knots = (np.arange(max(turns, 1))[:, np.newaxis] * curve.period_s + curve.start_s).ravel()
    grid = np.union1d(knots, start_s)
    grid = grid[: np.searchsorted(grid, horizon_s) + 1]
    at = np.searchsorted(knots, grid, side="right") - 1
    cell = at % len(curve.rate)
    times = factor[np.searchsorted(start_s, grid, side="right") - 1]
    slope = curve.slope[cell] * times
    rate = np.maximum(curve.rate[cell] + curve.slope[cell] * (grid - knots[at]), 0.0) * times
    width_s = np.diff(np.append(grid, grid[-1] + 1.0))
    before = np.append(0.0, np.cumsum(np.maximum(rate + slope * width_s / 2, 0.0) * width_s))
    return RateCurve(grid, width_s, rate, slope, before, periodic=False)
