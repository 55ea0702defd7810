"""The forecast of the next steps of a demand history: p10, p50 and p90, by the model that did best before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.forecast.backtest import BackTest, back_test, spread
from sim.forecast.history import HOUR_S, DemandHistory, Floats


@dataclass(frozen=True, eq=False)
class Forecast:
    """The steps after a history."""

    start_s: float
    """Unix time of the first step's start."""
    step_s: float
    p10: Floats
    """Per second, shape (steps,), as the others."""
    p50: Floats
    p90: Floats
    tested: BackTest
    notes: tuple[str, ...]

    def as_document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        quantiles = {name: getattr(self, name).tolist() for name in ("p10", "p50", "p90")}
        told = {"start_s": self.start_s, "step_s": self.step_s, "model": self.tested.best.name}
        return {**told, **quantiles, "back_test": self.tested.as_document(), "notes": list(self.notes)}


def forecast(history: DemandHistory, steps: int, tested: BackTest | None = None) -> Forecast:
    """The next so many steps. Shorter steps than an hour are taken together to hours first.

    p10 and p90 are the path times the spread of the back-test's errors. Beyond the length that was tested the spread
    widens with the square root of time. Without a back-test there is no spread, and a note says so.
    """
    whole = hourly(history)
    found = tested or back_test(whole)
    path = found.best.path(whole, steps)
    notes = list(found.notes)
    low, high = 1.0, 1.0
    if len(found.ratios):
        low, high = spread(found.ratios, found.windows)
    else:
        notes.append("no spread could be told: p10 and p90 are the p50")
    beyond = np.maximum((np.arange(steps) + 1) * whole.step_s / max(found.window_s, whole.step_s), 1.0)
    wider = np.sqrt(beyond)
    p10 = path * np.exp(math.log(low) * wider)
    p90 = path * np.exp(math.log(high) * wider)
    return Forecast(whole.start_s + whole.span_s, whole.step_s, p10, path, p90, found, tuple(notes))


def hourly(history: DemandHistory) -> DemandHistory:
    """By the hour, where its steps are shorter and fill it evenly and there are ten hours or more."""
    long_enough = history.span_s >= 10 * HOUR_S
    return history.coarser(HOUR_S) if history.steps_in(HOUR_S) and long_enough else history
