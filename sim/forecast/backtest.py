"""How well a forecast would have done: rolling origins, MASE, and how often p10 to p90 held what came.

Each window at the end of the history is forecast from what came before it alone. MASE is the mean error over that of
repeating the latest season within the training part (Hyndman & Koehler 2006): below 1 is better than that. The spread
at an origin comes from the errors of the windows before it, so the first window has none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.forecast.history import DAY_S, WEEK_S, DemandHistory, Floats
from sim.forecast.models import Model, models, season_of

MOST_WEEKS, MOST_DAYS = 4, 6
NOMINAL = 0.8
"""Share that p10 to p90 should hold."""
_FLOOR = 0.05
"""Of the mean: errors are told relative to a forecast of at least this, as nights without traffic divide by 0."""


@dataclass(frozen=True)
class Score:
    """One model's errors."""

    model: str
    mase: float
    """Over all windows."""
    last_mase: float
    """Of the latest window."""
    wape: float
    """Sum of absolute errors over the sum of demand, latest window."""
    coverage: float | None
    """Share of steps between p10 and p90; None where no window had one before it."""

    def as_document(self) -> dict[str, Any]:
        """Plain values for JSON; what could not be told is None."""
        numbers = {name: getattr(self, name) for name in ("mase", "last_mase", "wape", "coverage")}
        told = {name: x if x is not None and math.isfinite(x) else None for name, x in numbers.items()}
        return {"model": self.model, **told}


@dataclass(frozen=True, eq=False)
class BackTest:
    """What was tested, and how each model did; the best is first."""

    window_s: float
    windows: int
    scores: tuple[Score, ...]
    ratios: Floats
    """Actual over forecast of the best model, all windows' steps, shape (n,)."""
    best: Model
    notes: tuple[str, ...]

    def as_document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "window_s": self.window_s,
            "windows": self.windows,
            "nominal_coverage": NOMINAL,
            "scores": [score.as_document() for score in self.scores],
            "notes": list(self.notes),
        }


def back_test(history: DemandHistory) -> BackTest:
    """Test every model that the history is long enough for, and pick the one with the least MASE.

    The windows are weeks with three weeks or more of history, days with three days or more (the latest six), else the
    last fifth of the time.
    """
    window, least, notes = _windows(history)
    steps = len(history.rate_per_s)
    most = MOST_WEEKS if window == history.steps_in(WEEK_S) else MOST_DAYS
    count = max(min((steps - least) // window, most), 1) if window else 0
    origins = [steps - window * (count - index) for index in range(count)]
    enough = history.until(origins[0]) if origins else history
    tried = [(each, *_tried(each, history, origins, window)) for each in models(enough)]
    # a model that is not clearly better than a plainer one is not worth its parameters
    tried.sort(key=lambda one: round(one[1].mase, 2) if math.isfinite(one[1].mase) else math.inf)
    best, _, ratios = tried[0]
    return BackTest(window * history.step_s, count, tuple(score for _, score, _ in tried), ratios, best, tuple(notes))


def _windows(history: DemandHistory) -> tuple[int, int, list[str]]:
    """Steps of a window, steps needed before the first one, and what could not be done."""
    week, day = history.steps_in(WEEK_S), history.steps_in(DAY_S)
    if week and history.span_s >= 3 * WEEK_S:
        return week, 2 * week, []
    notes = ["less than three weeks of history: no whole week was predicted from the weeks before it"]
    if history.span_s < WEEK_S:
        notes = ["less than a week of history: no weekly season could be told"]
    if day and history.span_s >= 3 * DAY_S:
        return day, 2 * day, [*notes, "back-tested day by day instead"]
    steps = len(history.rate_per_s)
    if steps < 10:
        return 0, 0, [*notes, "fewer than ten steps: no back-test"]
    return steps // 5, steps - steps // 5, [*notes, "back-tested on the last fifth of the time instead"]


def _tried(model: Model, history: DemandHistory, origins: list[int], window: int) -> tuple[Score, Floats]:
    """One model's score and its ratios of actual to forecast."""
    errors: list[float] = []
    wape, held, seen = math.nan, 0, 0
    ratios = np.empty(0)
    for origin in origins:
        before = history.until(origin)
        actual = history.rate_per_s[origin : origin + window]
        known = np.isfinite(actual)
        path = model.path(before, window)
        if not known.any():
            continue
        off = np.abs(actual - path)[known]
        errors.append(_scaled(float(off.mean()), before))
        total = float(actual[known].sum())
        wape = float(off.sum()) / total if total > 0 else math.nan
        base = np.maximum(path, _FLOOR * float(before.filled.mean()))
        if len(ratios):
            low, high = spread(ratios, len(errors) - 1)
            inside = (actual >= base * low) & (actual <= base * high)
            held, seen = held + int(inside[known].sum()), seen + int(known.sum())
        ratios = np.concatenate([ratios, (actual / np.where(base > 0, base, 1.0))[known]])
    mase = float(np.mean(errors)) if errors else math.nan
    last = errors[-1] if errors else math.nan
    return Score(model.name, mase, last, wape, held / seen if seen else None), ratios


def spread(ratios: Floats, windows: int) -> tuple[float, float]:
    """p10 and p90 over p50, from the ratios of actual to forecast of so many windows.

    It is the same to both sides: a window's steps err together, so a few windows tell how far, not in which direction.
    The fewer they are, the wider, as the error of a mean has it: by the root of 1 + 1 / windows.
    """
    far = float(np.quantile(np.abs(np.log(np.clip(ratios, 1e-3, 1e3))), NOMINAL))
    wide = far * math.sqrt(1 + 1 / windows)
    return math.exp(-wide), math.exp(wide)


def _scaled(error: float, before: DemandHistory) -> float:
    """An error over the mean one of repeating the latest season within the history before."""
    season = season_of(before)
    steps = np.abs(before.rate_per_s[season:] - before.rate_per_s[:-season])
    steps = steps[np.isfinite(steps)]
    naive = float(steps.mean()) if len(steps) else math.nan
    if naive == 0:
        return 0.0 if error == 0 else math.inf
    return error / naive
