"""An order for a launch: too much is dearer than too little, as long as there is a second order."""

from __future__ import annotations

import pytest

from tests.shipped import told

NAME = "launch-from-zero"


def _margin_usd(order: int, demand: int) -> float:
    points = f"[[0d,0/h],[120d,0/h],[134d,{demand}/h],[300d,{demand}/h]]"
    sets = (f"pools.product.autoscaler.min_replicas={order}", f"workload.arrivals.points={points}")
    return float(told(NAME, *sets)["economics"]["gross_margin_usd"])


def test_too_many_is_dearer_than_too_few() -> None:
    """24 for 80 forgo less than 96 for 20 waste; the right one is best where demand is known."""
    forgone = _margin_usd(96, 80) - _margin_usd(24, 80)
    wasted = _margin_usd(24, 20) - _margin_usd(96, 20)
    assert 0 < forgone < wasted / 3
    assert _margin_usd(96, 20) < 0


def test_orders_take_their_lead_time() -> None:
    """Ordered 120 days ahead the fleet is there; 60 days ahead a fifth of the demand goes elsewhere."""
    in_time = told(NAME)
    late = told(NAME, "workload.arrivals.points=[[0d,0/h],[60d,0/h],[74d,40/h],[240d,40/h]]", "horizon=240d")
    lost = [run["requests"]["abandoned"] / run["requests"]["arrived"] for run in (in_time, late)]
    assert lost[0] < 0.01
    assert lost[1] == pytest.approx(0.20, abs=0.02)
