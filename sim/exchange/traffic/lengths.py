"""Laws of lengths from what was measured: quantiles of single values, or of a histogram's buckets.

Parametric laws fit the lengths of real traffic poorly (its atoms are prompts of one template), so lengths become
tables of quantiles.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sim.exchange.traffic.measured import Bucketed, Floats, Lengths, OnlyMean, Sampled

CLOSE = 0.01
"""Kolmogorov-Smirnov distance at which a table is good enough."""
MEAN_CLOSE = 0.003
"""Of the mean, which is what load is made of."""
MOST_POINTS = 80
_GRID = 20_000
_FIRST = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
_UNKNOWN_CV = 1.0


def length_law(found: Lengths, least: float) -> dict[str, Any]:
    """A law as a scenario spells it; `least`: tokens that any draw has."""
    if isinstance(found, OnlyMean):
        return {"kind": "lognormal", "mean": _rounded(found.mean), "cv": _UNKNOWN_CV, "min": least}
    shares, values = of_samples(found) if isinstance(found, Sampled) else of_buckets(found, least)
    if values[0] == values[-1]:
        return {"kind": "constant", "value": max(float(values[0]), least)}
    table = {_rounded(share): _rounded(max(value, least)) for share, value in zip(shares, values, strict=True)}
    return {"kind": "quantiles", "at": table}


def of_samples(found: Sampled) -> tuple[list[float], list[float]]:
    """Shares and their values, so many that no share of requests is off by more than `CLOSE`."""
    values = found.values
    n = len(values)
    distinct, firsts = np.unique(values, return_index=True)
    below = firsts / n
    upto = np.append(firsts[1:], n) / n
    points = {share: float(np.quantile(values, share, method="inverted_cdf")) for share in _FIRST}
    grid = (np.arange(_GRID) + 0.5) / _GRID
    while len(points) < MOST_POINTS:
        shares = np.array(sorted(points))
        drawn = np.rint(np.interp(grid, shares, np.array([points[share] for share in shares.tolist()])))
        off = np.abs(np.searchsorted(drawn, distinct, side="right") / _GRID - upto)
        worst = int(off.argmax())
        if off[worst] <= CLOSE:
            break
        before = len(points)
        start, end, value = round(float(below[worst]), 5), round(float(upto[worst]), 5), float(distinct[worst])
        if points.get(start, value) < value:  # the value before ends there: this one begins a hair later, as a jump
            start = round(start + 1e-5, 5)
        for share in (start, end):
            if 0 < share < 1 and share <= end:
                points.setdefault(share, value)
        if len(points) == before:
            break
    _keep_mean(points, values)
    ordered = sorted(points)
    # a point that was rounded may stand a hair below the one before it
    rising = np.maximum.accumulate([points[share] for share in ordered])
    return ordered, rising.tolist()


def _keep_mean(points: dict[float, float], values: Floats) -> None:
    """Add points, where lines between them weigh most too much or too little, until the mean is that of the values."""
    n, upto = len(values), np.append(0.0, np.cumsum(values))
    while len(points) < MOST_POINTS + 20:
        shares = np.array(sorted(points))
        told = np.array([points[share] for share in shares.tolist()])
        ends = np.rint(shares * n).astype(np.int64)
        off = np.diff(shares) * (told[1:] + told[:-1]) / 2 - np.diff(upto[ends]) / n
        if abs(off.sum()) <= MEAN_CLOSE * upto[-1] / n:
            return
        weight = np.where((np.diff(ends) > 2) & (off * off.sum() > 0), np.abs(off), -1.0)
        worst = int(weight.argmax())
        if weight[worst] < 0:
            return
        # in the tail the middle of the tokens, not of the requests, is what matters
        middle = int(np.searchsorted(upto, (upto[ends[worst]] + upto[ends[worst + 1]]) / 2))
        share = round(min(max(middle, ends[worst] + 1), ends[worst + 1] - 1) / n, 7)
        if share in points:
            return
        points[share] = float(values[min(int(share * n), n - 1)])


def of_buckets(found: Bucketed, least: float) -> tuple[list[float], list[float]]:
    """Shares and values at the bounds of the buckets and inside each.

    Where in its bucket the middle request of each lies is the same share of the way for all, the one that gives the
    measured mean; half-way where no mean was recorded. A last bucket without a bound ends where the mean wants it.
    """
    filled = np.flatnonzero(found.counts > 0)
    counts = found.counts / found.counts.sum()
    low = np.append(least, found.bounds[:-1])
    high = found.bounds.copy()
    low, high = np.minimum(low, high), np.maximum(high, least)
    if math.isinf(high[-1]):
        high[-1] = _open_end(found, counts, low, high)
    share = _way(found.mean, counts, low, high)
    shares, values = [0.0], [float(low[filled[0]])]
    done = 0.0
    for bucket in filled.tolist():
        start, end, weight = float(low[bucket]), float(high[bucket]), float(counts[bucket])
        if start > values[-1]:  # empty buckets between: a jump, as steep as a table can say it
            shares.append(round(done + 1e-5, 5))
            values.append(start)
        shares += [round(done + weight / 2, 5), round(done + weight, 5)]
        values += [start + share * (end - start), end]
        done += weight
    shares[-1] = 1.0
    kept = [(s, v) for i, (s, v) in enumerate(zip(shares, values, strict=True)) if i == 0 or s > shares[i - 1]]
    if kept[-1][0] != 1.0:
        kept.append((1.0, values[-1]))
    return [s for s, _ in kept], np.maximum.accumulate([v for _, v in kept]).tolist()


def _open_end(found: Bucketed, counts: Floats, low: Floats, high: Floats) -> float:
    """The end of the last bucket: what the mean leaves for it, between its start and four times that."""
    start = float(low[-1])
    if not counts[-1] > 0 or math.isnan(found.mean):
        return 2 * start
    inside = float(counts[:-1] @ (low[:-1] + high[:-1])) / 2
    mean_of_last = (found.mean - inside) / float(counts[-1])
    return float(np.clip(2 * mean_of_last - start, 1.05 * start, 4 * start))


def _way(mean: float, counts: Floats, low: Floats, high: Floats) -> float:
    """How far into its bucket the middle request lies: with it at `w`, a bucket's mean is low + width (1 + 2 w) / 4."""
    width = float(counts @ (high - low))
    if math.isnan(mean) or not width > 0:
        return 0.5
    return float(np.clip((4 * (mean - float(counts @ low)) / width - 1) / 2, 0.02, 0.98))


def distance(found: Lengths, drawn: Floats) -> float:
    """Kolmogorov-Smirnov distance of draws to the data: at its values, or at the bounds of its buckets; 0 to 1."""
    drawn = np.sort(np.rint(drawn))
    if isinstance(found, OnlyMean):
        return math.nan
    if isinstance(found, Sampled):
        at, first = np.unique(found.values, return_index=True)
        upto = np.append(first[1:], len(found.values)) / len(found.values)
    else:
        at, upto = found.bounds, np.cumsum(found.counts) / found.counts.sum()
    return float(np.abs(np.searchsorted(drawn, at, side="right") / len(drawn) - upto).max())


def _rounded(value: float) -> float:
    """Without digits that say nothing."""
    short = float(f"{value:.7g}")
    return int(short) if short == int(short) else short
