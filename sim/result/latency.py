"""From request rows to latency statistics and SLO attainment. One metric in memory at a time, exact quantiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import COMPLETED
from sim.result.cells import Cells, cells_of
from sim.result.groups import EVERYBODY, Group, limited_to, meant
from sim.statistics.histogram import Histogram, upper_edges

if TYPE_CHECKING:
    from sim.result.log import RunLog
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


def within(rows: NDArray[np.void], value_s: NDArray[np.float64], metric: str, under_s: float) -> NDArray[np.bool_]:
    """Which requests completed with the metric at or under the limit, shape (n,).

    A request that was not served is not within it. One output token has no gaps between tokens: for `tpot` it is.
    """
    met = value_s <= under_s  # NaN compares false: a miss
    if metric == "tpot":
        met |= rows["output_tokens"] <= 1
    met &= rows["outcome"] == COMPLETED
    return np.asarray(met)


def good_rows(log: RunLog, rows: NDArray[np.void], targets: Sequence[Target]) -> NDArray[np.bool_]:
    """Which requests (rows of `log.logical`) were completed within every objective of theirs, shape (n,)."""
    good = np.asarray(rows["outcome"] == COMPLETED)
    for target in targets:
        limit = meant(log, target).mask(rows)
        met = within(rows, metric_s(rows, target.metric), target.metric, target.under_s)
        good &= met if limit is None else met | ~limit
    return good


@dataclass(frozen=True)
class Served:
    """How a window's requests were served."""

    latency: dict[Any, dict[str, Any]]
    """By key of a group: its `latency` block."""
    slo: dict[Any, list[dict[str, Any]]]
    """And its `slo` block: the objectives that can be about its requests, in their order."""
    cells: Cells
    """How many of them, by pool and stream."""


def latency_and_slo(log: RunLog, window: Window, targets: Sequence[Target], groups: Mapping[Any, Group]) -> Served:
    """The `latency` and `slo` blocks of groups of the window's requests (by any keys)."""
    latency, cells = _measured(log, window, targets, groups) if log.tally is None else log.tally.measured(groups)
    about = [meant(log, target) for target in targets]
    slo = {
        key: [
            _slo_entry(target, cells.attained(place, group, aim))
            for place, (target, aim) in enumerate(zip(targets, about, strict=True))
            if aim.shares(group)
        ]
        for key, group in groups.items()
    }
    return Served(latency, slo, cells)


def _measured(
    log: RunLog, window: Window, targets: Sequence[Target], groups: Mapping[Any, Group]
) -> tuple[dict[Any, dict[str, Any]], Cells]:
    """The `latency` blocks of groups, and the counts, in one pass over the rows a metric."""
    rows = log.logical[window.rows]
    # everybody last: the quantiles reorder the column
    ordered = sorted(groups.items(), key=lambda entry: entry[1] is EVERYBODY)
    latency: dict[Any, dict[str, Any]] = {key: {} for key in groups}
    good = np.asarray(rows["outcome"] == COMPLETED)
    met: dict[int, NDArray[np.bool_]] = {}
    for metric in METRICS:
        value_s = metric_s(rows, metric)
        for place, target in enumerate(targets):
            if target.metric == metric:
                met[place] = within(rows, value_s, metric, target.under_s)
                limit = meant(log, target).mask(rows)
                good &= met[place] if limit is None else met[place] | ~limit
        for key, group in ordered:
            mask = group.mask(rows)
            latency[key][f"{metric}_s"] = statistics(value_s if mask is None else value_s[mask])
        del value_s  # before the next one is made
    return latency, cells_of(rows, len(log.pools), len(log.streams), good, met)


def statistics_of(found: Histogram) -> dict[str, float | None]:
    """As `statistics`, of values only known as a histogram: mean and maximum exact, quantiles within 1.09 %."""
    if not found.count:
        return dict.fromkeys(("mean", *QUANTILES, "max"))
    points = {name: found.linear(share) for name, share in QUANTILES.items()}
    return {"mean": found.sum / found.count, **points, "max": found.most}


def _slo_entry(target: Target, attained: float | None) -> dict[str, Any]:
    met = None if attained is None else attained >= target.share
    limits = {name: limit for name, limit in zip(("class", "tenant"), limited_to(target), strict=True) if limit}
    return {
        "metric": target.metric,
        **limits,
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


def tail_of(found: Histogram) -> tuple[list[float], list[float]]:
    """The same of values that are known as a histogram: exact at the edges of its buckets, 32 to a doubling."""
    if not found.count:
        return [], []
    there = np.flatnonzero(found.counts)
    if not len(there):
        return [0.0], [0.0]
    places = np.arange(max(int(there[0]) - 1, 0), int(there[-1]) + 1)
    at_most = found.zeros + np.cumsum(found.counts)[places]
    return upper_edges()[places].tolist(), ((found.count - at_most) / found.count).tolist()


def _bins(positive_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bins, closed above, from the leading bits of the numbers: as integers these bits are in the numbers' order.

    A search for each of ten million numbers in a grid takes three times as long.
    """
    bits: NDArray[np.int64] = (positive_s.view(np.int64) - 1) >> _BIN_BITS
    return bits
