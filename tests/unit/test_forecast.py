"""Demand histories, their forecasts by the hour and by the month, and the back-test that picks them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sim.config.errors import ConfigError, DataError
from sim.forecast import DemandHistory, back_test, forecast, forecast_monthly, history_text, read_history

HOUR_S, MONDAY_S = 3600.0, 1_767_571_200.0


def weekly(weeks: float, noise: float = 0.0, growth: float = 0.0, seed: int = 1) -> DemandHistory:
    """Hours of a wave by day with quiet weekends, that grows by the week; noise as a share."""
    rng = np.random.default_rng(seed)
    hours = np.arange(round(weeks * 168))
    rate = (1 + 0.5 * np.cos((hours % 24 - 15) / 24 * 2 * np.pi)) * np.where(hours // 24 % 7 >= 5, 0.4, 1.0)
    rate = rate * (1 + growth) ** (hours / 168) * np.exp(noise * rng.standard_normal(len(hours)))
    return DemandHistory(MONDAY_S, HOUR_S, 10 * rate)


def test_a_history_is_read_back_with_its_holes(tmp_path: Path) -> None:
    history = weekly(0.5)
    history.rate_per_s[[3, 4, 20]] = np.nan
    path = tmp_path / "demand.csv"
    path.write_text(history_text(history))
    again = read_history(str(path))
    assert (again.start_s, again.step_s) == (history.start_s, history.step_s)
    np.testing.assert_allclose(again.rate_per_s, history.rate_per_s, rtol=1e-9)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the header is empty"),
        ("t,rate\n0,1\n", "time: needs this column once; the header is t,rate"),
        ("time,rate_per_s\n0,1\n", "needs at least two rows"),
        ("time,rate_per_s\n0,1\n3600,-2\n", "3: rate_per_s: must be finite and at least 0, got '-2'"),
        ("time,rate_per_s\n0,1\n3600,x\n", "3: rate_per_s: must be a number, got 'x'"),
        ("time,rate_per_s\n3600,1\n3600,2\n", "3: time: must be after the row before, got '3600'"),
        ("time,rate_per_s\nnoon,1\n", "2: time: must be a time such as 2026-03-01T14:00"),
        ("time,rate_per_s\n0,1\n3600,2\n8000,2\n", "times must be 3600 s apart"),
        ("time,rate_per_s\n0,\n3600,nan\n", "holds no rate at all"),
        ("time,rate_per_s\n0,1,7\n", "must have 2 fields"),
    ],
)
def test_a_wrong_history_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "demand.csv"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        read_history(str(path))
    assert told in str(error.value)


def test_times_may_name_their_zone(tmp_path: Path) -> None:
    path = tmp_path / "demand.csv"
    path.write_text("time,rate_per_s\n2026-01-05T01:00:00+01:00,1\n2026-01-05 01:00,2\n")
    assert read_history(str(path)).start_s == MONDAY_S


def test_a_hole_is_filled_by_the_same_hour_of_other_weeks_not_by_zero() -> None:
    history, whole = weekly(3), weekly(3)
    history.rate_per_s[168 + 10 : 168 + 30] = np.nan
    np.testing.assert_allclose(history.filled, whole.rate_per_s)
    assert np.isnan(history.coarser(6 * HOUR_S).rate_per_s).sum() == 3


def test_a_weekly_rhythm_is_found_and_predicted() -> None:
    tested = back_test(weekly(6, noise=0.05))
    assert (tested.windows, tested.window_s) == (4, 168 * HOUR_S)
    assert tested.best.name in ("weekly profile", "MSTL (day, week) + damped smoothing", "seasonal naive (week)")
    assert tested.scores[0].mase < 1.1
    worst = max(score.mase for score in tested.scores)
    assert worst > 3  # what only knows the day is far off at weekends


def test_p10_to_p90_hold_what_they_should() -> None:
    """Weeks whose level wanders by 10 %: of forecasts of many histories about 80 % of the hours must be held."""
    held = []
    for seed in range(12):
        rng = np.random.default_rng(100 + seed)
        history = weekly(7, noise=0.1, seed=seed)
        level = np.repeat(np.exp(0.1 * rng.standard_normal(7)), 168)
        actual = history.rate_per_s * level
        known = DemandHistory(MONDAY_S, HOUR_S, actual[: 6 * 168])
        told = forecast(known, 168)
        held.append(((told.p10 <= actual[6 * 168 :]) & (actual[6 * 168 :] <= told.p90)).mean())
    assert 0.65 < np.mean(held) < 0.95


def test_the_spread_widens_beyond_what_was_tested() -> None:
    told = forecast(weekly(4, noise=0.1), 4 * 168)
    assert (told.p10 <= told.p50).all()
    assert (told.p50 <= told.p90).all()
    ratio = told.p90 / told.p50
    assert ratio[-1] == pytest.approx(ratio[0] ** 2)  # the root of four weeks


@pytest.mark.parametrize(("hours", "window_h"), [(100, 24), (30, 6)])
def test_little_history_is_tested_on_less_and_says_so(hours: int, window_h: int) -> None:
    tested = back_test(weekly(2).until(hours))
    assert tested.window_s == window_h * HOUR_S
    assert "less than a week" in tested.notes[0]
    assert not any("week" in score.model for score in tested.scores)


def test_next_to_no_history_has_no_spread_and_says_so() -> None:
    told = forecast(weekly(1).until(6), 3)
    assert (told.p10 == told.p90).all()
    assert told.notes[-1] == "no spread could be told: p10 and p90 are the p50"


def test_months_follow_growth_and_do_not_invent_it() -> None:
    grows = forecast_monthly(weekly(16, noise=0.02, growth=0.03), 6)
    flat = forecast_monthly(weekly(16, noise=0.02), 6)
    assert grows.base_days == 28
    assert 1.05 < grows.p50[0] < 1.25  # the base is the mean of four weeks, of which the middle is two weeks back
    assert all(after > before for before, after in zip(grows.p50, grows.p50[1:], strict=False))
    assert all(0.97 < factor < 1.03 for factor in flat.p50)
    assert all(low <= middle <= high for low, middle, high in zip(flat.p10, flat.p50, flat.p90, strict=True))
    assert flat.p90[5] / flat.p50[5] > flat.p90[0] / flat.p50[0]


def test_a_few_weeks_tell_no_growth_and_no_spread() -> None:
    told = forecast_monthly(weekly(2, growth=0.1), 2)
    assert told.p10 == told.p50 == told.p90
    assert "2 whole weeks with demand tell no growth" in told.notes[-1]
    with pytest.raises(ConfigError, match="no demand"):
        forecast_monthly(DemandHistory(0.0, HOUR_S, np.zeros(400)), 1)
