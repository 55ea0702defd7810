"""Birth-death chains: queues whose rate of emptying, or of filling, depends on how many are there.

Solved by their balance equations, state by state (Kleinrock, "Queueing Systems" I, chapter 3).
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


@dataclass(frozen=True)
class ErlangA:
    """M/M/c+M: who waits longer than an exponential patience leaves (Palm 1957; Garnett, Mandelbaum & Reiman 2002)."""

    servers: int
    arrivals_per_s: float
    mean_service_s: float
    mean_patience_s: float

    @cached_property
    def _chain(self) -> BirthDeath:
        return BirthDeath(self.arrivals_per_s, self._leave_per_s, self.servers)

    def _leave_per_s(self, n: int) -> float:
        return min(n, self.servers) / self.mean_service_s + max(n - self.servers, 0) / self.mean_patience_s

    @property
    def mean_waiting(self) -> float:
        """Requests that wait, on average."""
        return self._chain.mean_waiting

    @property
    def mean_running(self) -> float:
        """Requests that are served, on average."""
        return self._chain.mean_running

    @property
    def mean_in_system(self) -> float:
        """Requests that wait or are served, on average."""
        return self._chain.mean_in_system

    @property
    def utilization_share(self) -> float:
        """Share of the servers that are busy."""
        return self.mean_running / self.servers

    @property
    def wait_share(self) -> float:
        """Share of requests that find every server busy."""
        return self._chain.wait_share

    @property
    def mean_wait_s(self) -> float:
        """Mean time in line of all requests, of those who gave up as well (Little)."""
        return self.mean_waiting / self.arrivals_per_s

    @property
    def abandoned_share(self) -> float:
        """Share of requests that give up: who waits does so at the rate of its patience."""
        return self.mean_wait_s / self.mean_patience_s

    @property
    def throughput_per_s(self) -> float:
        """Requests served a second."""
        return self.mean_running / self.mean_service_s


def erlang_a(servers: int, arrivals_per_s: float, mean_service_s: float, mean_patience_s: float) -> ErlangA:
    """M/M/c with exponential patience."""
    return ErlangA(servers, arrivals_per_s, mean_service_s, mean_patience_s)


@dataclass(frozen=True)
class Closed:
    """M/M/c//N: so many users who each think for an exponential time, ask, and wait for the answer (machine repair)."""

    users: int
    servers: int
    mean_think_s: float
    mean_service_s: float

    @cached_property
    def share(self) -> NDArray[np.float64]:
        """Share of time with n in the system, shape (users + 1,)."""
        n = np.arange(1, self.users + 1)
        steps = np.log((self.users - n + 1) / self.mean_think_s) - np.log(
            np.minimum(n, self.servers) / self.mean_service_s
        )
        logs = np.concatenate(([0.0], np.cumsum(steps)))
        weights: NDArray[np.float64] = np.exp(logs - logs.max())
        weights /= weights.sum()
        return weights

    @property
    def mean_in_system(self) -> float:
        """Requests that wait or are served, on average."""
        return float(self.share @ np.arange(self.users + 1))

    @property
    def mean_running(self) -> float:
        """Requests that are served, on average."""
        return float(self.share @ np.minimum(np.arange(self.users + 1), self.servers))

    @property
    def throughput_per_s(self) -> float:
        """Requests answered a second."""
        return self.mean_running / self.mean_service_s

    @property
    def mean_sojourn_s(self) -> float:
        """Mean time from arrival to finish (Little)."""
        return self.mean_in_system / self.throughput_per_s

    @property
    def mean_wait_s(self) -> float:
        """Mean wait of all requests."""
        return max(self.mean_sojourn_s - self.mean_service_s, 0.0)


def closed(users: int, servers: int, mean_think_s: float, mean_service_s: float) -> Closed:
    """A closed population at one line of servers, all times exponential."""
    return Closed(users, servers, mean_think_s, mean_service_s)
