"""Arrival times from a rate that varies. Owns the inversion of a cumulative rate.

A unit-rate Poisson process, stretched by the inverse of the cumulative rate, is a Poisson process of that rate. The
unit-rate points do not depend on the rate, so two scenarios with different demand see the same points (common random
numbers), and arrivals before t do not depend on the horizon.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.config import machine
from sim.config.errors import ConfigError

Floats = NDArray[np.float64]
MOST_REQUESTS = 2**31 - 1  # rows are indexed by int32
REQUEST_BYTES = 150  # of a run at its peak: 1.6 GB at 11 million requests
_CHUNK = 1 << 14  # points inverted at a time: temporaries stay in cache


@dataclass(frozen=True)
class RateCurve:
    """A rate over time, in cells: within a cell it is linear, between cells it may jump.

    Beyond the last cell its last rate holds, or the whole curve repeats if `periodic`.
    """

    start_s: Floats
    """Shape (cells,), rising from 0."""
    width_s: Floats
    """Shape (cells,), above 0; the last one matters only if `periodic`."""
    rate: Floats
    """Shape (cells,), per second, at the start of each cell."""
    slope: Floats
    """Shape (cells,), per second squared."""
    before: Floats
    """Shape (cells + 1,): expected arrivals before each cell; the last entry is the total."""
    periodic: bool

    @property
    def period_s(self) -> float:
        return float(self.start_s[-1] + self.width_s[-1])

    def expected(self, until_s: float) -> float:
        """Expected arrivals in [0, until_s)."""
        rounds = 0.0
        if self.periodic:
            rounds = math.floor(until_s / self.period_s)
            until_s = max(until_s - rounds * self.period_s, 0.0)
        cell = int(np.searchsorted(self.start_s, until_s, side="right")) - 1
        x = until_s - self.start_s[cell]
        inside = self.before[cell] + x * (self.rate[cell] + self.slope[cell] * x / 2)
        return float(rounds * self.before[-1] + inside)

    @property
    def highest(self) -> float:
        """The highest rate, per second."""
        return float(max(self.rate.max(), (self.rate + self.slope * self.width_s).max()))

    def times(self, factor: float) -> RateCurve:
        """The same curve with every rate times `factor`."""
        return replace(self, rate=self.rate * factor, slope=self.slope * factor, before=self.before * factor)

    def stretch(self, points: Floats) -> Floats:
        """Turn rising points of a unit-rate process into arrival times, in place. Shape (n,)."""
        for at in range(0, len(points), _CHUNK):
            chunk = points[at : at + _CHUNK]
            chunk[:] = self._inverse(chunk)
        # Rounding at the edge of a cell may step back by one bit.
        return np.maximum.accumulate(points, out=points)

    def _inverse(self, points: Floats) -> Floats:
        rounds: Floats | float = 0.0
        if self.periodic:
            total = self.before[-1]
            rounds = np.floor(points / total)
            points = np.clip(points - rounds * total, 0.0, total)
        cell = np.searchsorted(self.before, points, side="right") - 1
        np.minimum(cell, len(self.rate) - 1, out=cell)
        rate = self.rate[cell]
        left = points - self.before[cell]
        # rate * x + slope * x^2 / 2 = left, by the form that does not cancel
        root = np.sqrt(np.maximum(rate * rate + 2 * self.slope[cell] * left, 0.0))
        x = np.divide(2 * left, rate + root, out=np.zeros_like(left), where=rate + root > 0)
        width_s = self.width_s if self.periodic else np.append(self.width_s[:-1], np.inf)
        np.minimum(x, width_s[cell], out=x)  # rounding must not carry a point past the end of its cell
        x += self.start_s[cell]
        if self.periodic:
            x += rounds * self.period_s
        return x


def curve_through(points: Sequence[tuple[float, float]] | Floats, *, period_s: float | None = None) -> RateCurve:
    """The piecewise-linear rate through (time, rate) points; two points at one time are a jump.

    The first rate holds before the first point, the last one after the last. With a period, the points stand for one
    turn, starting at 0 and ending at the period.
    """
    table = np.asarray(points, dtype=np.float64)
    time_s, rate = table[:, 0], table[:, 1]
    if time_s[0] > 0:
        time_s, rate = np.append(0.0, time_s), np.append(rate[0], rate)
    if period_s is None:  # one more cell, of any width, for what comes after
        time_s, rate = np.append(time_s, time_s[-1] + 1.0), np.append(rate, rate[-1])
    elif time_s[-1] < period_s:
        time_s, rate = np.append(time_s, period_s), np.append(rate, rate[-1])
    width_s = np.diff(time_s)
    kept = width_s > 0
    width_s, start_s = width_s[kept], time_s[:-1][kept]
    left, right = rate[:-1][kept], rate[1:][kept]
    before = np.append(0.0, np.cumsum((left + right) / 2 * width_s))
    return RateCurve(start_s, width_s, left, (right - left) / width_s, before, periodic=period_s is not None)


def steps(start_s: Floats, rate: Floats) -> RateCurve:
    """The rate that is constant from each start to the next; shapes (cells,), the first start 0, starts rising."""
    width_s = np.diff(np.append(start_s, start_s[-1] + 1.0))  # the last cell's width is never used
    before = np.append(0.0, np.cumsum(rate * width_s))
    return RateCurve(start_s, width_s, rate, np.zeros_like(rate), before, periodic=False)


def smooth(time_s: Floats, rate: Floats, before: Floats) -> RateCurve:
    """One turn of a smooth periodic rate, from its exact rate and cumulative rate on a fine grid of shape (cells + 1,).

    Within a cell the rate is linear, with the slope that makes the cell's arrivals exact: the error in time is of third
    order in the cell's width.
    """
    width_s = np.diff(time_s)
    slope = 2 * (np.diff(before) - rate[:-1] * width_s) / width_s**2
    return RateCurve(time_s[:-1], width_s, rate[:-1], slope, before, periodic=True)


def unit_points(rng: np.random.Generator, until: float) -> Floats:
    """The points of a unit-rate Poisson process in [0, until), rising, shape (n,). A longer one starts the same."""
    check_size(until)
    return joined(unit_pieces(rng, until, int(until + 6 * math.sqrt(until)) + 64))


def unit_pieces(rng: np.random.Generator, until: float, rows: int) -> Iterator[Floats]:
    """The same points in pieces of at most `rows`; the last ones may be empty."""
    for points in partial_sums(lambda n, _: rng.standard_exponential(n), until, first=rows, longest=rows):
        yield points[: np.searchsorted(points, until)]


def joined(pieces: Iterable[Floats]) -> Floats:
    """One array of all; a single piece is not copied."""
    parts = list(pieces)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def running_sum(draw: Callable[[int, int], Floats], until: float, most: float = math.inf, first: int = 256) -> Floats:
    """The sums of successive gaps, up to the first one that reaches `until` and maybe beyond, shape (n,), n >= 1.

    `draw(n, before)` draws n gaps after the `before` drawn so far. The sums do not depend on how many are drawn at a
    time. Raises OverflowError once more than `most` gaps were not enough.
    """
    return joined(partial_sums(draw, until, most, first))


def partial_sums(
    draw: Callable[[int, int], Floats], until: float, most: float = math.inf, first: int = 256, longest: int = 65_536
) -> Iterator[Floats]:
    """The same sums in pieces: the first of `first`, then as many as there are, but `longest` at most."""
    last, count, chunk = 0.0, 0, first
    while last < until or not count:
        if count > most:
            raise OverflowError(f"{count} gaps did not reach {until}")
        sums = draw(chunk, count)
        sums[0] += last  # the running sum goes on as if it had never been cut
        np.cumsum(sums, out=sums)
        last = float(sums[-1])
        count += chunk
        chunk = min(2 * count, longest)
        yield sums


def check_size(expected: float) -> None:
    """Refuse demand that no run can hold, before memory is asked for. Raises ConfigError."""
    if expected > MOST_REQUESTS:
        raise ConfigError(
            f"about {expected:.3g} requests before the horizon; one run holds at most {MOST_REQUESTS:,}: "
            "shorten the horizon or lower the rate"
        )
    needed, there = expected * REQUEST_BYTES, machine.memory_bytes()
    if needed > there:
        raise ConfigError(
            f"about {expected:.3g} requests before the horizon take about {needed / 2**30:.3g} GiB of memory, and this "
            f"machine has {there / 2**30:.3g}: shorten the horizon or lower the rate"
        )


def arrivals_on(curve: RateCurve, rng: np.random.Generator, horizon_s: float) -> Floats:
    """Poisson arrivals in [0, horizon_s) with the curve's rate, sorted, shape (n,)."""
    times = curve.stretch(unit_points(rng, curve.expected(horizon_s)))
    return times[: np.searchsorted(times, horizon_s)]


def pieces_on(curve: RateCurve, rng: np.random.Generator, horizon_s: float, rows: int) -> Iterator[Floats]:
    """The same arrivals in pieces of at most `rows`."""
    last_s = 0.0
    for points in unit_pieces(rng, curve.expected(horizon_s), rows):
        if not len(points):
            continue
        times = curve.stretch(points)
        np.maximum(times, last_s, out=times)  # as within a piece, rounding may have stepped back
        last_s = float(times[-1])
        yield times[: np.searchsorted(times, horizon_s)]
