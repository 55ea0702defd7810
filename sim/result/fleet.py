"""Replicas and how full they are, between two instants: from the engine's samples and the replicas' life spans."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

INTEGRALS = ("ready_s", "busy_s", "running_s", "seats_s", "kv_tokens_s", "kv_capacity_s")


def integrals_at(
    samples: NDArray[np.void], at_s: NDArray[np.float64], pools: list[int]
) -> dict[str, NDArray[np.float64]]:
    """The running integrals of the samples at some instants, summed over pools: column name -> shape (len(at_s),).

    The engine samples at every instant asked for here, so the values are its own, not interpolated ones.
    """
    total = {name: np.zeros(len(at_s)) for name in INTEGRALS}
    for pool in pools:
        rows = samples[samples["pool"] == pool]
        for name in INTEGRALS:
            total[name] += np.interp(at_s, rows["at_s"], rows[name])
    return total


def ratio(part: float, whole: float) -> float | None:
    """part / whole, or None when there is nothing to divide by."""
    return float(part) / float(whole) if whole > 0 else None


def utilization(used: dict[str, NDArray[np.float64]]) -> dict[str, float | None]:
    """The three ways to say how full a fleet is, from `integrals_at` the two ends of a window.

    `busy_share`: of the ready replica time, that with at least one running request. `batch_share`: of the seats of
    ready replicas, those taken. `kv_share`: of their KV memory, that in use; None for replicas that have none.
    """
    spent = {name: float(column[-1] - column[0]) for name, column in used.items()}
    return {
        "busy_share": ratio(spent["busy_s"], spent["ready_s"]),
        "batch_share": ratio(spent["running_s"], spent["seats_s"]),
        "kv_share": ratio(spent["kv_tokens_s"], spent["kv_capacity_s"]),
    }


def ready_seconds(spans: NDArray[np.void], at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replica-seconds of ready time up to each instant, shape (len(at_s),): what a fleet is paid by."""
    return _seconds_since(spans["ready_s"], at_s) - _seconds_since(spans["gone_s"], at_s)


def _seconds_since(event_s: NDArray[np.float64], at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over events of the time since each, at each instant; an event still to come counts 0."""
    ordered_s = np.sort(event_s[np.isfinite(event_s)])
    before = np.searchsorted(ordered_s, at_s, side="right")
    return before * at_s - np.concatenate(([0.0], np.cumsum(ordered_s)))[before]


def replica_range(spans: NDArray[np.void], start_s: float, end_s: float) -> tuple[int, int]:
    """Fewest and most replicas ready at any time in [start_s, end_s)."""
    at_s = np.concatenate((spans["ready_s"], spans["gone_s"]))
    step = np.repeat((1, -1), len(spans))
    known = at_s < max(end_s, np.nextafter(start_s, np.inf))
    at_s, step = np.maximum(at_s[known], start_s), step[known]
    instants, place = np.unique(at_s, return_inverse=True)  # all that happens at one instant happens together
    level = np.cumsum(np.bincount(place, weights=step, minlength=len(instants)))
    if len(instants) == 0 or instants[0] > start_s:
        level = np.concatenate(([0.0], level))
    return int(level.min()), int(level.max())


def replicas(spans: NDArray[np.void], gpus_per_replica: dict[int, int], start_s: float, end_s: float) -> dict[str, Any]:
    """The `replicas` block of a set of pools (index -> GPUs a replica) over a window."""
    window_s = np.array((start_s, end_s))
    ready_s = {
        pool: float(np.diff(ready_seconds(spans[spans["pool"] == pool], window_s))[0]) for pool in gpus_per_replica
    }
    fewest, most = replica_range(spans[np.isin(spans["pool"], list(gpus_per_replica))], start_s, end_s)
    return {
        "mean": ratio(sum(ready_s.values()), end_s - start_s),
        "min": fewest,
        "max": most,
        "replica_hours": sum(ready_s.values()) / 3600,
        "gpu_hours": sum(ready_s[pool] * gpus for pool, gpus in gpus_per_replica.items()) / 3600,
    }
