"""How requests bunch: the index of dispersion of counts over windows of time, and the law that has it.

The index of a window is the variance of its count, less what the rate curve explains, over its mean: 1 for Poisson
arrivals. Around a curve of steps S a rate that drifts with coefficient of variation c and memory t gives a window w

    1 - w/S/n + L c^2 w (h(w/t) - h(S/t)/n),   h(x) = 2 (x - 1 + exp(-x)) / x^2,

with L the rate's mean square over its mean (Cox & Isham, Point Processes, 1980, section 3.2); the terms in S are what
a curve takes away that is the mean of n turns of the same counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.exchange.traffic.measured import Floats
from sim.forecast import DemandHistory
from sim.workload.arrivals import Renewal
from sim.workload.drift import CELLS
from sim.workload.randomness import rngs_of

WINDOWS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
LEAST_WINDOWS = 20
"""Of one length: fewer tell no variance."""
_CLEAR = 0.1
"""Error of the logarithm of the index that is not worth another law."""
_EVEN = 0.01
"""Index of arrivals as even as need be told."""
_MOST_CELLS = 4_000_000
"""Of a drift over the whole recording: a shorter memory would make a run of that length slow."""
_SIMULATED = 200_000


@dataclass(frozen=True)
class Bursts:
    """How arrivals bunch around their curve: Poisson if all is left out."""

    drift_cv: float | None = None
    correlation_s: float | None = None
    gap_cv: float | None = None
    """Of a renewal process; only around a constant rate."""

    @property
    def law(self) -> str:
        """In words."""
        if self.gap_cv is not None:
            return f"gaps with cv {self.gap_cv:.3g}"
        if self.drift_cv is not None:
            return f"rate drifting with cv {self.drift_cv:.3g} over {self.correlation_s:.3g} s"
        return "Poisson"


def windows_of(counts: DemandHistory, curve_step_s: float) -> list[int]:
    """Windows in base steps: up to half a step of the curve, as often as the history holds them."""
    base, most = counts.step_s, min(curve_step_s / 2, counts.span_s / LEAST_WINDOWS)
    many = dict.fromkeys(round(window / base) for window in (base, *WINDOWS_S) if base <= window <= most)
    return [window for window in many if window >= 1]


def dispersion(counts: DemandHistory, expected: Floats, windows: list[int]) -> list[float]:
    """The index of each window (in base steps) around the expected rates of shape (steps,)."""
    found = []
    for window in windows:
        whole = len(counts.rate_per_s) // window * window
        seen = counts.rate_per_s[:whole].reshape(-1, window).sum(axis=1) * counts.step_s
        mean = expected[:whole].reshape(-1, window).sum(axis=1) * counts.step_s
        known = np.isfinite(seen)
        total = float(mean[known].sum())
        found.append(float(((seen - mean)[known] ** 2).sum()) / total if total > 0 else math.nan)
    return found


def fitted_bursts(
    counts: DemandHistory, expected: Floats, step_s: float | None, arrival_s: Floats | None, turns: float = 1.0
) -> Bursts:
    """The law whose dispersion is nearest to the measured one.

    `step_s`: of the curve; None for a constant rate. `turns`: how often the recording holds what the curve repeats.
    """
    steps_s = counts.span_s if step_s is None else step_s
    windows = windows_of(counts, steps_s)
    index = np.array(dispersion(counts, expected, windows)) if windows else np.empty(0)
    usable = np.isfinite(index)
    if usable.sum() < 2:
        return Bursts()
    windows_s, index = np.array(windows)[usable] * counts.step_s, np.maximum(index[usable], _EVEN)
    poisson = _off(np.maximum(1 - windows_s / steps_s / turns, _EVEN), index)
    shortest_s = max(windows_s[0] / 5, counts.span_s * CELLS / _MOST_CELLS)
    drift, off = _drifting(windows_s, index, expected, steps_s, turns, shortest_s)
    best, least = (drift, off) if off < poisson - _CLEAR else (Bursts(), poisson)
    if step_s is None and arrival_s is not None and len(arrival_s) > 100:
        renewal, off = _renewal(counts, arrival_s, windows, index, usable)
        if off < least - _CLEAR:
            best = renewal
    return best


def _off(model: Floats, index: Floats) -> float:
    """Root mean square error of the logarithm."""
    return float(np.sqrt(np.mean((np.log(model) - np.log(index)) ** 2)))


def _h(x: Floats) -> Floats:
    small = x < 1e-4
    safe = np.where(small, 1.0, x)
    return np.where(small, 1 - x / 3, 2 * (safe - 1 + np.exp(-safe)) / safe**2)


def _drifting(
    windows_s: Floats, index: Floats, expected: Floats, step_s: float, turns: float, shortest_s: float
) -> tuple[Bursts, float]:
    """The drift with the least error, by search: memories from the shortest to a third of a step."""
    power = float((expected**2).sum() / expected.sum())
    best, least = Bursts(), math.inf
    for memory_s in np.geomspace(shortest_s, max(step_s / 3, 1.25 * shortest_s), 40).tolist():
        per_square = power * windows_s * (_h(windows_s / memory_s) - _h(np.array([step_s / memory_s])) / turns)
        for cv in np.geomspace(0.01, 5.0, 90).tolist():
            model = np.maximum(1 - windows_s / step_s / turns + cv**2 * per_square, _EVEN)
            off = _off(model, index)
            if off < least:
                best, least = Bursts(float(f"{cv:.3g}"), float(f"{memory_s:.3g}")), off
    return best, least


def _renewal(
    counts: DemandHistory, arrival_s: Floats, windows: list[int], index: Floats, usable: Any
) -> tuple[Bursts, float]:
    """Independent gaps of the measured variation, and how far their dispersion, of a drawn sample, is off."""
    gaps = np.diff(arrival_s)
    cv = float(gaps.std() / gaps.mean()) if gaps.mean() > 0 else 0.0
    law = Bursts(gap_cv=float(f"{max(cv, 0.001):.3g}"))
    rate = len(arrival_s) / counts.span_s
    span_s = min(counts.span_s, _SIMULATED / rate)
    drawn = gap_law(law, rate).arrivals(rngs_of(0, 0, "import"), span_s)
    steps = max(int(span_s / counts.step_s), 1)
    seen = np.bincount(np.minimum((drawn / counts.step_s).astype(np.int64), steps), minlength=steps)[:steps]
    sample = DemandHistory(0.0, counts.step_s, seen / counts.step_s)
    model = np.array(dispersion(sample, np.full(steps, seen.mean() / counts.step_s), windows))[usable]
    right = np.isfinite(model)
    return law, _off(np.maximum(model[right], _EVEN), index[right]) if right.any() else math.inf


def gap_law(bursts: Bursts, rate_per_s: float) -> Renewal:
    """Gamma gaps of this variation, even ones where there is none."""
    assert bursts.gap_cv is not None
    return Renewal.model_validate({"gap": {"kind": "gamma", "mean": 1 / rate_per_s, "cv": bursts.gap_cv}})
