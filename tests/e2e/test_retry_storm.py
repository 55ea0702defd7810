"""The retry storm that ships: it stays down, the verdict says so, and what is said to end it does."""

from __future__ import annotations

from typing import Any

import pytest

from sim import Result, load, simulate

BACKOFF = "workload.clients.retry={{kind: exponential, attempts: 4, base: {}, cap: 4h, jitter: full}}"


def stormed(*sets: str) -> Result:
    return simulate(load("retry-storm", ["horizon=20m", *sets]))


@pytest.fixture(scope="module")
def as_shipped() -> Result:
    return stormed()


def recovery(result: Result) -> dict[str, Any]:
    block: dict[str, Any] = result.summary()["recovery"]
    return block


def test_it_collapses_and_stays_down(as_shipped: Result) -> None:
    found = recovery(as_shipped)
    assert found["state"] == "metastable"
    assert found["burst"] == pytest.approx(
        {"from_s": 600, "to_s": 720, "offered_per_s": 185, "usual_per_s": 74}, rel=0.03
    )
    assert found["goodput_before_share"] > 0.99
    assert found["goodput_after_share"] < 0.01
    assert found["load_after_share"] < 1
    assert found["attempts_after"] == pytest.approx(4, rel=0.02)
    assert (
        "After the burst at 10 min the service does not come back: no request is answered in time, though the load"
        in as_shipped.verdict()
    )
    assert "clients send each request 4 times (a metastable failure)" in as_shipped.verdict()


def test_without_the_burst_it_is_well() -> None:
    summary = stormed("workload.arrivals={kind: poisson, rate: 74/s}").summary()
    assert summary["recovery"] is None
    assert all(target["met"] for target in summary["slo"])


@pytest.mark.parametrize(
    "remedy",
    [
        "workload.clients.retry=",
        "workload.clients.retry.budget=10%",
        "pools.chat.queue.shed={kind: estimated_wait}",
        "pools.chat.queue.shed={kind: codel}",
        "pools.chat.queue.max_waiting=15",
    ],
)
def test_what_ends_it(remedy: str, as_shipped: Result) -> None:
    result = stormed(remedy)
    assert result.summary()["requests"]["arrived"] == as_shipped.summary()["requests"]["arrived"]
    found = recovery(result)
    assert found["state"] == "recovered"
    assert found["recovered_after_s"] <= 60
    assert found["goodput_after_share"] > 0.99
    assert "metastable" not in result.verdict()


def test_jittered_backoff_ends_it_only_with_pauses_that_spread_the_retries_thin() -> None:
    """There is room for 18 a second, and the burst leaves 20,000: some 20 minutes."""
    assert recovery(stormed(BACKOFF.format("10s")))["metastable"]
    assert recovery(stormed(BACKOFF.format("5m")))["metastable"]
    # the whole spread of the first retries must be in the run, or they come after it
    assert recovery(stormed("horizon=50m", BACKOFF.format("30m")))["state"] == "recovered"
