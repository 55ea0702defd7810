"""Distributions of lengths, gaps and service times. Owns every law of one number; `AnyDistribution` is the registry.

A law is written over a quantity: `DurationLaw` reads its values as durations (`5.5s`), `TokenLaw` as amounts (`4k`).
Row i of a draw depends only on the rows before it, so a longer draw starts with the shorter one and drawing in pieces
gives the same numbers as drawing at once.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeAlias, Union, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.config.curves import once_each
from sim.config.said import said
from sim.config.units import AMOUNT, Amount, Duration, PositiveAmount, PositiveBandwidth, PositiveCount, Share
from sim.workload.law import Distribution, Floats, Q
from sim.workload.rows import read_table

__all__ = ["AnyDistribution", "Constant", "Distribution", "DurationLaw", "TokenLaw", "bandwidths", "durations_or"]

Cv = Annotated[float, AMOUNT.between(0.001, 1000)]
"""A coefficient of variation: standard deviation over mean."""
WeibullCv = Annotated[float, AMOUNT.between(0.01, 100)]
Sigma = Annotated[float, AMOUNT.between(0, 10)]
_P99 = 2.3263478740408408  # the standard normal's 99th percentile


class Constant(Distribution[Q], Generic[Q]):
    """Always the same value."""

    kind: Literal["constant"] = "constant"
    value: Q

    def _draw(self, rng: np.random.Generator, n: int) -> Floats:
        return np.full(n, float(self.value))

    def _mean(self) -> float:
        return self.value

    def _mean_square(self) -> float:
        return self.value**2


class Exponential(Distribution[Q], Generic[Q]):
    """Memoryless; its coefficient of variation is 1."""

    kind: Literal["exponential"] = "exponential"
    mean: Q

    def _draw(self, rng: np.random.Generator, n: int) -> Floats:
        return rng.standard_exponential(n) * self.mean

    def _mean(self) -> float:
        return self.mean

    def _mean_square(self) -> float:
        return 2 * self.mean**2


class Erlang(Distribution[Q], Generic[Q]):
    """The sum of `phases` exponentials; its coefficient of variation is 1/sqrt(phases)."""

    kind: Literal["erlang"] = "erlang"
    phases: PositiveCount
    mean: Q

    def _draw(self, rng: np.random.Generator, n: int) -> Floats:
        return rng.standard_gamma(self.phases, n) * (self.mean / self.phases)

    def _mean(self) -> float:
        return self.mean

    def _mean_square(self) -> float:
        return self.mean**2 * (1 + 1 / self.phases)


class Gamma(Distribution[Q], Generic[Q]):
    """By mean and cv, or by shape and scale."""

    kind: Literal["gamma"] = "gamma"
    mean: Q | None = None
    cv: Cv | None = None
    shape: PositiveAmount | None = None
    scale: Q | None = None

    def _check_parameters(self) -> None:
        self._one_of(("mean", "cv"), ("shape", "scale"))

    @property
    def _shape_scale(self) -> tuple[float, float]:
        if self.shape is not None and self.scale is not None:
            return self.shape, self.scale
        assert self.mean is not None
        assert self.cv is not None
        return self.cv**-2, self.mean * self.cv**2

    def _draw(self, rng: np.random.Generator, n: int) -> Floats:
        shape, scale = self._shape_scale
        return rng.standard_gamma(shape, n) * scale

    def _mean(self) -> float:
        return math.prod(self._shape_scale)

    def _mean_square(self) -> float:
        shape, scale = self._shape_scale
        return shape * (shape + 1) * scale**2


class Weibull(Distribution[Q], Generic[Q]):
    """By mean and cv, or by shape and scale."""

    kind: Literal["weibull"] = "weibull"
    mean: Q | None = None
    cv: WeibullCv | None = None
    shape: PositiveAmount | None = None
    scale: Q | None = None

    def _check_parameters(self) -> None:
        self._one_of(("mean", "cv"), ("shape", "scale"))
        if self.shape is not None and self.shape < 0.05:
            raise said(f"must be at least 0.05, got {self.shape:g}", "shape")

    @property
    def _shape_scale(self) -> tuple[float, float]:
        if self.shape is not None and self.scale is not None:
            return self.shape, self.scale
        assert self.mean is not None
        assert self.cv is not None
        shape = _weibull_shape(self.cv)
        return shape, self.mean / math.gamma(1 + 1 / shape)

    def _draw(self, rng: np.random.Generator, n: int) -> Floats:
        shape, scale = self._shape_scale
        values = rng.standard_exponential(n)
        np.power(values, 1 / shape, out=values)
        values *= scale
        return values

    def _mean(self) -> float:
        shape, scale = self._shape_scale
        return scale * math.gamma(1 + 1 / shape)

    def _mean_square(self) -> float:
        shape, scale = self._shape_scale
        return scale**2 * math.gamma(1 + 2 / shape)


def _weibull_shape(cv: float) -> float:
    """The shape with this coefficient of variation: cv^2 + 1 = G(1 + 2/k) / G(1 + 1/k)^2, by bisection in log k."""
    low, high = math.log(0.05), math.log(1000.0)
    for _ in range(80):  # halving 10 nats 80 times: down to the last bit
        middle = (low + high) / 2
        k = math.exp(middle)
        if math.lgamma(1 + 2 / k) - 2 * math.lgamma(1 + 1 / k) > math.log1p(cv * cv):
            low = middle
        else:
            high = middle
    return math.exp(low)


class Lognormal(Distribution[Q], Generic[Q]):
    """By mean and cv; by mu and sigma of the logarithm; or by median and one of p99, sigma, cv."""

    kind: Literal["lognormal"] = "lognormal"
    mean: Q | None = None
    cv: Cv | None = None
    mu: Annotated[float | None, Field(allow_inf_nan=False, ge=-50, le=50, description="Mean of ln(value).")] = None
    sigma: Sigma | None = None
    median: Q | None = None
    p99: Q | None = None

    def _check_parameters(self) -> None:
        self._one_of(("mean", "cv"), ("mu", "sigma"), ("median", "p99"), ("median", "sigma"), ("median", "cv"))
        for name in ("mean", "median"):
            if getattr(self, name) == 0:
                raise said("must be above 0, got 0", name)
        if self.p99 is not None and self.median is not None and self.p99 <= self.median:
            raise said(f"must be above the median ({self.median:g}), got {self.p99:g}", "p99")

    @property
    def _mu_sigma(self) -> tuple[float, float]:
        sigma = self.sigma if self.cv is None else math.sqrt(math.log1p(self.cv**2))
        if self.median is not None:
            mu = math.log(self.median)
            if sigma is None:
                assert self.p99 is not None
                sigma = (math.log(self.p99) - mu) / _P99
            return mu, sigma
        assert sigma is not None
        if self.mu is not None:
            return self.mu, sigma
        assert self.mean is not None
        return math.log(self.mean) - sigma**2 / 2, sigma

    def _draw(self, rng: np.random.Generator, n: int) -> Floats:
        mu, sigma = self._mu_sigma
        values = rng.standard_normal(n)
        values *= sigma
        values += mu
        return np.exp(values, out=values)

    def _mean(self) -> float:
        mu, sigma = self._mu_sigma
        return math.exp(mu + sigma**2 / 2)

    def _mean_square(self) -> float:
        mu, sigma = self._mu_sigma
        return math.exp(2 * mu + 2 * sigma**2)


class Uniform(Distribution[Q], Generic[Q]):
    """Equally likely between low and high."""

    kind: Literal["uniform"] = "uniform"
    low: Q
    high: Q

    def _check_parameters(self) -> None:
        if self.low > self.high:
            raise said(f"must be at most high ({self.high:g}), got {self.low:g}", "low")

    def _draw(self, rng: np.random.Generator, n: int) -> Floats:
        values = rng.random(n)
        values *= self.high - self.low
        values += self.low
        return values

    def _mean(self) -> float:
        return (self.low + self.high) / 2

    def _mean_square(self) -> float:
        return (self.low**2 + self.low * self.high + self.high**2) / 3


class Hyperexponential(Distribution[Q], Generic[Q]):
    """One of several exponentials, by their shares and means; or two with balanced means, by mean and cv."""

    kind: Literal["hyperexponential"] = "hyperexponential"
    p: tuple[Share, ...] | None = None
    means: tuple[Q, ...] | None = None
    mean: Q | None = None
    cv: Cv | None = None

    def _check_parameters(self) -> None:
        self._one_of(("p", "means"), ("mean", "cv"))
        if self.cv is not None and self.cv < 1:
            raise said(f"must be at least 1 for a hyperexponential law, got {self.cv:g}; try gamma", "cv")
        if self.p is not None and self.means is not None:
            if len(self.p) != len(self.means):
                raise said(f"must be as many as p ({len(self.p)}), got {len(self.means)}", "means")
            if abs(math.fsum(self.p) - 1) > 1e-6:
                raise said(f"must sum to 1, got {math.fsum(self.p):g}", "p")

    @property
    def _branches(self) -> tuple[Floats, Floats]:
        """Shares and means of the branches, each of shape (branches,)."""
        if self.p is not None and self.means is not None:
            return np.array(self.p), np.array(self.means, dtype=float)
        assert self.mean is not None
        assert self.cv is not None
        square = self.cv**2
        share = (1 + math.sqrt((square - 1) / (square + 1))) / 2
        return np.array([share, 1 - share]), np.array([self.mean / (2 * share), self.mean / (2 * (1 - share))])

    def _draw(self, rng: np.random.Generator, n: int) -> Floats:
        shares, means = self._branches
        uniform = rng.random((n, 2))  # two a row, so that a longer draw starts with the shorter one
        edges = np.cumsum(shares)[:-1] / shares.sum()
        branch = np.searchsorted(edges, uniform[:, 0], side="right")
        result: Floats = -np.log1p(-uniform[:, 1]) * means[branch]
        return result

    def _mean(self) -> float:
        shares, means = self._branches
        return float(shares @ means / shares.sum())

    def _mean_square(self) -> float:
        shares, means = self._branches
        return float(2 * shares @ means**2 / shares.sum())


class Quantiles(Distribution[Q], Generic[Q]):
    """A measured law by its quantiles: value at each share, linear in between. Starts at share 0, ends at 1."""

    kind: Literal["quantiles"] = "quantiles"
    at: Annotated[dict[Share, Q], once_each("share"), Field(description="Share of draws at or below, to value.")]

    def _check_parameters(self) -> None:
        shares, values = list(self.at), list(self.at.values())
        if len(shares) < 2 or shares[0] != 0 or shares[-1] != 1:
            raise said("must start at share 0 and end at share 1", "at")
        for before, after in pairwise(shares):
            if after <= before:
                raise said(f"shares must rise, got {after:g} after {before:g}", "at")
        for low, high in pairwise(values):
            if high < low:
                raise said(f"values must not fall, got {high:g} after {low:g}", "at")

    def _draw(self, rng: np.random.Generator, n: int) -> Floats:
        shares, values = np.array(list(self.at)), np.array(list(self.at.values()), dtype=float)
        drawn: Floats = np.interp(rng.random(n), shares, values)
        return drawn

    def _mean(self) -> float:
        points = pairwise(self.at.items())
        return math.fsum((high + low) / 2 * (after - before) for (before, low), (after, high) in points)

    def _mean_square(self) -> float:
        points = pairwise(self.at.items())
        return math.fsum(
            (low * low + low * high + high * high) / 3 * (after - before) for (before, low), (after, high) in points
        )


class Histogram(Distribution[Q], Generic[Q]):
    """A measured law by its values and their weights, inline or from a CSV file with columns value and weight."""

    kind: Literal["histogram"] = "histogram"
    values: tuple[Q, ...] | None = None
    weights: tuple[Amount, ...] | None = None
    file: Annotated[str | None, Field(description="CSV file with columns value (in base units) and weight.")] = None

    def _check_parameters(self) -> None:
        self._one_of(("values", "weights"), ("file",))
        if self.values is not None and self.weights is not None:
            if len(self.values) != len(self.weights):
                raise said(f"must be as many as values ({len(self.values)}), got {len(self.weights)}", "weights")
            if not sum(self.weights) > 0:
                raise said("must sum to more than 0", "weights")

    @property
    def source_file(self) -> str | None:
        return self.file

    @property
    def _table(self) -> tuple[Floats, Floats]:
        """Values and their shares, each of shape (bins,); read from the file, if there is one."""
        if self.file is not None:
            columns = read_table(self.file, ("value", "weight"), some_above_zero="weight")
            values, weights = columns["value"], columns["weight"]
        else:
            assert self.values is not None
            assert self.weights is not None
            values, weights = np.array(self.values, dtype=float), np.array(self.weights)
        return values, weights / weights.sum()

    def _draw(self, rng: np.random.Generator, n: int) -> Floats:
        values, shares = self._table
        bins: NDArray[np.intp] = np.searchsorted(np.cumsum(shares)[:-1], rng.random(n), side="right")
        drawn: Floats = values[bins]
        return drawn

    def _mean(self) -> float:
        values, shares = self._table
        return float(values @ shares)

    def _mean_square(self) -> float:
        values, shares = self._table
        return float(values**2 @ shares)


# The union is the registry: the loader, the error text, the JSON Schema and the contract tests read it.
AnyDistribution = (
    Constant[Q]
    | Exponential[Q]
    | Erlang[Q]
    | Gamma[Q]
    | Weibull[Q]
    | Lognormal[Q]
    | Uniform[Q]
    | Hyperexponential[Q]
    | Quantiles[Q]
    | Histogram[Q]
)


def _over(quantity: Any, *others: Any) -> Any:
    """The registry with its values read as one quantity, told apart by `kind`; with other laws of the same field."""
    laws = tuple(law[quantity] for law in get_args(AnyDistribution)) + others
    return Annotated[Union[laws], Field(discriminator="kind")]  # noqa: UP007 - the union is computed


if TYPE_CHECKING:
    DurationLaw: TypeAlias = AnyDistribution[float]
    TokenLaw: TypeAlias = AnyDistribution[float]
else:
    DurationLaw = _over(Duration)
    TokenLaw = _over(Amount)


def durations_or(*others: Any) -> Any:
    """A field type: any law of a duration, or one of these classes with a `kind` of their own."""
    return _over(Duration, *others)


def bandwidths() -> Any:
    """A field type: any law of a bandwidth."""
    return _over(PositiveBandwidth)
