"""Intervals of figures from independent replications: means, ratios of means, quantiles of pooled requests."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CONFIDENCE = 0.95
LEAST_BEYOND = 100
"""Requests that must lie beyond a quantile for it to be told: fewer say little of where it is."""


@dataclass(frozen=True)
class Interval:
    """An estimate and how far off it may be."""

    estimate: float
    half_width: float
    """Infinite from a single replication, which says nothing of chance."""
    below: float | None = None
    """How far the lower end is, where it is nearer than the upper one; None: as far."""

    @property
    def low(self) -> float:
        """The lower end."""
        return self.estimate - (self.half_width if self.below is None else self.below)

    @property
    def high(self) -> float:
        """The upper end."""
        return self.estimate + self.half_width

    def within(self, relative: float) -> bool:
        """Whether the true value is likely within this share of itself.

        The half width over the estimate must be at most relative / (1 + relative), which keeps the error relative to
        the true value, not to the estimate (Law, section 9.4.1). An interval of width 0 is precise, at 0 too.
        """
        if self.half_width == 0:
            return True
        return self.half_width <= abs(self.estimate) * relative / (1 + relative)


@cache
def student_t(confidence: float, degrees: int) -> float:
    """The two-sided quantile of Student's t."""
    from scipy import special  # scipy.stats takes a second to import, longer than many a run

    return float(special.stdtrit(degrees, (1 + confidence) / 2))


def one_sided(confidence: float) -> float:
    """The confidence of the two-sided interval whose ends are, each alone, bounds of this confidence; at least 0.5.

    What may lie beyond one end is all of 1 - c, so beyond both it is 2 (1 - c), and 2 c - 1 is left between them.
    """
    assert confidence >= 0.5, "a bound on the far side of the estimate bounds nothing"
    return 2 * confidence - 1


def of_mean(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The mean of what independent replications gave, one number each; at least one."""
    found = np.asarray(values, np.float64)
    if len(found) < 2:
        return Interval(float(found[0]), math.inf)
    if (found == found[0]).all():  # what no randomness touches: exact, and no rounding of sums beside it
        return Interval(float(found[0]), 0.0)
    mean = float(found.mean())
    error = float(found.std(ddof=1)) / math.sqrt(len(found))
    return Interval(mean, student_t(confidence, len(found) - 1) * error)


def of_ratio(parts: Sequence[float], wholes: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The ratio of two sums over replications, such as SLO attainment or cost per request; the wholes sum above 0.

    R = sum y / sum x, with the variance of its linearisation, sum (y - R x)^2 / ((n - 1) n mean(x)^2). The mean of the
    replications' own ratios would be biased where x varies.
    """
    y, x = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    ratio = float(y.sum() / x.sum())
    count = len(y)
    if count < 2:
        return Interval(ratio, math.inf)
    variance = float(((y - ratio * x) ** 2).sum()) / ((count - 1) * count * float(x.mean()) ** 2)
    return Interval(ratio, student_t(confidence, count - 1) * math.sqrt(variance))


def of_all_alike(share: float, count: float, confidence: float = CONFIDENCE) -> Interval:
    """A share of which all that was seen is on one side: 0 or 1, of so many independent things, at least one.

    No spread is seen then, and no other interval has a width. Each end is a bound: with `a` beyond it, `1 - a^(1/n)`
    may be otherwise (Clopper & Pearson 1934; for 95 % one-sided the rule of three, 3 / n).
    """
    return Interval(share, -math.expm1(math.log((1 - confidence) / 2) / count))


def of_sections(together: float, each: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """A figure of all replications together, such as a quantile of their pooled requests, by sectioning.

    `together`: that figure, the estimate; `each`: the same figure of the single replications. The interval is
    centred on the first, which is less biased than the mean of the others (sectioning, not batching). For a quantile,
    the interval by order statistics of the pooled requests would be far too narrow: those of one run are not
    independent.
    """
    found = np.asarray(each, np.float64)
    count = len(found)
    if count < 2:
        return Interval(together, math.inf)
    spread = math.sqrt(float(((found - together) ** 2).sum()) / ((count - 1) * count))
    return Interval(together, student_t(confidence, count - 1) * spread)


def of_quantile(
    quantile: Callable[[float], float],
    share: float,
    beyond: Sequence[float],
    counts: Sequence[float],
    confidence: float = CONFIDENCE,
) -> Interval | None:
    """A quantile of the pooled requests of all replications, from how many of each lie beyond it (Woodruff 1952).

    `quantile`: of the pooled requests, by share; `beyond`: of each replication, its requests above that quantile;
    `counts`: all of its requests. The share beyond is a ratio of sums, whose interval (by its logarithm: a share is
    above 0) is read back as values of the pooled requests. Above the estimate it is as wide as on its longer side. None
    where nothing is beyond, or next to nothing else.

    Sectioning takes the spread of the replications' own quantiles instead. In the long run both are the same, but where
    a few replications hold most of the tail, as under bursts, their own quantiles do not say so, and its intervals are
    too short: 82 % held what 95 % should (tests/validation/coverage.py).
    """
    estimate = quantile(share)
    if len(counts) < 2:
        return Interval(estimate, math.inf)
    if not sum(beyond) > 0:
        return None
    above = of_ratio(beyond, counts, confidence)
    exponent = above.half_width / above.estimate
    if exponent >= -math.log(1 - share):
        return None
    low, high = 1 - (1 - share) * math.exp(exponent), 1 - (1 - share) * math.exp(-exponent)
    below, upto = estimate - quantile(low), quantile(high) - estimate
    return Interval(estimate, max(below, upto), below)


def missing_for_tail(count: int, share: float) -> int:
    """How many more requests it takes before this quantile may be told; 0: there are enough."""
    return max(math.ceil(LEAST_BEYOND / (1 - share) - 1e-9) - count, 0)


def order_statistics(count: int, share: float, confidence: float = CONFIDENCE) -> tuple[int, int]:
    """Ranks (from 1) between which a quantile of independent values lies; the upper may be count + 1: not known.

    The binomial interval with equal tails. For independent things only, one a replication, such as each day's worst
    minute; never for requests of one run.
    """
    from scipy import stats

    tail = (1 - confidence) / 2
    low = int(stats.binom.ppf(tail, count, share))
    high = int(stats.binom.ppf(1 - tail, count, share)) + 1
    return max(low, 1), high


def least_for_bound(share: float, confidence: float = CONFIDENCE) -> int:
    """The least number of independent values whose largest is above a quantile with this confidence."""
    return math.ceil(math.log(1 - confidence) / math.log(share) - 1e-12)
