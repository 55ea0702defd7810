"""From request rows to latency statistics and SLO attainment. One metric in memory at a time, exact quantiles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import COMPLETED

if TYPE_CHECKING:
    from sim.result.window import Window
    from sim.scenario import Target

METRICS = ("queue_wait", "ttft", "tpot", "e2e")
_BIN_BITS = 48  # of the 52 bits of a fraction, those that a bin does not look at
_CHUNK = 1 << 20  # values looked at together, so that a curve of ten million needs little beside them
QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}


def metric_s(rows: NDArray[np.void], metric: str) -> NDArray[np.float64]:
    """One latency of every request, in seconds, shape (n,); NaN for a request that does not have it.

    `queue_wait` exists once a request has started; the others once it is completed. `tpot` is the mean time between
    output tokens, (finish - first token) / (output - 1), and needs two of them.
    """
    if metric == "queue_wait":
        return np.asarray(rows["start_s"] - rows["arrival_s"])
    completed = rows["outcome"] == COMPLETED
    if metric == "tpot":
        value_s = np.asarray(rows["finish_s"] - rows["first_token_s"])
        gaps = rows["output_tokens"] - 1
        completed &= gaps >= 1
        np.divide(value_s, gaps, out=value_s, where=completed)
    else:
        value_s = np.asarray(rows[{"ttft": "first_token_s", "e2e": "finish_s"}[metric]] - rows["arrival_s"])
    if not completed.all():
        value_s[~completed] = np.nan
    return value_s


def statistics(value_s: NDArray[np.float64]) -> dict[str, float | None]:
    """Mean, quantiles (numpy's `linear`) and maximum of the values that are there; reorders its argument.

    None for every statistic when there is no value at all.
    """
    missing = np.isnan(value_s)
    if missing.any():
        value_s = value_s[~missing]
    if len(value_s) == 0:
        return dict.fromkeys(("mean", *QUANTILES, "max"))
    mean, largest = float(value_s.mean()), float(value_s.max())  # before the quantiles reorder the values
    points = np.quantile(value_s, list(QUANTILES.values()), overwrite_input=True)
    return {"mean": mean, **dict(zip(QUANTILES, points.tolist(), strict=True)), "max": largest}


def attained_share(
    rows: NDArray[np.void], value_s: NDArray[np.float64], metric: str, under_s: float, mask: NDArray[np.bool_] | None
) -> float | None:
    """Share of the arrived requests that completed with the metric at or under the limit; None if none arrived.

    A request that was not served is a miss. One output token has no gaps between tokens: for `tpot` it is met.
    """
    met = value_s <= under_s  # NaN compares false: a miss
    completed = rows["outcome"] == COMPLETED
    if metric == "tpot":
        met |= rows["output_tokens"] <= 1
    met &= completed
    if mask is not None:
        met &= mask
    arrived = len(rows) if mask is None else int(np.count_nonzero(mask))
    return int(np.count_nonzero(met)) / arrived if arrived else None


def latency_and_slo(
    requests: NDArray[np.void], window: Window, targets: Sequence[Target], pools: Iterable[int | None]
) -> dict[int | None, tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The `latency` and `slo` blocks of the whole run (key None) and of pools (their index), in one pass a metric."""
    rows = requests[window.rows]
    pools = sorted(pools, key=lambda pool: (pool is None, pool))  # the whole run last: its quantiles reorder the column
    masks = {pool: None if pool is None else rows["pool"] == pool for pool in pools}
    latency: dict[int | None, dict[str, Any]] = {pool: {} for pool in pools}
    slo: dict[int | None, list[dict[str, Any]]] = {pool: [{} for _ in targets] for pool in pools}
    for metric in METRICS:
        value_s = metric_s(rows, metric)
        for pool in pools:
            mask = masks[pool]
            for place, target in enumerate(targets):
                if target.metric == metric:
                    attained = attained_share(rows, value_s, metric, target.under_s, mask)
                    slo[pool][place] = _slo_entry(target, attained)
            latency[pool][f"{metric}_s"] = statistics(value_s if mask is None else value_s[mask])
        del value_s  # before the next one is made
    return {pool: (latency[pool], slo[pool]) for pool in pools}


def _slo_entry(target: Target, attained: float | None) -> dict[str, Any]:
    met = None if attained is None else attained >= target.share
    return {
        "metric": target.metric,
        "under_s": target.under_s,
        "share": target.share,
        "attained": attained,
        "met": met,
    }


def tail_curve(value_s: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """How many requests take longer than x: points (x in seconds, share above x), sixteen to a doubling of x.

    Exact at every point; the points run from below the smallest positive value to the largest or just above it.
    Empty lists without data; a single point (0, 0) when every value is 0.
    """
    total = int(np.count_nonzero(~np.isnan(value_s)))
    if total == 0:
        return [], []
    smallest_s = float(np.min(value_s, initial=math.inf, where=value_s > 0))
    if smallest_s == math.inf:
        return [0.0], [0.0]
    low, high = _bins(np.array((smallest_s, np.nanmax(value_s)))).tolist()
    edges_s = (np.arange(low, high + 2) << _BIN_BITS).view(np.float64)
    counts = np.zeros(len(edges_s), np.int64)  # in (edge before, edge]; nothing is at or below the first edge
    for at in range(0, len(value_s), _CHUNK):
        part_s = value_s[at : at + _CHUNK]
        counts += np.bincount(_bins(part_s[part_s > 0]) - (low - 1), minlength=len(counts))
    at_most = np.cumsum(counts)
    return edges_s.tolist(), ((at_most[-1] - at_most) / total).tolist()


def _bins(positive_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bins, closed above, from the leading bits of the numbers: as integers these bits are in the numbers' order.

    A search for each of ten million numbers in a grid takes three times as long.
    """
    bits: NDArray[np.int64] = (positive_s.view(np.int64) - 1) >> _BIN_BITS
    return bits
