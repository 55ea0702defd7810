"""Arrival laws: when requests come. Owns every law; `AnyArrivals` at the bottom is the registry.

A law turns named random numbers and a horizon into sorted times in [0, horizon). Laws with a rate that varies invert
their cumulative rate (`sim.workload.rates`), so scaling demand keeps the same points. Time 0 is the start of the run;
for `diurnal` it is midnight.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic import model_validator as check

from sim.config.errors import ConfigError, Problem
from sim.config.said import said
from sim.config.units import Amount, Duration, PositiveAmount, PositiveDuration, PositiveRate, Rate
from sim.theory.dispersion import dispersion_of_batches, dispersion_of_drift, dispersion_of_states
from sim.workload.arrival import Arrivals
from sim.workload.closed import Closed
from sim.workload.distributions import DurationLaw, TokenLaw
from sim.workload.drift import Drift, DriftCv, drifting, modulated
from sim.workload.randomness import RngOf
from sim.workload.rates import (
    RateCurve,
    arrivals_on,
    check_size,
    curve_through,
    joined,
    partial_sums,
    pieces_on,
    running_sum,
    smooth,
    steps,
    unit_pieces,
    unit_points,
)
from sim.workload.rows import read_table

__all__ = ["AnyArrivals", "Arrivals"]

Floats = NDArray[np.float64]
_DIURNAL_CELLS = 16_384  # a period: 5 s of a day, for an error of less than a microsecond
_TINY_GAPS = "draws gaps far below its mean: too many arrivals; lower its cv"
_NO_GAP = "has mean 0: infinitely many arrivals"
_MOST_CELLS = 20_000_000


class Poisson(Arrivals):
    """Independent arrivals at a constant rate."""

    kind: Literal["poisson"] = "poisson"
    rate: PositiveRate

    def arrivals(self, rng_of: RngOf, horizon_s: float) -> Floats:
        times = unit_points(rng_of("arrivals"), self.rate * horizon_s)
        times /= self.rate
        return times[: np.searchsorted(times, horizon_s)]

    def pieces(self, rng_of: RngOf, horizon_s: float, rows: int) -> Iterator[Floats]:
        for times in unit_pieces(rng_of("arrivals"), self.rate * horizon_s, rows):
            times /= self.rate
            yield times[: np.searchsorted(times, horizon_s)]

    def mean_rate(self, horizon_s: float) -> float:
        return self.rate

    @property
    def dispersion(self) -> float:
        return 1.0


class Renewal(Arrivals):
    """Independent gaps of one law; the first gap starts at 0."""

    kind: Literal["renewal"] = "renewal"
    gap: Annotated[DurationLaw, Field(description="Law of the time between two arrivals.")]

    @check(mode="after")
    def _check(self) -> Renewal:
        if self.gap.source_file is None and not self.gap.mean_value > 0:
            raise said(_NO_GAP, "gap")
        return self

    def arrivals(self, rng_of: RngOf, horizon_s: float) -> Floats:
        check_size(horizon_s / self._mean_s())
        return joined(self._cut(rng_of, horizon_s, first=256, longest=65_536))

    def pieces(self, rng_of: RngOf, horizon_s: float, rows: int) -> Iterator[Floats]:
        return self._cut(rng_of, horizon_s, first=rows, longest=rows)

    def _mean_s(self) -> float:
        mean_s = self.gap.mean_value
        if not mean_s > 0:
            raise ConfigError(Problem(_NO_GAP, "arrivals.gap"))
        return mean_s

    def _cut(self, rng_of: RngOf, horizon_s: float, first: int, longest: int) -> Iterator[Floats]:
        """The times before the horizon, in pieces."""
        rng = rng_of("arrivals")
        most = 10 * horizon_s / self._mean_s() + 20_000_000
        try:
            for times in partial_sums(lambda n, _: self.gap.draw(rng, n), horizon_s, most, first, longest):
                yield times[: np.searchsorted(times, horizon_s)]
        except OverflowError:
            raise ConfigError(Problem(_TINY_GAPS, "arrivals.gap")) from None

    def mean_rate(self, horizon_s: float) -> float:
        mean_s = self.gap.mean_value
        return 1 / mean_s if mean_s > 0 else math.inf

    @property
    def dispersion(self) -> float:
        return self.gap.scv


class Mmpp(Arrivals):
    """A Poisson process whose rate steps through states, each left for the next at its own rate; starts stationary."""

    kind: Literal["mmpp"] = "mmpp"
    rates: Annotated[tuple[Rate, ...], Field(description="Arrival rate in each state.")]
    leave: Annotated[tuple[PositiveRate, ...], Field(description="Rate of leaving each state for the next.")]

    @check(mode="after")
    def _check(self) -> Mmpp:
        if len(self.rates) < 2:
            raise said("needs at least two states; for one, use poisson", "rates")
        if len(self.leave) != len(self.rates):
            raise said(f"must be as many as rates ({len(self.rates)}), got {len(self.leave)}", "leave")
        if not any(self.rates):
            raise said("must not all be 0", "rates")
        return self

    def arrivals(self, rng_of: RngOf, horizon_s: float) -> Floats:
        return arrivals_on(self._path(rng_of("arrival_states"), horizon_s), rng_of("arrivals"), horizon_s)

    def pieces(self, rng_of: RngOf, horizon_s: float, rows: int) -> Iterator[Floats]:
        return pieces_on(self._path(rng_of("arrival_states"), horizon_s), rng_of("arrivals"), horizon_s, rows)

    def _path(self, rng: np.random.Generator, horizon_s: float) -> RateCurve:
        """The rate from 0 to at least the horizon."""
        hold_s = 1 / np.array(self.leave)
        if horizon_s / hold_s.mean() > _MOST_CELLS:
            raise ConfigError(Problem("states change too often for this horizon", "arrivals.leave"))
        state = int(np.searchsorted(np.cumsum(hold_s)[:-1] / hold_s.sum(), rng.random(), side="right"))
        states = len(hold_s)
        ends = running_sum(
            lambda n, before: rng.standard_exponential(n) * hold_s[(state + before + np.arange(n)) % states], horizon_s
        )
        start_s = np.append(0.0, ends)
        start_s = start_s[: np.searchsorted(start_s, horizon_s) + 1]
        return steps(start_s, np.array(self.rates)[(state + np.arange(len(start_s))) % states])

    def mean_rate(self, horizon_s: float) -> float:
        hold_s = 1 / np.array(self.leave)
        return float(np.array(self.rates) @ hold_s / hold_s.sum())

    @property
    def dispersion(self) -> float:
        return dispersion_of_states(self.rates, self.leave)


class Batch(Arrivals):
    """Batches at a constant rate, each bringing several requests at one instant."""

    kind: Literal["batch"] = "batch"
    rate: Annotated[PositiveRate, Field(description="Batches per second.")]
    size: Annotated[TokenLaw, Field(description="Requests in a batch, rounded, at least 1.")]

    def arrivals(self, rng_of: RngOf, horizon_s: float) -> Floats:
        check_size(self.rate * self.size.mean_value * horizon_s)
        times = Poisson(rate=self.rate).arrivals(rng_of, horizon_s)
        return self._filled(times, rng_of("batch_size"))

    def pieces(self, rng_of: RngOf, horizon_s: float, rows: int) -> Iterator[Floats]:
        rng, batches = rng_of("batch_size"), max(int(rows / max(self.size.mean_value, 1.0)), 1)
        for times in Poisson(rate=self.rate).pieces(rng_of, horizon_s, batches):
            yield self._filled(times, rng)

    def _filled(self, times: Floats, rng: np.random.Generator) -> Floats:
        """The time of each batch, once for each of its requests."""
        sizes = np.maximum(np.rint(self.size.draw(rng, len(times))), 1.0)
        check_size(float(sizes.sum()))
        return np.repeat(times, sizes.astype(np.int64))

    def mean_rate(self, horizon_s: float) -> float:
        return self.rate * max(self.size.mean_value, 1.0)

    @property
    def size_moments(self) -> tuple[float, float]:
        """Mean and mean square of the size of a batch, from 65,536 fixed draws."""
        sizes = np.maximum(np.rint(self.size.sample()), 1.0)
        return float(sizes.mean()), float((sizes**2).mean())

    @property
    def dispersion(self) -> float:
        return dispersion_of_batches(*self.size_moments)


class Varying(Arrivals):
    """Base of the laws whose rate is a known function of time."""

    @property
    @abstractmethod
    def rate_curve(self) -> RateCurve:
        """The rate over time."""

    def arrivals(self, rng_of: RngOf, horizon_s: float) -> Floats:
        return arrivals_on(self.rate_curve, rng_of("arrivals"), horizon_s)

    def pieces(self, rng_of: RngOf, horizon_s: float, rows: int) -> Iterator[Floats]:
        return pieces_on(self.rate_curve, rng_of("arrivals"), horizon_s, rows)

    def mean_rate(self, horizon_s: float) -> float:
        return self.rate_curve.expected(horizon_s) / horizon_s


class Curve(Varying):
    """A rate that follows points, inline or from a CSV file, as it is or scaled to a mean or a peak."""

    kind: Literal["curve"] = "curve"
    points: Annotated[tuple[tuple[Duration, Rate], ...] | None, Field(description="Pairs of time and rate.")] = None
    file: Annotated[str | None, Field(description="CSV file with a column of times and one of rates.")] = None
    columns: Annotated[
        tuple[str, str] | None,
        Field(description="Their names: seconds, requests per second. Left out: t_s, rate_per_s."),
    ] = None
    interpolate: Annotated[
        Literal["linear", "step"], Field(description="Between two points: a line, or the earlier rate.")
    ] = "linear"
    scale: Annotated[PositiveAmount, Field(description="Every rate times this.")] = 1.0
    mean: Annotated[
        PositiveRate | None,
        Field(description="Instead of scale: the mean rate from time 0 to the last point, or of a period."),
    ] = None
    peak: Annotated[PositiveRate | None, Field(description="Instead of scale: the highest rate.")] = None
    repeat: Annotated[bool, Field(strict=True, description="Start over after each period.")] = False
    period: Annotated[PositiveDuration | None, Field(description="Of `repeat`; default: the last point's time.")] = None
    drift: Annotated[
        Drift | None, Field(description="The rate drifts around the curve at random, as that of `cox` around its mean.")
    ] = None

    @check(mode="after")
    def _check(self) -> Curve:
        if (self.points is None) == (self.file is None):
            raise said("takes either points or file")
        if self.period is not None and not self.repeat:
            raise said("is only used with repeat: true", "period")
        if self.columns is not None and self.file is None:
            raise said("is only used with file", "columns")
        if (self.scale != 1.0) + (self.mean is not None) + (self.peak is not None) > 1:
            raise said("takes one of scale, mean and peak")
        if self.points is not None:
            if not self.points:
                raise said("must hold at least one pair of time and rate", "points")
            for (before, _), (after, _) in pairwise(self.points):
                if after < before:
                    raise said(f"times must not fall, got {after:g} after {before:g}", "points")
            if not any(rate for _, rate in self.points):
                raise said("must not all have rate 0", "points")
            self._turn_s(self.points[-1][0], said)
        return self

    def arrivals(self, rng_of: RngOf, horizon_s: float) -> Floats:
        return arrivals_on(self._path(rng_of, horizon_s), rng_of("arrivals"), horizon_s)

    def pieces(self, rng_of: RngOf, horizon_s: float, rows: int) -> Iterator[Floats]:
        return pieces_on(self._path(rng_of, horizon_s), rng_of("arrivals"), horizon_s, rows)

    def _path(self, rng_of: RngOf, horizon_s: float) -> RateCurve:
        """The rate over time, with its drift if there is one."""
        if self.drift is None:
            return self.rate_curve
        path = drifting(rng_of("arrival_rate"), self.drift.cv, self.drift.correlation, horizon_s, "arrivals.drift")
        return modulated(self.rate_curve, *path, horizon_s)

    def _turn_s(self, last_s: float, error: Any) -> float | None:
        """The period, or None for a curve that does not repeat."""
        if not self.repeat:
            return None
        if self.period is not None and self.period < last_s:
            raise error(f"must be at least the last point's time ({last_s:g} s), got {self.period:g} s", "period")
        turn_s = last_s if self.period is None else self.period
        if turn_s == 0:
            raise error("needs a point after time 0, or a period", "repeat")
        return turn_s

    @property
    def rate_curve(self) -> RateCurve:
        if self.file is not None:
            time, rate = self.columns or ("t_s", "rate_per_s")
            columns = read_table(self.file, (time, rate), rising=time, some_above_zero=rate)
            table = np.column_stack([columns[time], columns[rate]])
        else:
            table = np.array(self.points)
        period_s = self._turn_s(float(table[-1, 0]), lambda text, key: ConfigError(Problem(text, f"arrivals.{key}")))
        table[:, 1] *= self.scale
        if self.interpolate == "step" and len(table) > 1:  # the earlier rate holds up to the next point: a jump there
            flat = np.repeat(table, 2, axis=0)
            flat[1:-1:2, 0] = table[1:, 0]
            table = flat[:-1]
        curve = curve_through(table, period_s=period_s)
        if not curve.before[-1] > 0:
            raise ConfigError(Problem("the rate is 0 at all times but the last point's", "arrivals"))
        if self.peak is not None:
            return curve.times(self.peak / curve.highest)
        if self.mean is not None:
            until_s = curve.period_s if curve.periodic else max(float(table[-1, 0]), 1.0)
            return curve.times(self.mean * until_s / curve.expected(until_s))
        return curve


class Diurnal(Varying):
    """A daily rhythm: a smooth curve with a given mean, peak hour and trough hour.

    rate(t) = mean (A + B x + C x^2) with x = cos(2 pi (t - peak_at) / period); A, B, C make the mean over the period 1,
    the mean over the peak hour (period / 24 wide) `peak` and the mean over the trough hour `trough`.
    """

    kind: Literal["diurnal"] = "diurnal"
    rate: Annotated[PositiveRate, Field(description="Mean over the period.")]
    peak: Annotated[Amount, Field(description="Rate of the peak hour, over the mean.")]
    trough: Annotated[Amount, Field(description="Rate of the trough hour, over the mean.")]
    peak_at: Annotated[Duration, Field(description="Time of the peak; time 0 is the start of the run.")] = 15 * 3600.0
    period: PositiveDuration = 24 * 3600.0

    @check(mode="after")
    def _check(self) -> Diurnal:
        if self.peak < 1:
            raise said(f"must be at least 1, got {self.peak:g}", "peak")
        if self.trough > 1:
            raise said(f"must be at most 1, got {self.trough:g}", "trough")
        a, b, c = self._shape
        if b < 2 * abs(c):
            raise said(
                f"peak {self.peak:g} and trough {self.trough:g} do not fit one smooth daily wave: between them the "
                "rate would turn twice; bring peak - 1 and 1 - trough closer together, or give a curve"
            )
        if a - b + c < 0:
            raise said(f"with peak {self.peak:g} the rate would go below 0 in the trough; raise it", "trough")
        return self

    @property
    def _shape(self) -> tuple[float, float, float]:
        half = math.pi / 24
        mean_x = math.sin(half) / half  # of cos over the peak hour
        mean_2x = math.sin(2 * half) / (2 * half)  # of cos of the double angle
        c = (self.peak + self.trough - 2) / mean_2x
        return 1 - c / 2, (self.peak - self.trough) / (2 * mean_x), c

    @property
    def rate_curve(self) -> RateCurve:
        a, b, c = self._shape
        omega = 2 * math.pi / self.period
        time_s = np.linspace(0.0, self.period, _DIURNAL_CELLS + 1)
        angle = omega * (time_s - self.peak_at % self.period)
        x = np.cos(angle)
        rate = self.rate * np.maximum(a + (b + c * x) * x, 0.0)
        cumulative = (a + c / 2) * time_s + (b * np.sin(angle) + c / 4 * np.sin(2 * angle)) / omega
        before = self.rate * (cumulative - cumulative[0])
        before[-1] = self.rate * self.period
        return smooth(time_s, rate, np.maximum.accumulate(before))


class Spike(Varying):
    """A constant rate with one surge: up over `ramp`, `factor` times the rate for `duration`, down over `ramp`."""

    kind: Literal["spike"] = "spike"
    rate: PositiveRate
    factor: Annotated[Amount, Field(description="Rate of the surge over the usual rate; below 1 it is a dip.")]
    at: Annotated[Duration, Field(description="When the rate starts to change.")]
    duration: Annotated[PositiveDuration, Field(description="How long the surge stays at its full rate.")]
    ramp: Annotated[Duration, Field(description="How long the rate climbs, and how long it falls.")] = 0.0

    @property
    def rate_curve(self) -> RateCurve:
        top, full = self.at + self.ramp, self.rate * self.factor
        down = top + self.duration
        knots = [(0.0, self.rate), (self.at, self.rate), (top, full), (down, full), (down + self.ramp, self.rate)]
        return curve_through(knots)


class Cox(Arrivals):
    """A rate that drifts at random around its mean: doubly stochastic.

    The logarithm of the rate is a stationary Ornstein-Uhlenbeck process, constant over 1/64 of its correlation time, so
    the rate is lognormal with this coefficient of variation at every instant.
    """

    kind: Literal["cox"] = "cox"
    rate: Annotated[PositiveRate, Field(description="Mean over time.")]
    cv: Annotated[DriftCv, Field(description="Standard deviation of the rate over its mean.")]
    correlation: Annotated[PositiveDuration, Field(description="Time over which the rate forgets (by a factor e).")]

    def arrivals(self, rng_of: RngOf, horizon_s: float) -> Floats:
        return arrivals_on(self._path(rng_of("arrival_rate"), horizon_s), rng_of("arrivals"), horizon_s)

    def pieces(self, rng_of: RngOf, horizon_s: float, rows: int) -> Iterator[Floats]:
        return pieces_on(self._path(rng_of("arrival_rate"), horizon_s), rng_of("arrivals"), horizon_s, rows)

    def _path(self, rng: np.random.Generator, horizon_s: float) -> RateCurve:
        """The rate from 0 to at least the horizon."""
        start_s, factor = drifting(rng, self.cv, self.correlation, horizon_s)
        return steps(start_s, factor * self.rate)

    def mean_rate(self, horizon_s: float) -> float:
        return self.rate

    @property
    def dispersion(self) -> float:
        return dispersion_of_drift(self.rate, self.cv, self.correlation)


# The union is the registry: the loader, the error text, the JSON Schema and the contract tests read it.
AnyArrivals = Annotated[
    Poisson | Renewal | Mmpp | Batch | Curve | Diurnal | Spike | Cox | Closed,
    Field(discriminator="kind"),
]
