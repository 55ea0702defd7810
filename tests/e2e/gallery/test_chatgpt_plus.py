"""Priority for subscribers."""

from __future__ import annotations

import pytest

from tests.shipped import told


def test_priority_for_paid_users_takes_little_from_the_others() -> None:
    """A tenth of the requests goes first: their promise holds then, and not without. $20 of 2,592 people pay for it."""
    first, equal = told("chatgpt-plus"), told("chatgpt-plus", "classes.free.priority=0")
    paid, free = (first["classes"][name]["latency"]["ttft_s"] for name in ("paid", "free"))
    assert [target["met"] for target in first["slo"]] == [True, True]
    assert [target["met"] for target in equal["slo"]] == [False, True]
    assert paid["p99"] < 2 < 8 < free["p99"]
    before = {name: each["latency"]["ttft_s"] for name, each in equal["classes"].items()}
    assert before["paid"]["p99"] > 5 * paid["p99"]
    assert free["mean"] < 1.15 * before["free"]["mean"]
    assert first["classes"]["free"]["attempts"]["rejected"] > 0 == first["classes"]["paid"]["attempts"]["rejected"]
    assert first["economics"]["break_even_users"] == pytest.approx(3 * 8 * 3 * 720 / 20) == pytest.approx(2592)
    assert first["economics"]["users"] == pytest.approx(first["classes"]["paid"]["requests"]["arrived"] / 10)
