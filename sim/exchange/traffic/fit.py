"""From what was measured to a workload: the curve of the rate, how requests bunch around it, lengths, patience."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal

import numpy as np

from sim.config.errors import ConfigError, Problem
from sim.exchange.traffic.bursts import Bursts, fitted_bursts
from sim.exchange.traffic.lengths import length_law
from sim.exchange.traffic.measured import Floats, GaveUp, Lengths, OnlyMean, Traffic
from sim.forecast import DemandHistory
from sim.forecast.history import DAY_S, WEEK_S
from sim.workload.arrivals import Curve

Shape = Literal["auto", "history", "week", "day", "constant"]
SHORT_S = 2 * 3600.0
"""A recording shorter than this has no curve that is worth repeating: its rate is constant, and drifts."""
_STEPS_S = (600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 21_600.0, 43_200.0, DAY_S)
_MOST_POINTS, _MOST_ASKED = 2016, 8_000
_LEAST_COUNT = 100
"""Requests in a step of a curve: fewer, and the curve is mostly chance."""
_NEARLY = 0.98
"""Of a period that a recording must hold: its last step may be cut off."""
_LEAST_INSIDE = 4
"""Base steps in a step of a curve."""
_LEAST_ABORTS, _LEAST_ABORT_SHARE = 20, 0.001


@dataclass(frozen=True, eq=False)
class Fit:
    """The laws of one stream."""

    traffic: Traffic
    document: dict[str, Any]
    """As a workload spells it."""
    shape: Shape
    step_s: float | None
    """Of the curve; None for a constant rate."""
    begins_s: float
    """What time 0 of the law is, in Unix seconds or in those of the recording."""
    zone: tzinfo
    expected: Floats
    """The law's rate in each base step of the recording, per second; shape (steps,)."""
    bursts: Bursts
    notes: tuple[str, ...]


def fitted(traffic: Traffic, shape: Shape = "auto", step_s: float | None = None, zone: tzinfo = UTC) -> Fit:
    """The laws that stand for a stream.

    `history` follows the recording from its first to its last step; `week` and `day` are the mean week (from Monday)
    and the mean day (from midnight, in `zone`) at the level of the recording, and repeat; `constant` is its mean rate.
    """
    counts = traffic.counts
    notes = list(traffic.notes)
    chosen: Shape = shape
    if shape == "auto":
        chosen = "history" if counts.span_s >= SHORT_S else "constant"
    for period, name in ((WEEK_S, "week"), (DAY_S, "day")):
        if chosen == name and counts.span_s < _NEARLY * period:
            notes.append(f"less than a {name} was recorded: the rate follows the recording instead")
            chosen = "history"
    zone = zone if traffic.dated else UTC
    begins_s, curve, used_s = _curve(counts, chosen, step_s, zone)
    if curve is not None and len(curve["points"]) > _MOST_ASKED:
        told = f"the curve has {len(curve['points']):,} points, and no workload file holds more than {_MOST_ASKED:,}"
        raise ConfigError(Problem(f"{told}; take longer steps, or --shape week", "--bin"))
    mean = float(np.nanmean(counts.rate_per_s))
    expected = around(counts, chosen, used_s, zone)
    turns = {"week": counts.span_s / WEEK_S, "day": counts.span_s / DAY_S}.get(chosen, 1.0)
    bursts = fitted_bursts(counts, expected, used_s, traffic.arrival_s, max(turns, 1.0))
    holes = 1 - counts.known_share
    if holes > 0:
        notes.append(f"{holes:.1%} of the time was not recorded: filled by other days, not by zero")
    document: dict[str, Any] = {"arrivals": _arrivals(curve, mean, bursts)}
    for key, lengths, least in (("prompt_tokens", traffic.prompt, 1.0), ("output_tokens", traffic.output, 1.0)):
        document[key] = length_law(lengths, least)
        notes += _about(key, lengths)
    if traffic.cached_share:
        document["cached_share"] = round(min(traffic.cached_share, 1.0), 4)
    if traffic.rank_correlation is not None and abs(traffic.rank_correlation) > 0.2:
        told = f"prompt and answer lengths go together (rank correlation {traffic.rank_correlation:.2f})"
        notes.append(f"{told}; the laws draw them apart")
    clients, of_clients = _clients(traffic.gave_up)
    if clients:
        document["clients"] = clients
    notes += of_clients
    return Fit(traffic, document, chosen, used_s, begins_s, zone, expected, bursts, tuple(notes))


def around(counts: DemandHistory, shape: Shape, step_s: float | None, zone: tzinfo) -> Floats:
    """The rate that is fitted to some counts, in each of their steps, per second; shape (steps,)."""
    begins_s, curve, _ = _curve(counts, shape, step_s, zone)
    if curve is None:
        return np.full(len(counts.rate_per_s), float(np.nanmean(counts.rate_per_s)))
    return curve_rates(curve, counts, begins_s)


def _curve(
    counts: DemandHistory, shape: Shape, step_s: float | None, zone: tzinfo
) -> tuple[float, dict[str, Any] | None, float | None]:
    """What its time 0 is, the curve as a scenario spells it, and its steps; no curve for a constant rate."""
    if shape == "constant":
        return counts.start_s, None, None
    if shape == "history":
        used_s = _step(counts, counts.span_s, 1.0, step_s)
        rates = counts.coarser(used_s).filled
        points = [(0.0, rates[0])] + [((i + 0.5) * used_s, rate) for i, rate in enumerate(rates.tolist())]
        return counts.start_s, _told(points, rates.mean(), len(rates) * used_s, False), used_s
    period_s = WEEK_S if shape == "week" else DAY_S
    begins_s = _anchor(counts.start_s, shape, zone)
    used_s = _step(counts, period_s, counts.span_s / period_s, step_s)
    rates = _mean_turn(counts, begins_s, period_s, used_s)
    edge = (rates[0] + rates[-1]) / 2
    middles = [((i + 0.5) * used_s, rate) for i, rate in enumerate(rates.tolist())]
    return begins_s, _told([(0.0, edge), *middles, (period_s, edge)], rates.mean(), period_s, True), used_s


def _told(points: list[tuple[float, float]], mean: float, until_s: float, repeat: bool) -> dict[str, Any]:
    """A curve through points, scaled to the mean that was measured: lines cut off what stands out."""
    bare = Curve(points=tuple(points), repeat=repeat).rate_curve
    factor = mean * until_s / bare.expected(until_s) if mean > 0 else 1.0
    told = [[_short(at_s), float(f"{rate * factor:.5g}")] for at_s, rate in points]
    return {"kind": "curve", "points": told} | ({"repeat": True} if repeat else {})


def _short(at_s: float) -> float:
    return int(at_s) if at_s == int(at_s) else at_s


def _step(counts: DemandHistory, period_s: float, turns: float, wanted_s: float | None) -> float:
    """Seconds of a step of the curve: the shortest with enough requests in each and not too many points."""
    base = counts.step_s
    if wanted_s is not None:
        return max(round(min(wanted_s, period_s / 2) / base), 1) * base
    rate = float(np.nanmean(counts.rate_per_s))
    # whole multiples of the base step: times of an odd grid would else be followed at that grid
    steps = [math.ceil(step / base - 1e-9) * base for step in _STEPS_S]
    fit = [step for step in steps if step <= period_s / 4] or [base]
    # what a curve of one turn follows is repeated in every run, so what is chance is better left to the drift
    least = 1800.0 if period_s >= DAY_S / 2 and turns < 3 else 600.0
    fit = [step for step in fit if step >= least] or fit[-1:]
    usable = [step for step in fit if period_s / step <= _MOST_POINTS and rate * step * turns >= _LEAST_COUNT]
    seen = [step for step in usable if step >= _LEAST_INSIDE * base]  # shorter ones leave no bursts inside to look at
    return (seen or usable or fit[-1:])[0]


def _anchor(start_s: float, shape: Shape, zone: tzinfo) -> float:
    """The midnight, or the Monday's midnight, before the recording."""
    day = datetime.fromtimestamp(start_s, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    if shape == "week":
        day -= timedelta(days=day.weekday())
    return day.timestamp()


def _mean_turn(counts: DemandHistory, begins_s: float, period_s: float, step_s: float) -> Floats:
    """The mean rate of each step of a period, over all its turns."""
    at_s = counts.start_s - begins_s + (np.arange(len(counts.rate_per_s)) + 0.5) * counts.step_s
    known = np.isfinite(counts.rate_per_s)
    place = (at_s % period_s / step_s).astype(np.int64)[known]
    steps = math.ceil(period_s / step_s)
    sums = np.bincount(place, counts.rate_per_s[known], minlength=steps)
    many = np.bincount(place, minlength=steps)
    turn = np.where(many > 0, sums / np.maximum(many, 1), np.nan)
    return DemandHistory(0.0, step_s, turn).filled


def curve_rates(document: dict[str, Any], counts: DemandHistory, begins_s: float) -> Floats:
    """The curve's mean rate in each base step of a recording; shape (steps,)."""
    points = np.array(document["points"], np.float64)
    period_s = float(points[-1, 0]) if document.get("repeat") else None
    edges = counts.start_s - begins_s + np.arange(len(counts.rate_per_s) + 1) * counts.step_s
    middle = (edges[:-1] + edges[1:]) / 2
    if period_s is not None:
        middle = middle % period_s
    return np.interp(middle, points[:, 0], points[:, 1])


def _arrivals(curve: dict[str, Any] | None, mean: float, bursts: Bursts) -> dict[str, Any]:
    drift = None if bursts.drift_cv is None else {"cv": bursts.drift_cv, "correlation": bursts.correlation_s}
    if curve is not None:
        return curve | ({"drift": drift} if drift else {})
    rate = float(f"{mean:.5g}")
    if bursts.gap_cv is not None:
        return {"kind": "renewal", "gap": {"kind": "gamma", "mean": 1 / rate, "cv": bursts.gap_cv}}
    return {"kind": "cox", "rate": rate, **drift} if drift else {"kind": "poisson", "rate": rate}


def _about(key: str, lengths: Lengths) -> list[str]:
    if isinstance(lengths, OnlyMean):
        return [f"{key}: only the mean was recorded; a lognormal law with cv 1 is assumed"]
    return []


def _clients(gave_up: GaveUp | None) -> tuple[dict[str, Any], list[str]]:
    """Patience, where enough went away: of a constant wait if all waited as long, else exponential.

    Its mean is all waiting over those who went, the maximum-likelihood estimate where most are censored by an answer.
    """
    if gave_up is None or gave_up.count < _LEAST_ABORTS or gave_up.share < _LEAST_ABORT_SHARE:
        return {}, []
    key = "first_token_timeout" if gave_up.before_first_token else "total_timeout"
    if gave_up.constant_s is not None:
        return {key: float(f"{gave_up.constant_s:.4g}")}, []
    if not gave_up.waited_s > 0:
        return {}, []
    mean_s = float(f"{gave_up.waited_s / gave_up.count:.4g}")
    told = f"{gave_up.share:.1%} of the requests were given up: patience is taken as exponential"
    return {key: {"kind": "exponential", "mean": mean_s}}, [told]


def workload_of(fits: list[Fit]) -> dict[str, Any]:
    """The workload of one stream, or of several by name."""
    if len(fits) == 1:
        return fits[0].document
    names: dict[str, dict[str, Any]] = {}
    for fit in fits:
        name = re.sub(r"[^\w-]+", "-", fit.traffic.name).strip("-")[-50:] or "stream"
        while name in names:
            name += "-2"
        names[name] = fit.document
    return {"streams": names}
