"""MMPP/M/c: bursts whose rate steps through states, an exponential service, one line. Exact, by matrix geometry.

Source: Neuts, "Matrix-Geometric Solutions in Stochastic Models" (1981), chapters 1 and 3; the rate matrix by
logarithmic reduction (Latouche & Ramaswami 1993).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.theory.line import Line

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ModulatedLine(Line):
    """A line of servers, arrivals Poisson with the rate of the state, each state left for the next at its own rate."""

    servers: int
    rates: tuple[float, ...]
    """Arrivals a second in each state."""
    leave_per_s: tuple[float, ...]
    mean_service_s: float = 1.0

    @property
    def arrivals_per_s(self) -> float:
        """Arrivals a second, on average."""
        held = 1 / np.array(self.leave_per_s)
        return float(np.array(self.rates) @ held / held.sum())

    @property
    def _steps(self) -> tuple[Floats, Floats]:
        """Arrivals by state, and changes of state, both of shape (states, states)."""
        states = len(self.rates)
        generator = np.diag(-np.array(self.leave_per_s, dtype=float))
        generator[np.arange(states), (np.arange(states) + 1) % states] += self.leave_per_s
        return np.diag(np.array(self.rates, dtype=float)), generator

    @cached_property
    def _rate_matrix(self) -> Floats:
        """R: level c + k is `level c` times R to the k."""
        up, change = self._steps
        one = np.eye(len(up))
        down = one * (self.servers / self.mean_service_s)
        local = change - up - down
        # logarithmic reduction for G, the way down one level; then R from it
        inverse = np.linalg.inv(-local)
        rise, fall = inverse @ up, inverse @ down
        total, path = fall.copy(), rise.copy()
        for _ in range(200):
            both = rise @ fall + fall @ rise
            back = np.linalg.inv(one - both)
            rise, fall = back @ rise @ rise, back @ fall @ fall
            total += path @ fall
            path = path @ rise
            if path.max() < 1e-14:
                break
        found: Floats = up @ np.linalg.inv(-(local + up @ total))
        return found

    @cached_property
    def _levels(self) -> Floats:
        """Share of time with n in the system and in each state, n up to `servers`, shape (servers + 1, states)."""
        up, change = self._steps
        one, serve = np.eye(len(up)), 1 / self.mean_service_s
        # level n is level n + 1 times a matrix: eliminate from below
        ways: list[NDArray[Any]] = []
        before: NDArray[Any] = np.zeros_like(up)
        for n in range(self.servers):
            local = change - up - n * serve * one + before @ up
            way = (n + 1) * serve * np.linalg.inv(-local)
            ways.append(way)
            before = way
        local = change - up - self.servers * serve * one + before @ up + self._rate_matrix * (self.servers * serve)
        # the left null vector of the top level
        system = np.vstack([local.T, np.ones(len(up))])
        top = np.linalg.lstsq(system, np.append(np.zeros(len(up)), 1.0), rcond=None)[0]
        levels = np.empty((self.servers + 1, len(up)))
        levels[-1] = top
        for n in range(self.servers - 1, -1, -1):
            levels[n] = levels[n + 1] @ ways[n]
        weight = levels[:-1].sum() + (levels[-1] @ np.linalg.inv(one - self._rate_matrix)).sum()
        levels /= weight
        return levels

    @property
    def _tail(self) -> Floats:
        """Share of time with all servers busy, by state."""
        found: Floats = self._levels[-1] @ np.linalg.inv(np.eye(len(self.rates)) - self._rate_matrix)
        return found

    @property
    def wait_share(self) -> float:
        """Share of requests that wait: those who come while all servers are busy."""
        return float(self._tail @ np.array(self.rates) / self.arrivals_per_s)

    @cached_property
    def mean_waiting(self) -> float:
        """Requests that wait, on average."""
        back = np.linalg.inv(np.eye(len(self.rates)) - self._rate_matrix)
        return float((self._levels[-1] @ self._rate_matrix @ back @ back).sum())

    @property
    def mean_wait_s(self) -> float:
        """Mean wait of all requests (Little)."""
        return self.mean_waiting / self.arrivals_per_s
