"""Theorems about servers behind one line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim import Result
from sim.model.tables import COMPLETED
from sim.scenario import Scenario, load
from sim.workload.demand import Demand
from tests.swarm.ran import run
from tests.swarm.relations.asked import asked, servers
from tests.swarm.relations.changes import Relation, Told, keys_of, some_of


def one_line(scenario: Scenario) -> Any:
    """The pool, if the scenario is one line before a fixed number of slots, and clients that just wait."""
    if len(scenario.pools) != 1:
        return None
    [pool] = scenario.pools.values()
    queue, names = pool.queue, scenario.workload.stream_names
    plain = pool.replica.kind == "slots" and queue.kind == "central" and pool.autoscaler.kind == "fixed"
    plain &= queue.order == "fcfs" and queue.fair is None and queue.shed is None and not queue.classes
    plain &= queue.max_waiting_tokens is None and not (pool.faults or pool.supply or pool.rollouts)
    plain &= not any(scenario.workload.clients_of(name).act for name in names)
    plain &= all(scenario.workload.most_in_flight(name) is None for name in names)
    plain &= not any(tenant.quota for tenant in scenario.tenants.values())
    return pool if plain and not result_follows(scenario) else None


def result_follows(scenario: Scenario) -> bool:
    """Whether requests follow others, so that their arrivals go by the fleet."""
    return scenario.workload.demand(scenario.seed, 0, scenario.horizon_s).links is not None


@dataclass
class Line:
    """A pool of servers behind one line, what it is asked and what became of it."""

    scenario: Scenario
    pool: Any
    demand: Demand
    rows: Any

    def ran(self, **changes: Any) -> Any:
        """Rows of the same demand with some of the pool's keys changed."""
        keys = keys_of(self.scenario)
        [one] = keys["pools"].values()
        one |= changes
        return run(load(keys), "compiled", demand=self.demand).log.requests


def line_of(scenario: Scenario, result: Result) -> Line | None:
    """The scenario itself if it is such a line, else servers made for what it asks; None if it asks for no service."""
    pool = one_line(scenario)
    if pool is not None:
        demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
        return Line(scenario, pool, demand, result.log.requests)
    lot = len(result.log.requests)  # as good as drawn
    replicas, concurrency = 1 + lot % 3, 1 + lot % 2
    asked_of = asked(scenario, replicas * concurrency)
    if asked_of is None:
        return None
    assert scenario.horizon_s is not None
    room = {"max_waiting": 0} if lot % 5 == 0 else {}
    made = load(servers(scenario.horizon_s, replicas, concurrency, **room))
    rows = run(made, "compiled", demand=asked_of).log.requests
    return Line(made, made.pools["one"], asked_of, rows)


def one_more(scenario: Scenario, result: Result, told: Told) -> bool:
    """M1: with one server more, nobody waits longer. M4: without room to wait, nobody else is turned away."""
    line = line_of(scenario, result)
    if line is None or line.pool.queue.max_waiting not in (None, 0):
        return False
    more = line.ran(autoscaler={"kind": "fixed", "replicas": line.pool.autoscaler.replicas + 1})
    if line.pool.queue.max_waiting == 0:
        assert (more["outcome"] == COMPLETED)[line.rows["outcome"] == COMPLETED].all(), "turned away by one server more"
    else:
        assert (more["start_s"] <= line.rows["start_s"]).all(), "waits longer with one server more"
    return True


def less_work(scenario: Scenario, result: Result, told: Told) -> bool:
    """M2, M3: with shorter services, or without some of the arrivals, nobody (else) waits longer."""
    line = line_of(scenario, result)
    if line is None or line.pool.queue.max_waiting is not None:
        return False
    demand, rows = line.demand, line.rows
    half = replace(demand, service_s=demand.service_s / 2, first_service_s=demand.first_service_s / 2)
    shorter = replace(line, demand=half).ran()
    assert (shorter["start_s"] <= rows["start_s"]).all(), "waits longer behind shorter services"
    kept = np.arange(len(demand)) % 3 != 1
    less = replace(line, demand=some_of(demand, kept)).ran()
    assert (less["start_s"] <= rows["start_s"][kept]).all(), "waits longer behind fewer"
    return True


def regrouped(scenario: Scenario, result: Result, told: Told) -> bool:
    """M7: servers are alike: replicas of several slots are as many replicas of one, for whoever stands in line."""
    line = line_of(scenario, result)
    if line is None or line.pool.replica.concurrency == 1:
        return False
    count = line.pool.autoscaler.replicas * line.pool.replica.concurrency
    alike = line.ran(autoscaler={"kind": "fixed", "replicas": count}, replica={"kind": "slots", "concurrency": 1})
    for name in ("start_s", "first_token_s", "finish_s", "outcome"):
        np.testing.assert_array_equal(line.rows[name], alike[name], err_msg=f"servers grouped otherwise: {name}")
    return True


THEOREMS: dict[str, Relation] = {
    "M1 M4 one more": one_more,
    "M2 M3 less work": less_work,
    "M7 servers alike": regrouped,
}
