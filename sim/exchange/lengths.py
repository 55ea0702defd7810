"""How long prompts and answers were: the law that a file's statistics give away, or none."""

from __future__ import annotations

from itertools import pairwise

from pydantic import ValidationError

from sim.exchange.documents import Fields
from sim.workload.distributions import Constant, Lognormal, Quantiles, Uniform
from sim.workload.law import Distribution

_SHARES = {
    "p1": 0.01, "p5": 0.05, "p10": 0.10, "p25": 0.25, "p50": 0.50, "median": 0.50, "p75": 0.75, "p90": 0.90,
    "p95": 0.95, "p99": 0.99,
}  # fmt: skip
_NEAR = 0.2
"""Quantiles whose mean is farther from the file's than this share tell too little of the law."""
_ENOUGH = 3


def length_law(
    statistics: Fields | None, mean: float, *, std: str = "std", percentiles: Fields | None = None
) -> Distribution[float] | None:
    """Quantiles between the least and the most if the file has them, else a lognormal of the file's deviation.

    `std` is what the file calls the deviation; `percentiles` holds the quantiles, if not `statistics` itself.
    """
    if statistics is None or mean <= 0:
        return None
    low, high = statistics.optional("min"), statistics.optional("max")
    if low is not None and low == high:
        return Constant[float](value=mean)
    try:
        found = _quantiles(percentiles or statistics, low, high, mean)
        return found if found is not None else _lognormal(low, high, mean, statistics.optional(std))
    except (ValidationError, OverflowError):
        return None  # numbers that no lengths have


def _lognormal(
    low: float | None, high: float | None, mean: float, deviation: float | None
) -> Distribution[float] | None:
    """The law of a deviation, within the least and the most."""
    if deviation is None:
        return None
    if deviation < 0.001 * mean:
        return Constant[float](value=mean)
    least, most = (low, high) if low is not None and high is not None and low < mean < high else (None, None)
    return Lognormal[float](mean=mean, cv=min(deviation / mean, 1000.0), min=least, max=most)


def _quantiles(place: Fields, low: float | None, high: float | None, mean: float) -> Distribution[float] | None:
    """The law of a file's percentiles, moved so that it has the file's mean."""
    told = {share: value for key, share in _SHARES.items() if (value := place.optional(key)) is not None}
    if len(told) < _ENOUGH or low is None or high is None:
        return None
    at = dict(sorted({0.0: low, **told, 1.0: high}.items()))
    if any(after < before for before, after in pairwise(at.values())):
        return None  # statistics of different requests
    law = Quantiles[float](at=at)
    shift = mean / law.mean_value if law.mean_value > 0 else 0.0
    if abs(shift - 1.0) > _NEAR:
        return None
    return Quantiles[float](at={share: value * shift for share, value in at.items()})


def uniform_from(low_share: float, longest: float, mean: float) -> Distribution[float] | None:
    """Lengths drawn evenly between a share of the longest and the longest; none if the mean says otherwise."""
    if low_share == 1.0:
        return Constant[float](value=mean)
    if not 0.0 <= low_share < 1.0 or abs((1.0 + low_share) / 2.0 * longest / mean - 1.0) > 0.1:
        return None
    return Uniform[float](low=low_share * longest, high=longest)
