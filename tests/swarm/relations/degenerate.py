"""M10: the same thing said in another way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sim import Result
from sim.hardware import EngineSheet
from sim.model.routing import ROUTERS
from sim.scenario import Scenario
from tests.contract.test_policies import ELASTIC
from tests.swarm.ran import left, run
from tests.swarm.relations.changes import Relation, Told, changed, changes_nothing, parts, same_run


def limits_that_nobody_reaches(scenario: Scenario, result: Result, told: Told) -> bool:
    """M10: room for a billion is room without end."""
    for pool in scenario.pools.values():
        if pool.faults or pool.queue.max_waiting is not None:
            return False

    def add(keys: Told) -> None:
        for pool in keys["pools"].values():
            pool.setdefault("queue", {})["max_waiting"] = 10**9

    return changes_nothing(scenario, result, add, "a limit that nobody reaches")


def replayed(scenario: Scenario, result: Result, told: Told) -> bool:
    """M10: what a run has drawn, given as the demand of the next, is the same run."""
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    if demand.more is not None:
        return False
    same_run(result, run(scenario, "compiled", demand=demand), "demand that was drawn before")
    return True


def pinned(scenario: Scenario, result: Result, told: Told) -> bool:
    """M10: an autoscaler whose bounds leave no choice is a fixed fleet, in what requests see."""
    if len(scenario.pools) != 1 or next(iter(scenario.pools.values())).autoscaler.kind != "fixed":
        return False
    [pool] = scenario.pools.values()
    count = pool.autoscaler.initial_replicas
    if count == 0 or pool.rollouts or pool.faults or pool.supply:
        return False

    def pin(keys: Told) -> None:
        [one] = keys["pools"].values()
        metrics = [{"metric": "num_requests_running", "type": "AverageValue", "target": 2}]
        one["autoscaler"] = {**ELASTIC, "kind": "hpa", "metrics": metrics}
        one["autoscaler"] |= {"min_replicas": count, "max_replicas": count}
        one.pop("metrics", None)

    other = changed(scenario, pin)
    if other is None:
        return False
    again = run(other, "compiled")
    for name in ("start_s", "first_token_s", "finish_s", "outcome"):
        assert again.log.requests[name].tobytes() == result.log.requests[name].tobytes(), f"pinned: {name}"
    return True


def each_pool(change: Callable[[Told], None]) -> Callable[[Told], None]:
    """A change of all pools."""

    def change_all(keys: Told) -> None:
        for pool in keys["pools"].values():
            change(pool)

    return change_all


def one_priority(scenario: Scenario, result: Result, told: Told) -> bool:
    """M10: priorities of which all are the same are first come, first served.

    Not where an engine decides ahead: who may still be overtaken is let in otherwise there (docs/model.md).
    """
    queues = [pool.queue for pool in scenario.pools.values()]
    if any(queue.order != "fcfs" or queue.shed is not None for queue in queues):
        return False
    if any(isinstance(part, EngineSheet) and part.lookahead for part in parts(scenario)):
        return False

    def level(keys: Told) -> None:
        for pool in keys["pools"].values():
            queue = pool.setdefault("queue", {"kind": "per_replica"})
            queue["order"] = "priority"
        keys["classes"] = {
            name: {**keys.get("classes", {}).get(name, {}), "priority": 2} for name in scenario.request_classes
        }

    return changes_nothing(scenario, result, level, "one priority")


def patient(scenario: Scenario, result: Result, told: Told) -> bool:
    """M10: clients that wait for a century wait for ever."""
    clients = [scenario.workload.clients_of(name) for name in scenario.workload.stream_names]
    if any(each.patience_s is not None or each.retry is not None for each in clients):
        return False
    if np.isnan(result.log.requests["finish_s"]).any():
        return False  # a fleet that is none serves nobody, and a century ends

    def wait(keys: Told) -> None:
        for stream in keys["workload"].get("streams", {"": keys["workload"]}).values():
            stream["clients"] = {**stream.get("clients", {}), "patience": 100 * 365 * 86400.0}

    other = changed(scenario, wait)
    if other is None:
        return False
    again = run(other, "compiled")
    but = tuple(name for name in left(again) if name.startswith("calls."))  # who may give up has one row more
    same_run(result, again, "a century's patience", but=but)
    return True


def unbroken(scenario: Scenario, result: Result, told: Told) -> bool:
    """M10: a fleet that fails once in ten million years does not fail."""
    if any(pool.faults for pool in scenario.pools.values()):
        return False

    def fail(pool: Told) -> None:
        pool["faults"] = [{"kind": "crash", "mtbf": 1e15}]

    other = changed(scenario, each_pool(fail))
    if other is None:
        return False
    again = run(other, "compiled")
    same_run(result, again, "a fault that never comes", but=("requests.replica",))  # there is room for more of them
    np.testing.assert_array_equal(*map(rows_of_replicas, (result, again)), err_msg="a fault that never comes: replica")
    return True


def rows_of_replicas(result: Result) -> Any:
    """Which replica of its pool a request has been on; -1: none."""
    replica = result.log.requests["replica"]
    first = np.concatenate(([0], np.cumsum(result.log.rooms)[:-1]))
    return np.where(replica < 0, -1, replica - first[np.searchsorted(first, replica, "right") - 1])


def at_once(scenario: Scenario, result: Result, told: Told) -> bool:
    """M10: a boot of four stages that take no time is none."""
    if any(pool.boot != 0 for pool in scenario.pools.values()):
        return False

    def boot(pool: Told) -> None:
        pool["boot"] = {"node": 0, "image": 0, "weights": 0, "engine": {"kind": "constant", "value": 0}}

    return changes_nothing(scenario, result, each_pool(boot), "a boot that takes no time")


def any_router(scenario: Scenario, result: Result, told: Told) -> bool:
    """M10: one replica needs no router. The scenario is run with one replica a pool, by its own router and another."""
    pools = scenario.pools.items()
    routed = [name for name, pool in pools if pool.queue.kind == "per_replica"]
    if not routed or any(pool.faults or pool.supply or pool.rollouts for _, pool in pools):
        return False
    router = sorted(ROUTERS)[len(result.log.requests) % len(ROUTERS)]

    def alone(keys: Told) -> None:
        for pool in keys["pools"].values():
            pool["autoscaler"] = {"kind": "fixed", "replicas": 1}
            pool.pop("metrics", None)

    def route(keys: Told) -> None:
        for name in routed:
            keys["pools"][name].setdefault("queue", {"kind": "per_replica"})["router"] = router

    one = changed(scenario, alone)
    return one is not None and changes_nothing(one, run(one, "compiled"), route, f"to route to one replica by {router}")


DEGENERATE: dict[str, Relation] = {
    "M10 limits": limits_that_nobody_reaches,
    "M10 replayed": replayed,
    "M10 pinned": pinned,
    "M10 one priority": one_priority,
    "M10 patient": patient,
    "M10 unbroken": unbroken,
    "M10 boot at once": at_once,
    "M10 one replica": any_router,
}
