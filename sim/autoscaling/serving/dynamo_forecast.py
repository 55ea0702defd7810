"""Load predictors of the Dynamo planner: one number an interval in, a forecast of the next one out.

Source: ai-dynamo/dynamo planner, core/load/predictors.py. A predictor's state is a value, so that a decision can be
replayed; intervals before the first one with traffic are skipped, and a forecast is never below 0. The planner has
pmdarima choose an ARIMA order once, from five points, and then updates its coefficients at every interval; here the
search is over fewer orders and the coefficients are estimated anew at every twentieth.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

Predictor = Literal["constant", "arima", "kalman"]
_LEAST_POINTS = 5
_MOST_POINTS = 240
"""Intervals that a fit looks back at: half a day of three minutes each. The planner keeps all of them."""
_REFIT_EVERY = 20
_MOST_TERMS = 2
"""Autoregressive and moving-average terms that are tried."""


@dataclass(frozen=True, slots=True)
class Kalman:
    """A filter of level and trend, one step ahead: both, and their covariance."""

    level: float
    trend: float
    level_var: float
    covariance: float
    trend_var: float


@dataclass(frozen=True, slots=True)
class ArimaFit:
    """An ARIMA(p, d, q) law with its coefficients; of log(1 + value) if `log1p`."""

    d: int
    mean: float
    ar: tuple[float, ...]
    ma: tuple[float, ...]
    log1p: bool


@dataclass(frozen=True, slots=True)
class Arima:
    """A series, its law if it has one, and how many values ago that was fitted."""

    values: tuple[float, ...]
    fit: ArimaFit | None = None
    age: int = 0


State = float | Kalman | Arima | None


@dataclass(frozen=True)
class Forecaster:
    """A predictor and its settings."""

    predictor: Predictor
    log1p: bool = False
    q_level: float = 1.0
    q_trend: float = 0.1
    r: float = 10.0

    def step(self, state: State, value: float) -> tuple[float, State]:
        """The forecast of the value after `value`, and the state for the next step. `state` is None at first."""
        if value == 0.0 and state is None:
            return 0.0, None
        if self.predictor == "constant":
            return value, value
        if self.predictor == "kalman":
            return self._kalman(state if isinstance(state, Kalman) else None, value)
        return self._arima(state if isinstance(state, Arima) else Arima(()), value)

    def _kalman(self, state: Kalman | None, value: float) -> tuple[float, State]:
        z = math.log1p(value) if self.log1p else value
        now = Kalman(z, 0.0, 1000.0, 0.0, 1000.0) if state is None else corrected(state, z, self.r)
        ahead = predicted(now, self.q_level, self.q_trend)
        forecast = math.expm1(ahead.level) if self.log1p else ahead.level
        return max(forecast, 0.0), ahead

    def _arima(self, state: Arima, value: float) -> tuple[float, State]:
        values = (*state.values, value)[-_MOST_POINTS:]
        if len(values) < _LEAST_POINTS or len(set(values)) == 1:
            return value, replace(state, values=values)
        fit, age = state.fit, state.age + 1
        if fit is None:
            fit, age = fitted(values, self.log1p), 0
        elif age >= _REFIT_EVERY:
            fit, age = refitted(values, fit), 0
        after = Arima(values, fit, age)
        return (value if fit is None else max(one_ahead(fit, values), 0.0)), after


def corrected(state: Kalman, z: float, r: float) -> Kalman:
    """The filter after it has seen `z`, whose noise has variance `r`."""
    surprise, spread = z - state.level, state.level_var + r
    to_level, to_trend = state.level_var / spread, state.covariance / spread
    return Kalman(
        state.level + to_level * surprise,
        state.trend + to_trend * surprise,
        (1 - to_level) * state.level_var,
        (1 - to_level) * state.covariance,
        state.trend_var - to_trend * state.covariance,
    )


def predicted(state: Kalman, q_level: float, q_trend: float) -> Kalman:
    """The filter one interval later: the level has moved by the trend, both are less certain."""
    return Kalman(
        state.level + state.trend,
        state.trend,
        state.level_var + 2 * state.covariance + state.trend_var + q_level,
        state.covariance + state.trend_var,
        state.trend_var + q_trend,
    )


def one_ahead(fit: ArimaFit, values: Sequence[float]) -> float:
    """The law's forecast of the value after the last one, from its residuals since the first."""
    series = _scaled(values, fit.log1p)
    moves = [after - before for before, after in pairwise(series)] if fit.d else series
    shocks: list[float] = []
    for index, move in enumerate(moves):
        shocks.append(move - _expected(fit, moves[max(index - _MOST_TERMS, 0) : index], shocks))
    ahead = _expected(fit, moves, shocks) + (series[-1] if fit.d else 0.0)
    # A law that is not stationary can run away; what no longer is a number of requests is no forecast.
    if not math.isfinite(ahead) or (fit.log1p and ahead > 700):
        return values[-1]
    return math.expm1(ahead) if fit.log1p else ahead


def _expected(fit: ArimaFit, moves: Sequence[float], shocks: Sequence[float]) -> float:
    of_ar = sum(ar * (moves[-lag] - fit.mean) for lag, ar in enumerate(fit.ar, start=1) if lag <= len(moves))
    of_ma = sum(ma * shocks[-lag] for lag, ma in enumerate(fit.ma, start=1) if lag <= len(shocks))
    return fit.mean + of_ar + of_ma


def fitted(values: Sequence[float], log1p: bool) -> ArimaFit | None:
    """The law with the least AIC; None when no law can be fitted.

    Without autoregressive and moving-average terms the law of log(1 + value) is taken instead, as the planner does.
    """
    fit = _best(values, log1p)
    if fit is not None and not log1p and not fit.ar and not fit.ma:
        return _best(values, True) or fit
    return fit


def refitted(values: Sequence[float], fit: ArimaFit) -> ArimaFit:
    """A law of the same order for a longer series: the order is chosen once. The old law if there is none."""
    again = _estimated(_scaled(values, fit.log1p), len(fit.ar), fit.d, len(fit.ma), fit.log1p)
    return again[1] if again else fit


def _best(values: Sequence[float], log1p: bool) -> ArimaFit | None:
    series = _scaled(values, log1p)
    d = _differences(series)
    orders = [(p, q) for p in range(_MOST_TERMS + 1) for q in range(_MOST_TERMS + 1) if p + q + 2 <= len(series) - d]
    found = [law for p, q in orders if (law := _estimated(series, p, d, q, log1p)) is not None]
    return min(found, key=lambda one: one[0])[1] if found else None


def _scaled(values: Sequence[float], log1p: bool) -> list[float]:
    return [math.log1p(value) for value in values] if log1p else list(values)


def _estimated(series: list[float], p: int, d: int, q: int, log1p: bool) -> tuple[float, ArimaFit] | None:
    """A law of a given order, by Hannan and Rissanen's least squares, and its AIC; None when there is none."""
    import numpy as np
    from statsmodels.tsa.arima.model import ARIMA

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on short or smooth series every fit complains about something
        try:
            found = ARIMA(np.asarray(series), order=(p, d, q), trend="n" if d else "c").fit(method="hannan_rissanen")
            aic = float(found.aic)
        except (ValueError, IndexError, np.linalg.LinAlgError):
            return None
    mean = 0.0 if d else float(found.params[0])
    law = ArimaFit(d, mean, tuple(map(float, found.arparams)), tuple(map(float, found.maparams)), log1p)
    return (aic, law) if math.isfinite(aic) else None


def _differences(series: Sequence[float]) -> int:
    """1 when the KPSS test finds that the level drifts (at 5 %), else 0."""
    from statsmodels.tsa.stattools import kpss

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the p-value is cut off at 1 % and 10 %, which is enough
            return int(kpss(series, regression="c", nlags="auto")[1] < 0.05)
    except (ValueError, OverflowError, ZeroDivisionError):
        return 0
