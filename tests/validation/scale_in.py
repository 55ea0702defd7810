"""The exact answer for a fleet that picks at once who drains: Kolmogorov's equations, solved here.

c1 servers from an empty start, exponential services; at the switch, idle servers go first, and then busy ones are
picked that end the request they have and take no other. The state is (servers that drain, others in the system).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 120
"""More in the system has no weight."""


def drained(params: Mapping[str, Any], times_s: Sequence[float]) -> dict[str, float]:
    """EN, EQ, EB and E_surplus_busy at times from the switch on, by name; `params` as the vector has them, mu = 1."""
    rate, first, second, switch_s = (params[name] for name in ("lam", "c1", "c2", "t_switch"))
    surplus = first - second
    begin = np.zeros(MOST + 1)
    begin[0] = 1.0
    before = _solved(lambda p: _queue(p, rate, first), begin, [switch_s])[0]
    start = np.zeros((surplus + 1, MOST + 1))
    for here, weight in enumerate(before):
        drains = max(min(here, first) - second, 0)
        start[drains, here - drains] += weight

    def slope(flat: NDArray[np.float64]) -> NDArray[np.float64]:
        p = flat.reshape(start.shape)
        change = np.array([_queue(row, rate, second) for row in p])
        ends = np.arange(surplus + 1)[:, None] * p
        change -= ends
        change[:-1] += ends[1:]
        return change.ravel()

    found: dict[str, float] = {}
    others = np.arange(MOST + 1)
    solved = _solved(slope, start.ravel(), [at_s - switch_s for at_s in times_s])
    for at_s, flat in zip(times_s, solved, strict=True):
        p = flat.reshape(start.shape)
        draining = float(np.arange(surplus + 1) @ p.sum(axis=1))
        waiting = float(p.sum(axis=0) @ np.maximum(others - second, 0))
        here = float(p.sum(axis=0) @ others) + draining
        found |= {f"EN_t{at_s:g}": here, f"EQ_t{at_s:g}": waiting, f"EB_t{at_s:g}": here - waiting}
        found[f"E_surplus_busy_t{at_s:g}"] = _surplus(p, second)
    return found


def _queue(p: NDArray[np.float64], rate: float, servers: int) -> NDArray[np.float64]:
    """How the distribution of M/M/c's number in system changes."""
    ends = np.minimum(np.arange(MOST + 1), servers) * p
    change = -ends - rate * p
    change[:-1] += ends[1:]
    change[1:] += rate * p[:-1]
    change[-1] += rate * p[-1]  # nobody comes into a full system
    return change


def _surplus(p: NDArray[np.float64], second: int) -> float:
    """Mean number served beyond `second`."""
    draining, others = np.indices(p.shape)
    return float((p * np.maximum(draining + np.minimum(others, second) - second, 0)).sum())


def _solved(slope: Any, begin: NDArray[np.float64], times_s: Sequence[float]) -> NDArray[np.float64]:
    """The distribution at each time, one row a time."""
    from scipy.integrate import solve_ivp

    solution = solve_ivp(
        lambda _, p: slope(p), (0.0, times_s[-1]), begin, t_eval=times_s, method="DOP853", rtol=1e-10, atol=1e-13
    )
    return np.asarray(solution.y.T)
