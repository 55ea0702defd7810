"""Answers within two seconds."""

from __future__ import annotations

import pytest

from tests.shipped import told


def test_eight_replicas_answer_a_voice_in_time_and_seven_do_not() -> None:
    enough, short = told("voice-assistant"), told("voice-assistant", "pools.assistant.autoscaler.replicas=7")
    assert (enough["replicas"]["max"], enough["slo"][0]["met"], short["slo"][0]["met"]) == (8, True, False)
    users = 40 / 2 * 86_400 / 4  # conversations: a second in the peak hour, twice the mean, four a user and day
    economics = enough["economics"]
    assert economics["users"] == users
    assert economics["revenue"][0]["break_even_prices"]["usd_per_user_month"] == pytest.approx(0.085, abs=0.001)
    assert economics["break_even_users"] == pytest.approx(0.085 / 5 * users, rel=0.01)
