"""How well laws stand for the data they were fitted to: the rate by time, bursts, lengths, and a back-test.

Bursts and lengths of the law are those of a sample drawn from it, measured as the data were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from sim.exchange.traffic.bursts import dispersion, windows_of
from sim.exchange.traffic.fit import Fit, around
from sim.exchange.traffic.lengths import distance
from sim.exchange.traffic.measured import Bucketed, Lengths
from sim.forecast import BackTest, DemandHistory, back_test
from sim.forecast.demand import hourly
from sim.forecast.history import HOUR_S
from sim.workload import AnyWorkload
from sim.workload.distributions import Distribution
from sim.workload.drift import CELLS
from sim.workload.generated import Generated
from sim.workload.randomness import rngs_of

_DRAWN = 2_000_000
_SEEDS = 40
"""Samples of arrivals at most, as many as stay within `_DRAWN` requests: bursts of one say little."""
_WINDOWS_TOLD = 6


@dataclass(frozen=True)
class LengthFit:
    """One kind of length."""

    ks: float
    """Kolmogorov-Smirnov distance of the law to the data; NaN where only the mean is known."""
    mean_in: float
    mean_out: float


@dataclass(frozen=True)
class Goodness:
    """How well one stream's laws fit."""

    requests: float
    rate_per_s: float
    rate_error: dict[str, float]
    """By step of time (`60 s`): sum of absolute differences over the sum, of data and law; chance counts too."""
    bursts: tuple[tuple[float, float, float], ...]
    """Window in seconds, index of dispersion of the data, and of the law."""
    bursts_law: str
    prompt: LengthFit
    output: LengthFit
    back_test: BackTest

    def as_document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        names = ("window_s", "measured", "law")
        lengths = {f"{key}_tokens": vars(getattr(self, key)) | {} for key in ("prompt", "output")}
        return {
            "requests": self.requests,
            "rate_per_s": self.rate_per_s,
            "rate_error": self.rate_error,
            "bursts": self.bursts_law,
            "dispersion": [dict(zip(names, row, strict=True)) for row in self.bursts if not math.isnan(row[1])],
            **{key: {name: None if math.isnan(x) else x for name, x in part.items()} for key, part in lengths.items()},
            "back_test": self.back_test.as_document(),
        }


def goodness(fit: Fit) -> Goodness:
    """How well these laws fit."""
    stream = TypeAdapter(AnyWorkload).validate_python(fit.document)
    assert isinstance(stream, Generated)
    counts = fit.traffic.counts
    return Goodness(
        fit.traffic.requests,
        float(np.nanmean(counts.rate_per_s)),
        _rate_error(fit),
        _bursts(fit, stream),
        fit.bursts.law,
        _lengths(fit.traffic.prompt, stream.prompt_tokens),
        _lengths(fit.traffic.output, stream.output_tokens),
        back_test(in_even_steps(counts)),
    )


def in_even_steps(counts: DemandHistory) -> DemandHistory:
    """By the hour; recordings shorter than ten hours in steps of at least a minute, as far as twenty are left."""
    if counts.span_s >= 10 * HOUR_S:
        return hourly(counts)
    many = max(round(60 / counts.step_s), 1)
    return counts.coarser(many * counts.step_s) if len(counts.rate_per_s) >= 20 * many else counts


def _rate_error(fit: Fit) -> dict[str, float]:
    """Of the law's rate at the step of its curve and at an hour (a minute for short recordings)."""
    counts = fit.traffic.counts
    law = DemandHistory(counts.start_s, counts.step_s, fit.expected)
    wanted = {fit.step_s or 60.0, HOUR_S if counts.span_s >= 6 * HOUR_S else 300.0}
    found = {}
    for step_s in sorted(max(step, counts.step_s) for step in wanted):
        step_s = round(step_s / counts.step_s) * counts.step_s
        seen, told = counts.coarser(step_s).rate_per_s, law.coarser(step_s).rate_per_s
        known = np.isfinite(seen)
        total = float(seen[known].sum())
        if total > 0:
            found[f"{step_s:g} s"] = float(np.abs(seen - told)[known].sum()) / total
    return found


def _bursts(fit: Fit, stream: Generated) -> tuple[tuple[float, float, float], ...]:
    """The index of dispersion by window, of the data and of samples of the law.

    Each around the curve that is fitted to it: what a curve takes away, it takes from both.
    """
    counts = fit.traffic.counts
    windows = windows_of(counts, fit.step_s or counts.span_s)
    if len(windows) > _WINDOWS_TOLD:
        windows = [windows[i] for i in np.linspace(0, len(windows) - 1, _WINDOWS_TOLD).astype(int).tolist()]
    if not windows:
        return ()
    measured = dispersion(counts, fit.expected, windows)
    offset_s = counts.start_s - fit.begins_s
    mean = max(float(fit.expected.mean()), 1e-12)
    steps = max(min(len(fit.expected), int(_DRAWN / mean / counts.step_s)), 1)
    until_s = offset_s + steps * counts.step_s
    drawn = []
    cells = until_s * CELLS / (fit.bursts.correlation_s or math.inf)
    seeds = int(_DRAWN / (mean * steps * counts.step_s + cells + steps))
    for seed in range(max(min(_SEEDS, seeds), 1)):
        arrival_s = stream.arrivals.arrivals(rngs_of(seed, 0, "import"), until_s) - offset_s
        place = (arrival_s[arrival_s >= 0] / counts.step_s).astype(np.int64)
        seen = np.bincount(np.minimum(place, steps), minlength=steps + 1)[:steps] / counts.step_s
        if not seen.any():
            continue
        sample = DemandHistory(counts.start_s, counts.step_s, seen)
        drawn.append(dispersion(sample, around(sample, fit.shape, fit.step_s, fit.zone), windows))
    law = np.mean(drawn, axis=0).tolist() if drawn else [math.nan] * len(windows)
    return tuple((window * counts.step_s, a, b) for window, a, b in zip(windows, measured, law, strict=True))


def _lengths(found: Lengths, law: Distribution[Any] | None) -> LengthFit:
    assert law is not None
    drawn = law.sample()
    mean = found.mean
    if isinstance(found, Bucketed) and math.isnan(mean):
        return LengthFit(distance(found, drawn), math.nan, float(drawn.mean()))
    return LengthFit(distance(found, drawn), mean, float(drawn.mean()))
