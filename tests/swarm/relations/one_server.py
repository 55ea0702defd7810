"""Theorems of the work before one server, whoever goes first."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from sim import Result
from sim.model.tables import COMPLETED
from sim.scenario import Scenario, load
from sim.workload.demand import Demand
from tests.swarm.ran import run
from tests.swarm.relations.asked import NAMES, asked, servers
from tests.swarm.relations.changes import Relation, Told

Floats = NDArray[np.float64]
ORDERS: tuple[Told, ...] = (
    {"order": "fcfs"},
    {"order": "priority"},
    {"order": "priority", "preemptive": True},
    {"order": "priority", "aging": 3.0},
    {"order": "weighted_fair"},
    {"order": "fcfs", "fair": "tenants"},
    {"order": "priority", "preemptive": True, "fair": "tenants"},
)


def served(demand: Demand, horizon_s: float, order: Told) -> Result:
    """One server, in an order."""
    keys = servers(horizon_s, 1, 1, **order)
    by = {"priority": "priority", "weighted_fair": "weight"}.get(order["order"])
    keys["classes"] = {name: {by: 1 + place} for place, name in enumerate(NAMES)} if by else {}
    keys["tenants"] = {name: {"weight": 3 - place} for place, name in enumerate(NAMES)} if "fair" in order else {}
    return run(load(keys), "compiled", demand=demand)


def shortest_remaining(arrival_s: Floats, service_s: Floats) -> Floats:
    """When a server that always works on what is nearest its end lets requests go, in time order (Schrage 1968)."""
    left: list[float] = []
    gone: list[float] = []
    now_s = 0.0
    for at_s, work_s in [*zip(arrival_s.tolist(), service_s.tolist(), strict=True), (np.inf, 0.0)]:
        while left and now_s + left[0] <= at_s:
            now_s += heapq.heappop(left)
            gone.append(now_s)
        if left:
            heapq.heapreplace(left, left[0] - (at_s - now_s))
        now_s = at_s
        heapq.heappush(left, work_s)
    return np.array(gone)


def any_order(scenario: Scenario, result: Result, told: Told) -> bool:
    """M12: the work that is left is the same at every time, whoever goes first. M13: no order has fewer in the system,
    at any time, than shortest remaining first, which is not one of the product's."""
    demand = asked(scenario, 1)
    if demand is None:
        return False
    assert scenario.horizon_s is not None
    least_s = shortest_remaining(demand.arrival_s, demand.service_s)
    error_s = 1e-9 * (1 + float(least_s[-1]))
    busy_s = served(demand, scenario.horizon_s, ORDERS[0]).log.samples["busy_s"]
    idle = gaps(demand.arrival_s, np.sort(served_until(demand)), error_s)
    for place in (0, 1 + scenario.seed % (len(ORDERS) - 1)):
        order = ORDERS[place]
        log = served(demand, scenario.horizon_s, order).log
        assert (log.requests["outcome"] == COMPLETED).all(), f"{order}: somebody is not served"
        np.testing.assert_allclose(log.samples["busy_s"], busy_s, rtol=0, atol=error_s, err_msg=f"work left: {order}")
        gone_s = np.sort(log.requests["finish_s"])
        np.testing.assert_array_equal(gaps(demand.arrival_s, gone_s, error_s), idle, err_msg=f"idle: {order}")
        assert abs(gone_s[-1] - least_s[-1]) <= error_s, f"{order}: another last end"
        assert (gone_s >= least_s - error_s).all(), f"{order}: fewer in the system than shortest remaining first"
    return True


def served_until(demand: Demand) -> Floats:
    """When each is over, first come first served, by Lindley's recursion."""
    ends = np.empty(len(demand))
    now_s = 0.0
    for row, (at_s, work_s) in enumerate(zip(demand.arrival_s.tolist(), demand.service_s.tolist(), strict=True)):
        now_s = ends[row] = max(now_s, at_s) + work_s
    return ends


def gaps(arrival_s: Floats, gone_s: Floats, error_s: float) -> NDArray[np.intp]:
    """Who finds nobody and nothing left to do: all before are gone."""
    return np.flatnonzero(gone_s[:-1] < arrival_s[1:] - error_s)


ONE_SERVER: dict[str, Relation] = {"M12 M13 any order": any_order}
