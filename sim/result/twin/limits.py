"""What theory leaves out of a scenario: what keeps it from telling loads, and what keeps it from telling waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.result.twin.told import unique
from sim.workload.clients import Clients
from sim.workload.distributions import Exponential

if TYPE_CHECKING:
    from sim.scenario import Pool, Scenario

PATIENCE = "clients lose patience in the line: load that they take away again is counted"


def of_fleet(pool: Pool) -> tuple[str, ...]:
    """Why a pool's replicas are not as many, or not as fast, all the time."""
    found = []
    if pool.autoscaler.kind != "fixed":
        found.append("the autoscaler changes the number of replicas: capacity is told with the most that it may have")
    if pool.faults:
        found.append("faults take replicas away: all are taken to be ready")
    if pool.rollouts:
        found.append("rollouts change replicas: they are taken as they start")
    if pool.supply:
        found.append("offers may refuse replicas, take them back, or be faster: all are taken as the pool has them")
    return tuple(found)


def of_traffic(scenario: Scenario, pool: str, streams: list[str]) -> tuple[str, ...]:
    """Why what comes to a pool is not what its streams send."""
    found = []
    names = scenario.workload.stream_names
    elsewhere = [name for name in names if len(_spread(scenario, name)) > 1 and pool in _spread(scenario, name)]
    if elsewhere:
        found.append("routes or spill-over spread requests over pools: each stream is counted where it goes without")
    for name in streams:
        found += list(_of_clients(scenario.workload.clients_of(name)))
    if any(tenant.quota is not None for tenant in scenario.customers.values()):
        found.append("quotas of tenants turn requests away: all are counted")
    return unique(found)


def of_queue(scenario: Scenario, pool: Pool) -> tuple[str, ...]:
    """Why requests do not simply wait their turn."""
    queue, found = pool.queue, []
    levels = {each.priority for each in scenario.request_classes.values()}
    if queue.preemptive or queue.order == "weighted_fair" or (queue.order == "priority" and len(levels) > 1):
        found.append(f"the queue serves by {queue.order}: waits are told of lines in order of arrival only")
    if queue.fair is not None and len(scenario.customers) > 1:
        found.append("tenants take turns: waits are told of lines in order of arrival only")
    if queue.shed is not None or queue.max_waiting_tokens is not None or queue.classes:
        found.append("the queue turns requests away by their class, tokens or wait: no formula here knows of that")
    return tuple(found)


def exponential_patience_s(scenario: Scenario, streams: list[str]) -> float | None:
    """The mean patience where all clients' is one exponential law, and they do nothing else; None otherwise."""
    means = set()
    for name in streams:
        law = _only_patience(scenario.workload.clients_of(name))
        if law is None:
            return None
        means.add(law.mean)
    return means.pop() if len(means) == 1 else None


def _only_patience(clients: Clients) -> Exponential[float] | None:
    law = clients.patience_s
    if not isinstance(law, Exponential) or law.min is not None or law.max is not None:
        return None
    others = clients.model_copy(update={"patience_s": None})
    return law if not others.act and clients.max_in_flight is None else None


def _spread(scenario: Scenario, stream: str) -> list[str]:
    """The pools that requests of a stream may come to, those they are handed over to left out."""
    given = {pool.kv_transfer.to for pool in scenario.pools.values() if pool.kv_transfer is not None}
    return [name for name in scenario.reached_pools(stream) if name not in given]


def _of_clients(clients: Clients) -> Iterator[str]:
    if clients.retry is not None or clients.hedge is not None:
        yield "clients send again what fails or takes long: that traffic comes on top"
    limits = ("first_token_timeout_s", "token_timeout_s", "total_timeout_s")
    if any(getattr(clients, name) is not None for name in limits):
        yield "clients give up after a time: load that they take away again is counted"
    if clients.patience_s is not None:
        yield PATIENCE
    if clients.max_in_flight is not None:
        yield "clients hold requests back while others are under way: they are counted as sent"
