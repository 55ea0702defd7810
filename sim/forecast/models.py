"""Models that carry a demand curve on: each a name, how much history it needs, and its path of the next steps.

Seasonal naive repeats the latest season. A weekly profile is the mean shape of the latest four weeks at the level of
the last one. Holt-Winters is additive with a damped trend and a season of a day. MSTL takes the daily and the weekly
season out (Bandara, Hyndman & Bergmeir 2021) and carries on what is left by damped exponential smoothing. Source of
the rest: Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.forecast.history import DAY_S, WEEK_S, DemandHistory, Floats

LATEST_STEPS = 8 * 168
"""A fit looks back at this many steps at most: eight weeks of hours."""


@dataclass(frozen=True)
class Model:
    """One way to carry a curve on."""

    name: str
    needs_s: float
    """Of history: less cannot tell its seasons."""
    enough_s: float
    """With this much or more, another model tells its season better."""
    path: Callable[[DemandHistory, int], Floats]
    """The next so many steps, shape (steps,), at least 0."""


def models(history: DemandHistory) -> tuple[Model, ...]:
    """Those that this history is long enough for, the plainest first; there is always one."""
    known = (
        Model("seasonal naive (week)", WEEK_S, math.inf, _repeats(WEEK_S)),
        Model("seasonal naive (day)", 2 * DAY_S, math.inf, _repeats(DAY_S)),
        Model("weekly profile", 2 * WEEK_S, math.inf, _profile),
        Model("damped Holt-Winters (day)", 3 * DAY_S, 2 * WEEK_S, _holt_winters),
        Model("MSTL (day, week) + damped smoothing", 2 * WEEK_S, math.inf, _mstl),
    )
    fit = tuple(each for each in known if each.needs_s <= history.span_s < each.enough_s and history.steps_in(DAY_S))
    return fit or (Model("mean", 0.0, math.inf, _mean), Model("damped smoothing", 0.0, math.inf, _level))


def season_of(history: DemandHistory) -> int:
    """Steps of the longest season of which the history holds two; 1 if none."""
    for period_s in (WEEK_S, DAY_S):
        steps = history.steps_in(period_s)
        if steps and history.span_s >= 2 * period_s:
            return steps
    return 1


def _mean(history: DemandHistory, steps: int) -> Floats:
    return np.full(steps, history.filled.mean())


def _level(history: DemandHistory, steps: int) -> Floats:
    rates = history.filled[-LATEST_STEPS:]
    return _smoothed(rates, steps, 0) if len(rates) >= 10 else np.full(steps, rates[-1])


def _repeats(period_s: float) -> Callable[[DemandHistory, int], Floats]:
    def path(history: DemandHistory, steps: int) -> Floats:
        season = history.filled[-history.steps_in(period_s) :]
        return season[np.arange(steps) % len(season)]

    return path


def _profile(history: DemandHistory, steps: int) -> Floats:
    week = history.steps_in(WEEK_S)
    weeks = min(len(history.rate_per_s) // week, 4)
    latest = history.filled[-weeks * week :].reshape(weeks, week)
    levels = latest.mean(axis=1)
    if not (levels > 0).all():
        return np.asarray(latest[-1][np.arange(steps) % week])
    shape = (latest / levels[:, np.newaxis]).mean(axis=0) * levels[-1]
    return np.asarray(shape[np.arange(steps) % week])


def _holt_winters(history: DemandHistory, steps: int) -> Floats:
    return _smoothed(history.filled[-LATEST_STEPS:], steps, history.steps_in(DAY_S))


def _mstl(history: DemandHistory, steps: int) -> Floats:
    from statsmodels.tsa.seasonal import MSTL

    rates = history.filled[-LATEST_STEPS:]
    periods = [history.steps_in(DAY_S), history.steps_in(WEEK_S)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = MSTL(rates, periods=periods, iterate=1).fit()
    seasons = np.asarray(found.seasonal, np.float64).T
    ahead = _smoothed(rates - seasons.sum(axis=0), steps, 0)
    for season, period in zip(seasons, periods, strict=True):
        ahead += season[-period:][np.arange(steps) % period]
    return np.maximum(ahead, 0.0)


def _smoothed(rates: Floats, steps: int, season: int) -> Floats:
    """By exponential smoothing with a damped trend, with a season of so many steps if there is one."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    if np.ptp(rates) == 0:  # nothing to smooth, and no scale for the search
        return np.full(steps, rates[-1])
    settings: dict[str, Any] = {"seasonal": "add", "seasonal_periods": season} if season else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a search that stops early has still found a path
        law = ExponentialSmoothing(rates, trend="add", damped_trend=True, initialization_method="estimated", **settings)
        ahead = np.asarray(law.fit().forecast(steps), np.float64)
    if not np.isfinite(ahead).all():
        return np.full(steps, rates[-max(season, 1) :].mean())
    return np.maximum(ahead, 0.0)
