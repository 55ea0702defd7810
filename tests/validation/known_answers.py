"""Queues in which the whole law of the wait is known: whoever comes finds so many ahead, who leave at a constant rate.

Where all servers or seats are taken and work is memoryless, departures are a Poisson stream. A request that finds k
others waiting ahead of it starts at departure k + 1, so its wait is Erlang, and the wait of all is a mixture of those.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from sim.theory import BirthDeath, MMc

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LineWait:
    """The wait of a request that finds every server taken and k waiting with probability `found[k]`."""

    found: Floats
    """Shape (states,); sums to the share of requests that wait."""
    drain_per_s: float

    @property
    def mean_s(self) -> float:
        """Of all requests, those that do not wait included."""
        return float(self.found @ (np.arange(len(self.found)) + 1)) / self.drain_per_s

    def exceeds(self, wait_s: float) -> float:
        """Share of requests that wait longer: fewer departures by then than it takes."""
        at_most = stats.poisson.cdf(np.arange(len(self.found)), self.drain_per_s * wait_s)
        return float(self.found @ at_most)

    def quantile_s(self, share: float) -> float:
        """The wait that this share of requests does not exceed; it must be one that some wait for."""
        high_s = self.mean_s
        while self.exceeds(high_s) > 1 - share:
            high_s *= 2
        return float(optimize.brentq(lambda wait_s: self.exceeds(wait_s) - (1 - share), 0.0, high_s, xtol=1e-12))


def mmc(servers: int, arrivals_per_s: float) -> LineWait:
    """Poisson arrivals, services of one second on average."""
    queue = MMc(servers, arrivals_per_s)
    load = queue.utilization_share
    states = int(np.log(1e-15) / np.log(load)) + 1
    return LineWait(queue.wait_share * (1 - load) * load ** np.arange(states), float(servers))


def station(queue: BirthDeath) -> LineWait:
    """A station whose speed depends on how many are there, all alike once its seats are taken (PASTA)."""
    return LineWait(queue.share[queue.seats :], queue.leave_per_s(queue.seats))


def mmpp(servers: int, rates: tuple[float, float], leave: tuple[float, float]) -> LineWait:
    """Arrivals whose rate switches between two, services of one second on average: matrix-geometric (Neuts 1981).

    With as many there as servers or more, each level is the one below it times R, the least solution of
    A + R B + R^2 D = 0. An arrival finds a state as often as that state sends arrivals.
    """
    came = np.diag(rates)
    switch = np.array([[-leave[0], leave[0]], [leave[1], -leave[1]]])
    one, drain = np.eye(2), float(servers)
    inverse = np.linalg.inv(switch - came - drain * one)
    up = np.zeros((2, 2))
    while np.abs(step := -(came + drain * up @ up) @ inverse - up).max() > 1e-16:
        up = up + step
    # balance of the levels 0 to `servers`, and the sum of all
    size = servers + 1
    flows = np.zeros((size, size, 2, 2))
    for level in range(size):
        flows[level, level] = switch - came - level * one
        if level:
            flows[level - 1, level] = came
            flows[level, level - 1] = level * one
    flows[servers, servers] += up * drain
    weights = np.ones((size, 2))
    weights[servers] = np.linalg.inv(one - up) @ np.ones(2)
    equations = np.vstack([flows.transpose(1, 3, 0, 2).reshape(2 * size, 2 * size), weights.reshape(-1)])
    told = np.append(np.zeros(2 * size), 1.0)
    levels = np.linalg.lstsq(equations, told, rcond=None)[0].reshape(size, 2)
    mean_rate = (rates[0] * leave[1] + rates[1] * leave[0]) / sum(leave)
    found, level = [], levels[servers]
    while not found or level.sum() > 1e-15:
        found.append(float(level @ np.array(rates)) / mean_rate)
        level = level @ up
    return LineWait(np.array(found), drain)
