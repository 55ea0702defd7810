"""Error budgets: what is spent, how fast, and which alerts would have fired, against counts made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.result.error_budget import Spending, alerts, error_budget_block, fires, spending
from tests.made_logs import log, requests, scenario, target

MINUTE_S = 60.0


def of(missed: list[float], came: float = 100.0, allowed: float = 0.01, bin_s: float = MINUTE_S) -> Spending:
    lost = np.array(missed, float)
    return Spending(np.arange(len(lost) + 1) * bin_s, np.full(len(lost), came), lost, allowed)


def test_a_budget_is_spent_when_as_many_missed_as_may() -> None:
    spent = of([0, 1, 3, 0])
    assert spent.allowed == pytest.approx(4)
    np.testing.assert_allclose(spent.spent_share(), [0, 0.25, 1, 1])


def test_a_burn_rate_is_the_share_of_misses_over_what_is_allowed() -> None:
    np.testing.assert_allclose(of([0, 1, 3, 0]).burn(MINUTE_S), [0, 1, 3, 0])
    np.testing.assert_allclose(of([0, 1, 3, 0]).burn(2 * MINUTE_S), [0, 0.5, 2, 1.5])
    assert math.isnan(of([0], came=0).burn(MINUTE_S)[0]), "nobody came"


def test_an_alert_needs_both_windows() -> None:
    """An hour of full misses in a quiet day: the page comes within minutes, and goes minutes after it ends."""
    day = of([0.0] * 600 + [100.0] * 60 + [0.0] * 780)
    firing = np.flatnonzero(fires(day, 14.4, 3600, 300))
    assert firing[0] == 608, "the ninth minute of misses: 9 of 60 are 15 %"
    assert firing[-1] == 663, "the short window sees four minutes of nothing, and then no more than 14.4 %"
    hour, six, *others = alerts(day, 86400.0)
    assert (hour["fired"], hour["first_at_s"], hour["firing_s"]) == (1, 609 * MINUTE_S, 56 * MINUTE_S)
    assert six["fired"] == 1
    assert not others, "tickets look back for three days"


def test_windows_of_a_short_run_are_shorter_by_one_factor() -> None:
    hour, six = alerts(of([0.0] * 300, bin_s=2.0), 600.0)
    assert (six["long_s"], six["short_s"]) == pytest.approx((600, 50))
    assert (hour["long_s"], hour["short_s"]) == pytest.approx((100, 100 / 12))
    assert hour["most_burn_rate"] == pytest.approx(100)


def test_a_miss_counts_when_it_comes_and_what_is_not_served_is_one() -> None:
    done = {"start_s": 2.0, "first_token_s": 2.5, "finish_s": 9.0}
    rows = requests(
        {"arrival_s": 0.5, **done},
        {"arrival_s": 1.9, **done},
        {"arrival_s": 6.0, "outcome": "rejected"},
        {"arrival_s": 10.0, "outcome": "rejected"},
    )
    made = log(rows, [0.0, 5.0, 10.0], [(0, 0, 0.0, math.inf)])
    told = scenario(slo=(target("ttft", 1.0, 0.5), target("ttft", 1.0, 1.0)))
    np.testing.assert_array_equal(spending(told, made, 0).missed, [1, 1])
    (block,) = error_budget_block(told, made)
    assert (block["requests"], block["missed"], block["allowed"]) == (3, 2, 1.5), "the last is after the horizon"
    assert block["exhausted_at_s"] == 10.0
    assert block["worst"]["from_s"] == 0.0
    (warm,) = error_budget_block(scenario(slo=told.slo[:1], warmup_s=1.0), made)
    assert (warm["requests"], warm["missed"]) == (2, 1)
