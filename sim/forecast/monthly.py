"""Months ahead: demand as factors of the latest weeks, with p10, p50 and p90.

Seasons within the week average out over a month, so what is forecast is the level, week by week: a damped trend in the
logarithm of weekly means, with the spread of its past one-week errors growing with the square root of the weeks. A
yearly season needs years of history and is not looked for: known launches and holidays belong in a plan as such.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.config.errors import ConfigError
from sim.forecast.history import DAY_S, WEEK_S, DemandHistory, Floats

MONTH_S = 365.25 / 12 * DAY_S
BASE_WEEKS = 4
"""The factors are of the mean of this many latest weeks, or of as many as there are."""
DAMPING = 0.9
"""What is left of a trend a week later: after three months next to nothing."""
_LEAST_FOR_TREND, _LEAST_FOR_SPREAD = 6, 4
_Z = 1.2815515655446004
"""The standard normal's 90th percentile."""


@dataclass(frozen=True)
class MonthlyForecast:
    """Factors of the demand of each month after the history, of 30.4 days, to that of its latest weeks."""

    base_rate_per_s: float
    base_days: float
    p10: tuple[float, ...]
    p50: tuple[float, ...]
    p90: tuple[float, ...]
    model: str
    notes: tuple[str, ...]

    def as_document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        told = {name: getattr(self, name) for name in ("base_rate_per_s", "base_days", "model")}
        quantiles = {name: list(getattr(self, name)) for name in ("p10", "p50", "p90")}
        return {**told, **quantiles, "notes": list(self.notes)}


def forecast_monthly(history: DemandHistory, months: int) -> MonthlyForecast:
    """The next months (at least 1) as factors of the latest four weeks, or of what there is.

    With six weeks or more a damped trend, else the level stays; with four weeks or more a spread, else p10 and p90 are
    the p50, and a note says so. Raises `ConfigError` for a history without demand.
    """
    assert months >= 1
    weeks, days = _means(history, WEEK_S), _means(history, DAY_S)
    period, base_s, known = (weeks, WEEK_S, "week") if len(weeks) else (days, DAY_S, "day")
    if not len(period):
        period, base_s, known = np.array([float(np.nanmean(history.rate_per_s))]), history.span_s, "span"
    base = period[-BASE_WEEKS:] if known == "week" else period
    rate = float(base.mean())
    if not rate > 0:
        raise ConfigError("the history holds no demand in its latest weeks: no factor can be told")
    level, trend, sigma, notes = _level(weeks)
    if level is None:
        level = math.log(rate)
    middle = (np.arange(months) + 0.5) * MONTH_S / WEEK_S
    path = level + trend * DAMPING * (1 - DAMPING**middle) / (1 - DAMPING) - math.log(rate)
    wide = _Z * sigma * np.sqrt(middle)
    p10, p50, p90 = (tuple(map(float, np.exp(path + sign * wide))) for sign in (-1, 0, 1))
    model = "damped trend of weekly means" if trend else "level of the latest weeks" if known == "week" else "mean"
    return MonthlyForecast(rate, len(base) * base_s / DAY_S, p10, p50, p90, model, tuple(notes))


def _means(history: DemandHistory, period_s: float) -> Floats:
    """Mean rates of the whole periods that end where the history ends, holes filled; the oldest first."""
    steps = history.steps_in(period_s)
    whole = len(history.rate_per_s) // steps if steps else 0
    if not whole:
        return np.empty(0)
    means: Floats = history.filled[len(history.rate_per_s) - whole * steps :].reshape(whole, steps).mean(axis=1)
    return means


def _level(weeks: Floats) -> tuple[float | None, float, float, list[str]]:
    """The logarithm of the level at the end, its trend a week, the deviation of a week's error, and notes."""
    notes = ["a year's season is not looked for; give launches and holidays in the plan"]
    if len(weeks) < _LEAST_FOR_SPREAD or not (weeks > 0).all():
        told = f"{len(weeks)} whole weeks with demand tell no growth and no spread: p10 and p90 are the p50"
        return None, 0.0, 0.0, [*notes, told]
    logs = np.log(weeks)
    if len(weeks) < _LEAST_FOR_TREND:
        sigma = float(np.diff(logs).std(ddof=1))
        return float(logs.mean()), 0.0, sigma, [*notes, f"{len(weeks)} weeks tell no trend: the level stays"]
    level, trend, errors = _holt(logs)
    return level, trend, float(np.sqrt(np.mean(np.square(errors)))), notes


def _holt(logs: Floats, alpha: float = 0.4, beta: float = 0.2) -> tuple[float, float, list[float]]:
    """Level and trend at the end, by Holt's damped method with fixed gains, and the one-week errors after the third.

    Gains are fixed: a dozen points do not tell them, and a search would fit noise.
    """
    first = min(len(logs) - 1, 4)
    level, trend = float(logs[0]), float(logs[first] - logs[0]) / first
    errors = []
    for index, value in enumerate(logs[1:].tolist(), start=1):
        ahead = level + DAMPING * trend
        if index >= 3:
            errors.append(value - ahead)
        before, level = level, ahead + alpha * (value - ahead)
        trend = DAMPING * trend + beta * (level - before - DAMPING * trend)
    return level, trend, errors
