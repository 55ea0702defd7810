"""Spend against waiting by theory: the points are those of the theory of each fleet, and the least is the least."""

from __future__ import annotations

import pytest

from sim import load, simulate
from sim.report.run.spend import spend_figure
from sim.result.twin.curve import spend_curve
from sim.result.twin.fleet import twin

QUICK = ("horizon=20m", "warmup=0s", "slo=[]")
PRICED = ("pools.servers.price={on_demand: 2}", "pools.servers.gpus_per_replica=1")


def test_each_point_is_the_theory_of_that_fleet() -> None:
    scenario = load("mmc", QUICK)
    curve = spend_curve(scenario, simulate(scenario).summary())
    assert curve is not None
    assert [point.replicas for point in curve.points][:3] == [9, 10, 11], "8 are overloaded: 8 requests a second of 1 s"
    for point in curve.points[:4]:
        told = twin(load("mmc", (*QUICK, f"pools.servers.autoscaler.replicas={point.replicas}"))).figures
        assert point.wait_s == {each.path: each.value for each in told}[curve.path]
    waits = [point.wait_s for point in curve.points]
    assert waits == sorted(waits, reverse=True)


def test_with_waiting_priced_the_least_of_both_is_marked() -> None:
    price = "slowness=[{kind: linear, metric: queue_wait, usd_per_hour: 20}]"
    result = simulate(load("mmc", (*QUICK, *PRICED, price)))
    summary = result.summary()
    curve, figure = spend_curve(result.scenario, summary), spend_figure(result, summary)
    assert curve is not None
    assert figure is not None
    totals = {point.replicas: point.total_usd_per_day or 0.0 for point in curve.points}
    best = min(totals, key=lambda replicas: totals[replicas])
    (ring,) = [trace for trace in figure.plot["data"] if trace["name"].startswith("least")]
    assert ring["x"] == [best]
    assert ring["y"] == [pytest.approx(totals[best], rel=1e-4)]
    at_ten = next(point for point in curve.points if point.replicas == 10)
    assert at_ten.slowness_usd_per_day == pytest.approx(20 * 1.6367 * 24, rel=1e-3), "mean number waiting, Little's law"
    assert at_ten.fleet_usd_per_day == pytest.approx(10 * 2 * 24)


def test_a_fleet_that_a_policy_sizes_has_no_curve() -> None:
    told = [{"path": "latency.queue_wait_s.mean", "method": "", "kind": "exact", "theory": 1.0}]
    summary = {"theory": told, "cost": {"usd_per_day": 1.0}}
    assert spend_curve(load("mmc", QUICK), summary) is not None
    assert spend_curve(load("autoscale-hpa"), summary) is None
    assert spend_curve(load("mmc", QUICK), summary | {"theory": []}) is None, "where theory is silent"


def test_points_of_a_large_fleet_are_dense_where_the_curve_bends() -> None:
    scenario = load(
        "mmc", ("horizon=1m", "warmup=0s", "workload.arrivals.rate=80", "pools.servers.autoscaler.replicas=90")
    )
    curve = spend_curve(scenario, simulate(scenario).summary())
    assert curve is not None
    sizes = [point.replicas for point in curve.points]
    assert sizes[:2] == [81, 82], "80 are just overloaded"
    assert len(sizes) > 10
    assert 90 in sizes
    assert sizes[-1] == 135
