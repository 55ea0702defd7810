"""Sliders read off a scenario, and the sizes of the curve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.scenario import load
from sim.ui.desk.knobs import knobs_of, sets_of, sizes, with_size
from sim.ui.wire.told import KnobTold


def size_knob(own: int, low: int, high: int) -> KnobTold:
    return KnobTold(
        key="k", label="", help="", pool="p", kind="number", own=own, low=low, high=high, step=1, log=False, unit="",
        choices=[],
    )  # fmt: skip


@given(st.data())
def test_the_present_size_is_always_on_the_curve(data: st.DataObject) -> None:
    low = data.draw(st.integers(1, 1000))
    own = data.draw(st.integers(low, 20_000))
    high = max(own, low) + data.draw(st.integers(1, 20_000))
    now = data.draw(st.integers(low, high))
    found = sizes(size_knob(own, low, high), now, 12)
    assert now in found
    assert found == sorted(set(found))
    assert low <= found[0] <= found[-1] <= high
    assert len(found) == min(12, len(found))
    if high - low >= 11 and now <= high - 12:
        assert len(found) == 12


@pytest.mark.parametrize(
    "name", ["chat-h100", "autoscale-hpa", "autoscale-keda-zero", "image-generation", "zone-outage"]
)
def test_another_size_is_what_the_slider_sets(name: str) -> None:
    scenario = load(name)
    pool = next(iter(scenario.pools))
    knobs = knobs_of(scenario)
    knob = next(each for each in knobs if each.told.key.endswith((".replicas", ".max_replicas")))
    size = int(knob.told.own) + 1
    assert with_size(scenario, pool, size) == load(name, sets_of(knobs, {knob.told.key: size}))


def test_twice_the_load_is_twice_every_rate() -> None:
    scenario = load("enterprise-api")
    knobs = knobs_of(scenario)
    doubled = load("enterprise-api", sets_of(knobs, {"load": 2}))
    expected = scenario.workload.expected_requests(scenario.horizon_s)
    assert doubled.workload.expected_requests(doubled.horizon_s) == pytest.approx(2 * expected, rel=1e-5)


def test_what_was_not_moved_is_not_set() -> None:
    assert sets_of(knobs_of(load("chat-h100")), {}) == []
