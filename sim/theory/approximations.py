"""Waits by two moments, where no exact formula is: for bracketing, not for proof.

How far off: before 2 to 32 servers with constant service, `allen_cunneen` tells a queue that is 2 to 6 % too short, and
`cosmetatos` is within 1 %; of bursts that outlast a service, two moments may be wrong by a factor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from sim.theory.queues import erlang_c


def kingman(utilization_share: float, mean_service_s: float, arrival_scv: float, service_scv: float) -> float:
    """Mean wait of G/G/1, seconds, from the squared coefficients of variation of gaps and service (Kingman 1961).

    The form with the utilization as a factor, which is exact for M/G/1; without it, it is Kingman's upper bound.
    """
    variability = (arrival_scv + service_scv) / 2
    return utilization_share / (1 - utilization_share) * variability * mean_service_s


def allen_cunneen(
    servers: int, arrivals_per_s: float, mean_service_s: float, arrival_scv: float, service_scv: float
) -> float:
    """Mean wait of G/G/c, seconds: that of M/M/c times the mean of the two squared coefficients of variation.

    Allen, "Probability, Statistics, and Queueing Theory" (2nd ed. 1990), section 5.4. Exact for M/M/c and M/G/1.
    """
    load = arrivals_per_s * mean_service_s
    line_s = erlang_c(servers, load) * mean_service_s / (servers - load)
    return line_s * (arrival_scv + service_scv) / 2


def cosmetatos(servers: int, arrivals_per_s: float, mean_service_s: float, service_scv: float) -> float:
    """Mean wait of M/G/c, seconds, between M/M/c and a corrected M/D/c (Cosmetatos 1976; Kimura 1994).

    Constant service waits `(1 + (1 - rho)(c - 1)(sqrt(4 + 5 c) - 2) / (16 c rho)) / 2` times as long as exponential.
    """
    load = arrivals_per_s * mean_service_s
    share = load / servers
    line_s = erlang_c(servers, load) * mean_service_s / (servers - load)
    spread = (1 - share) * (servers - 1) * (math.sqrt(4 + 5 * servers) - 2) / (16 * servers * share)
    constant_s = line_s * (1 + spread) / 2
    if service_scv > 1:  # it interpolates, and does not extrapolate
        return line_s * (1 + service_scv) / 2
    return service_scv * line_s + (1 - service_scv) * constant_s


def batch_arrivals_one_server(
    batches_per_s: float, mean_size: float, mean_square_size: float, mean_service_s: float, service_scv: float
) -> float:
    """Mean wait of M[X]/G/1, seconds; exact (Gross et al., section 3.1).

    Batches of independent sizes come at a constant rate: a request waits for the work found, then for those of its own
    batch before it.
    """
    share = batches_per_s * mean_size * mean_service_s
    batch_square_s2 = (mean_size * service_scv + mean_square_size) * mean_service_s**2
    found_s = batches_per_s * batch_square_s2 / (2 * (1 - share))
    return found_s + (mean_square_size - mean_size) / (2 * mean_size) * mean_service_s


@dataclass(frozen=True)
class Waits:
    """The law of a wait by its mean and the share that waits: those who wait do so for an exponential time.

    Exact for M/M/c; else the usual heavy-traffic form (Whitt, "The Queueing Network Analyzer", 1983).
    """

    wait_share: float
    mean_wait_s: float

    @cached_property
    def _of_waiters_s(self) -> float:
        return self.mean_wait_s / self.wait_share if self.wait_share > 0 else 0.0

    def wait_exceeds(self, wait_s: float) -> float:
        """Share of requests that wait longer than this."""
        return self.wait_share * math.exp(-wait_s / self._of_waiters_s) if self._of_waiters_s > 0 else 0.0

    def wait_quantile_s(self, share: float) -> float:
        """The wait that this share of requests does not exceed."""
        if self.wait_share <= 1 - share:
            return 0.0
        return math.log(self.wait_share / (1 - share)) * self._of_waiters_s
