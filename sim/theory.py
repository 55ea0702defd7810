"""Closed forms for queues in steady state: what a simulation must agree with, and what can be said without one.

Owns the formulas, and knows nothing of scenarios. Times in seconds; a `load` is arrivals a second times seconds of
service, in servers kept busy (Erlang). Sources: Erlang 1917; Gross, Shortle, Thompson & Harris, "Fundamentals of
Queueing Theory" (4th ed. 2008), chapters 2, 3 and 5; Kleinrock, "Queueing Systems" I (1975); for processor sharing
with a speed that depends on the number served: Cohen, "The multiple phase service network with generalized processor
sharing" (Acta Informatica 12, 1979).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

_NEGLIGIBLE = math.log(1e-18)
"""A state this rare, with all beyond it rarer still, ends the sum over states."""
_MOST_STATES = 1_000_000


def erlang_b(servers: int, load: float) -> float:
    """Share of requests turned away when none may wait (M/G/c/c). Depends on the mean service time only."""
    blocked = 1.0
    for busy in range(1, servers + 1):
        blocked = load * blocked / (busy + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Share of requests that wait in an M/M/c queue; 1 at or beyond capacity."""
    if load >= servers:
        return 1.0
    blocked = erlang_b(servers, load)
    return blocked / (1 - load / servers * (1 - blocked))


@dataclass(frozen=True)
class MMc:
    """M/M/c, first come first served: Poisson arrivals, exponential service, one line. The load is below capacity."""

    servers: int
    arrivals_per_s: float
    mean_service_s: float = 1.0

    def __post_init__(self) -> None:
        if not self.load < self.servers:
            raise ValueError(f"no steady state: a load of {self.load:g} on {self.servers} servers")

    @property
    def load(self) -> float:
        """Servers busy on average."""
        return self.arrivals_per_s * self.mean_service_s

    @property
    def utilization_share(self) -> float:
        """Share of the servers that are busy."""
        return self.load / self.servers

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

    @property
    def mean_sojourn_s(self) -> float:
        """Mean time from arrival to finish."""
        return self.mean_wait_s + self.mean_service_s

    @property
    def mean_waiting(self) -> float:
        """Requests that wait, on average."""
        return self.arrivals_per_s * self.mean_wait_s

    @property
    def mean_in_system(self) -> float:
        """Requests that wait or are served, on average."""
        return self.arrivals_per_s * self.mean_sojourn_s

    def wait_exceeds(self, wait_s: float) -> float:
        """Share of requests that wait longer than this."""
        return self.wait_share * math.exp(-self.drain_per_s * wait_s)

    def wait_quantile_s(self, share: float) -> float:
        """The wait that this share of requests does not exceed."""
        return max(0.0, math.log(self.wait_share / (1 - share)) / self.drain_per_s)

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
class MG1:
    """M/G/1, first come first served, by the moments of its service time (Pollaczek and Khinchine)."""

    arrivals_per_s: float
    mean_service_s: float
    service_cv: float
    """Standard deviation over mean."""

    def __post_init__(self) -> None:
        if not self.utilization_share < 1:
            raise ValueError(f"no steady state: a load of {self.utilization_share:g} on one server")

    @property
    def utilization_share(self) -> float:
        """Share of time that the server is busy, and of requests that wait."""
        return self.arrivals_per_s * self.mean_service_s

    @property
    def mean_wait_s(self) -> float:
        """Mean wait of all requests."""
        square = 1 + self.service_cv**2
        return self.utilization_share * square * self.mean_service_s / (2 * (1 - self.utilization_share))

    @property
    def mean_sojourn_s(self) -> float:
        """Mean time from arrival to finish."""
        return self.mean_wait_s + self.mean_service_s

    @property
    def mean_in_system(self) -> float:
        """Requests that wait or are served, on average."""
        return self.arrivals_per_s * self.mean_sojourn_s

    def mean_square_wait_s2(self, service_third_moment_s3: float) -> float:
        """Mean of the squared wait (s^2), from the third moment of the service time (s^3)."""
        idle = 1 - self.utilization_share
        return 2 * self.mean_wait_s**2 + self.arrivals_per_s * service_third_moment_s3 / (3 * idle)


@dataclass(frozen=True)
class BirthDeath:
    """Poisson arrivals to a station that empties at a rate that depends only on how many are there.

    `seats` requests are served at once, the rest wait; at `room` in the system an arrival is turned away (None: never).
    """

    arrivals_per_s: float
    leave_per_s: Callable[[int], float]
    """From the number in the system (at least 1) to the rate at which requests finish."""
    seats: int
    room: int | None = None

    @cached_property
    def share(self) -> NDArray[np.float64]:
        """Share of time with n in the system, shape (states,); as an arrival finds it (PASTA)."""
        logs, log, top = [0.0], 0.0, 0.0
        while self.room is None or len(logs) <= self.room:
            step = math.log(self.arrivals_per_s / self.leave_per_s(len(logs)))
            log += step
            top = max(top, log)
            logs.append(log)
            if self.room is None and len(logs) > self.seats and step < 0 and log - top < _NEGLIGIBLE + math.log(-step):
                break
            if len(logs) > _MOST_STATES:
                raise ValueError("no steady state within a million requests: the load is at or beyond capacity")
        weights: NDArray[np.float64] = np.exp(np.array(logs) - top)
        weights /= weights.sum()
        return weights

    @property
    def rejected_share(self) -> float:
        """Share of requests turned away."""
        return 0.0 if self.room is None else float(self.share[self.room])

    @property
    def throughput_per_s(self) -> float:
        """Requests served a second."""
        return self.arrivals_per_s * (1 - self.rejected_share)

    @property
    def mean_in_system(self) -> float:
        """Requests that wait or are served, on average."""
        return float(self.share @ np.arange(len(self.share)))

    @property
    def mean_waiting(self) -> float:
        """Requests that wait, on average."""
        return float(self.share @ np.maximum(np.arange(len(self.share)) - self.seats, 0))

    @property
    def mean_running(self) -> float:
        """Requests served at once, on average."""
        return float(self.share @ np.minimum(np.arange(len(self.share)), self.seats))

    @property
    def mean_wait_s(self) -> float:
        """Mean wait of the requests taken in (Little)."""
        return self.mean_waiting / self.throughput_per_s

    @property
    def mean_sojourn_s(self) -> float:
        """Mean time from arrival to finish of the requests taken in (Little)."""
        return self.mean_in_system / self.throughput_per_s

    @property
    def wait_share(self) -> float:
        """Of the requests taken in, the share that finds every seat taken."""
        taken_in = self.share if self.room is None else self.share[: self.room]
        return float(taken_in[self.seats :].sum() / taken_in.sum())


def mmck(servers: int, arrivals_per_s: float, mean_service_s: float, room: int | None) -> BirthDeath:
    """M/M/c/K: at most `room` requests in the system. With `room` = `servers` it is Erlang's loss system."""
    return BirthDeath(arrivals_per_s, lambda n: min(n, servers) / mean_service_s, servers, room)


def batching(
    arrivals_per_s: float,
    mean_tokens: float,
    base_s: float,
    decode_s_per_seq: float,
    max_num_seqs: int,
    room: int | None = None,
) -> BirthDeath:
    """Continuous batching as processor sharing: n sequences get n tokens in `base_s + n * decode_s_per_seq` seconds.

    The limit of many tokens a request, without prefill. While nobody waits (`max_num_seqs` beyond reach, or `room` =
    `max_num_seqs`) the law of the output lengths does not matter, only its mean; with a line outside it is exact for
    memoryless lengths.
    """

    def leave_per_s(n: int) -> float:
        batch = min(n, max_num_seqs)
        return batch / ((base_s + batch * decode_s_per_seq) * mean_tokens)

    return BirthDeath(arrivals_per_s, leave_per_s, max_num_seqs, room)
