"""Replicas and how full they are, between two instants: from the engine's samples and the replicas' life spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.result.lives import Stages, stages
from sim.result.money import billing

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.scenario import Pool

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


def paid_seconds(
    spans: NDArray[np.void], until_s: NDArray[np.float64], at_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Replica-seconds of paid time up to each instant, shape (len(at_s),): from launched to the end of the bill.

    `until_s`: the end of each life's bill, shape (spans,), as `sim.result.money.billing.paid_until_s` has it.
    """
    launched = np.isfinite(spans["launched_s"])
    return _seconds_since(spans["launched_s"], at_s) - _seconds_since(until_s[launched], at_s)


def _seconds_since(event_s: NDArray[np.float64], at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over events of the time since each, at each instant; an event still to come counts 0."""
    ordered_s = np.sort(event_s[np.isfinite(event_s)])
    before = np.searchsorted(ordered_s, at_s, side="right")
    return before * at_s - np.concatenate(([0.0], np.cumsum(ordered_s)))[before]


def replica_range(seen: Stages, start_s: float, end_s: float) -> tuple[int, int]:
    """Fewest and most replicas ready for new requests (not draining, not down) at any time in [start_s, end_s)."""
    changes = [(1, seen.serving.from_s), (-1, seen.serving.to_s)]
    real = seen.serving.to_s > seen.serving.from_s
    changes = [(step, times_s[real]) for step, times_s in changes]
    real = seen.down_serving.to_s > seen.down_serving.from_s
    changes += [(-1, seen.down_serving.from_s[real]), (1, seen.down_serving.to_s[real])]
    at_s = np.concatenate([times_s for _, times_s in changes])
    step = np.concatenate([np.full(len(times_s), by) for by, times_s in changes])
    known = at_s < max(end_s, np.nextafter(start_s, np.inf))
    at_s, step = np.maximum(at_s[known], start_s), step[known]
    instants, place = np.unique(at_s, return_inverse=True)  # all that happens at one instant happens together
    level = np.cumsum(np.bincount(place, weights=step, minlength=len(instants)))
    if len(instants) == 0 or instants[0] > start_s:
        level = np.concatenate(([0.0], level))
    return int(level.min()), int(level.max())


def replicas(log: RunLog, pools: dict[int, Pool], start_s: float, end_s: float) -> dict[str, Any]:
    """The `replicas` block of a set of pools (place -> pool) over a window.

    `min`, `max`: of the replicas that take new requests. `mean`: of those that serve, so those that drain count until
    they are gone, and those that are down do not. `replica_hours`, `gpu_hours`: of paid time, launched to gone, as
    rounded by the pool's billing: times the price they are the cost.
    """
    window_s = np.array((start_s, end_s))
    chosen = np.isin(log.spans["pool"], list(pools))
    until_s = billing.paid_until_s(log.spans, pools)
    seen = stages(log, until_s, chosen)
    down_s = sum(float(part.bins_s(window_s)[0]) for part in (seen.down_serving, seen.down_draining))
    paid_s, gpu_s, served_s = 0.0, 0.0, 0.0
    for place, pool in pools.items():
        own = log.spans["pool"] == place
        served_s += float(np.diff(_served_seconds(log.spans[own], window_s))[0])
        for make, term in enumerate(billing.terms(pool)):
            rows = own & (log.spans["make"] == make)
            made_s = float(np.diff(paid_seconds(log.spans[rows], until_s[rows], window_s))[0])
            paid_s += made_s
            gpu_s += made_s * term.gpus_per_replica
    fewest, most = replica_range(seen, start_s, end_s)
    return {
        "mean": ratio(served_s - down_s, end_s - start_s),
        "min": fewest,
        "max": most,
        "replica_hours": paid_s / 3600,
        "gpu_hours": gpu_s / 3600,
    }


def _served_seconds(spans: NDArray[np.void], at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replica-seconds from ready to gone up to each instant, shape (len(at_s),)."""
    served = np.isfinite(spans["ready_s"])
    return _seconds_since(spans["ready_s"], at_s) - _seconds_since(spans["gone_s"][served], at_s)
