"""How bursty arrivals are over long times: the limit of variance over mean of their counts.

It is 1 for a Poisson process and, for independent gaps, their squared coefficient of variation. It stands for the
squared coefficient of variation of gaps in two-moment formulas, which is right only in heavy traffic (Sriram & Whitt,
"Characterizing superposition arrival processes", 1986).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def merged(rates: Sequence[float], dispersions: Sequence[float]) -> float:
    """Of several independent streams together: the mean of theirs by rate."""
    total = math.fsum(rates)
    return math.fsum(rate * each for rate, each in zip(rates, dispersions, strict=True)) / total if total else 1.0


def dispersion_of_batches(mean_size: float, mean_square_size: float) -> float:
    """Of batches of independent sizes at a constant rate."""
    return mean_square_size / mean_size


def dispersion_of_states(rates: Sequence[float], leave_per_s: Sequence[float]) -> float:
    """Of a Poisson process whose rate steps through states in a circle (Fischer & Meier-Hellstern, 1993)."""
    states = len(rates)
    held = 1 / np.array(leave_per_s)
    share = held / held.sum()
    generator = np.diag(-np.array(leave_per_s))
    generator[np.arange(states), (np.arange(states) + 1) % states] += leave_per_s
    # the deviation matrix: how long each state's rates are still remembered
    memory = np.linalg.inv(np.outer(np.ones(states), share) - generator) - np.outer(np.ones(states), share)
    rate = np.array(rates, dtype=float)
    return float(1 + 2 * (share * rate) @ memory @ rate / (share @ rate))


def dispersion_of_drift(rate_per_s: float, cv: float, correlation_s: float) -> float:
    """Of a Poisson process whose rate is the exponential of an Ornstein-Uhlenbeck process.

    The covariance of the rate is `rate^2 (exp(s^2 exp(-t / correlation)) - 1)`, with s^2 = ln(1 + cv^2); its integral
    is a series.
    """
    square = math.log1p(cv * cv)
    total, term = 0.0, 1.0
    for k in range(1, 1000):
        term *= square / k
        total += term / k
        if term < 1e-16 * total:
            break
    return 1 + 2 * rate_per_s * correlation_s * total
