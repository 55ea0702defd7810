"""One line of servers, first come first served, in steady state: Erlang's formulas, M/M/c, M/G/1, GI/M/1.

Times in seconds; a `load` is arrivals a second times seconds of service, in servers kept busy (Erlang). Sources: Erlang
1917; Gross, Shortle, Thompson & Harris, "Fundamentals of Queueing Theory" (4th ed. 2008), chapters 2, 3 and 5;
Kleinrock, "Queueing Systems" I (1975).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from sim.theory.line import Line

_SMALL = 1e-18
"""Beside a sum: what is as small, and gets smaller, changes nothing."""


def erlang_b(servers: int, load: float) -> float:
    """Share of requests turned away when none may wait (M/G/c/c). Depends on the mean service time only.

    Its inverse is `1 + c/a + c(c-1)/a^2 + ...`. Some 80 sqrt(a) terms at most: with many more servers than load the
    sum is soon beyond any number, and nobody is turned away.
    """
    if load == 0:
        return 0.0 if servers else 1.0
    inverse = term = 1.0
    for busy in range(servers, 0, -1):
        term *= busy / load
        inverse += term
        if inverse == math.inf:
            return 0.0
        if busy < load and term < _SMALL * inverse:
            break
    return 1 / inverse


def erlang_c(servers: int, load: float) -> float:
    """Share of requests that wait in an M/M/c queue; 1 at or beyond capacity."""
    if load >= servers:
        return 1.0
    blocked = erlang_b(servers, load)
    return blocked / (1 - load / servers * (1 - blocked))


@dataclass(frozen=True)
class MMc(Line):
    """M/M/c, first come first served: Poisson arrivals, exponential service, one line. The load is below capacity."""

    servers: int
    arrivals_per_s: float
    mean_service_s: float = 1.0

    @cached_property
    def wait_share(self) -> float:
        """Share of requests that wait (Erlang C)."""
        return erlang_c(self.servers, self.load)

    @property
    def drain_per_s(self) -> float:
        """Rate of the exponential wait of those who wait: the capacity left over."""
        return (self.servers - self.load) / self.mean_service_s

    @property
    def mean_wait_s(self) -> float:
        """Mean wait of all requests, zeros included."""
        return self.wait_share / self.drain_per_s

    def wait_exceeds(self, wait_s: float) -> float:
        """Share of requests that wait longer than this."""
        return self.wait_share * math.exp(-self.drain_per_s * wait_s)

    def wait_quantile_s(self, share: float) -> float:
        """The wait that this share of requests does not exceed."""
        if self.wait_share <= 1 - share:
            return 0.0
        return math.log(self.wait_share / (1 - share)) / self.drain_per_s

    def sojourn_exceeds(self, sojourn_s: float) -> float:
        """Share of requests that take longer than this from arrival to finish."""
        serve = 1 / self.mean_service_s
        slow, fast = min(serve, self.drain_per_s), max(serve, self.drain_per_s)
        # who waits takes an exponential wait, then an exponential service; equal rates must not cancel
        both_s = -math.expm1((slow - fast) * sojourn_s) / (fast - slow) if fast > slow else sojourn_s
        waited = math.exp(-slow * sojourn_s) * (1 + slow * both_s)
        return (1 - self.wait_share) * math.exp(-serve * sojourn_s) + self.wait_share * waited

    def sojourn_quantile_s(self, share: float) -> float:
        """The time from arrival to finish that this share of requests does not exceed."""
        low_s, high_s = 0.0, self.mean_sojourn_s
        while self.sojourn_exceeds(high_s) > 1 - share:
            high_s *= 2
        while (middle_s := (low_s + high_s) / 2) not in (low_s, high_s):
            if self.sojourn_exceeds(middle_s) > 1 - share:
                low_s = middle_s
            else:
                high_s = middle_s
        return high_s


@dataclass(frozen=True)
class MG1(Line):
    """M/G/1, first come first served, by the moments of its service time (Pollaczek and Khinchine)."""

    servers: ClassVar[int] = 1
    arrivals_per_s: float
    mean_service_s: float
    service_cv: float
    """Standard deviation over mean."""

    @property
    def mean_wait_s(self) -> float:
        """Mean wait of all requests."""
        square = 1 + self.service_cv**2
        return self.utilization_share * square * self.mean_service_s / (2 * (1 - self.utilization_share))

    def mean_square_wait_s2(self, service_third_moment_s3: float) -> float:
        """Mean of the squared wait (s^2), from the third moment of the service time (s^3)."""
        idle = 1 - self.utilization_share
        return 2 * self.mean_wait_s**2 + self.arrivals_per_s * service_third_moment_s3 / (3 * idle)


def erlang_gaps(phases: int, arrivals_per_s: float) -> Callable[[float], float]:
    """The Laplace transform of gaps that are sums of `phases` exponentials: one in so many of a Poisson process."""
    rate = phases * arrivals_per_s
    return lambda s: float((rate / (rate + s)) ** phases)


@dataclass(frozen=True)
class GIM1(Line):
    """GI/M/1, first come first served: independent gaps of any law, exponential service (Kleinrock I, section 6.3)."""

    servers: ClassVar[int] = 1
    arrivals_per_s: float
    mean_service_s: float
    gaps: Callable[[float], float]
    """Laplace transform of the gaps, at rates per second."""

    @cached_property
    def wait_share(self) -> float:
        """Share of requests that wait: the root below 1 of sigma = A*((1 - sigma) / mean service)."""
        low, high = 0.0, 1.0
        for _ in range(200):
            middle = (low + high) / 2
            # the transform is convex and meets the diagonal at 1 as well: below it there, above it before the root
            if self.gaps((1 - middle) / self.mean_service_s) > middle:
                low = middle
            else:
                high = middle
        return low

    @property
    def mean_wait_s(self) -> float:
        """Mean wait of all requests, zeros included."""
        return self.wait_share * self.mean_sojourn_s

    @property
    def mean_sojourn_s(self) -> float:
        """Mean time from arrival to finish, which is exponential."""
        return self.mean_service_s / (1 - self.wait_share)

    def wait_exceeds(self, wait_s: float) -> float:
        """Share of requests that wait longer than this."""
        return self.wait_share * math.exp(-wait_s / self.mean_sojourn_s)

    def wait_quantile_s(self, share: float) -> float:
        """The wait that this share of requests does not exceed."""
        return max(0.0, math.log(self.wait_share / (1 - share)) * self.mean_sojourn_s)

    def sojourn_exceeds(self, sojourn_s: float) -> float:
        """Share of requests that take longer than this from arrival to finish."""
        return math.exp(-sojourn_s / self.mean_sojourn_s)

    def sojourn_quantile_s(self, share: float) -> float:
        """The time from arrival to finish that this share of requests does not exceed."""
        return -math.log(1 - share) * self.mean_sojourn_s
