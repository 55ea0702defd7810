"""From a scenario and its demand to what the model knows of clients, classes and tenants: specs, and rows of calls."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model import calls
from sim.model.specs import SenderSpec, TenantSpec
from sim.model.tables import NONE, OUTCOMES
from sim.scenario import Scenario, Tenant
from sim.workload.base import Stream
from sim.workload.clients import LIMITS, Clients
from sim.workload.demand import Demand
from sim.workload.links import Links


def senders(scenario: Scenario) -> list[SenderSpec]:
    """Those who send the requests of each stream, in the order of the streams."""
    workload, classes = scenario.workload, scenario.request_classes
    groups = {name: group for group, name in enumerate(classes)}
    customers = {name: row for row, name in enumerate(scenario.customers)}
    specs = []
    streams = zip(workload.stream_names, scenario.stream_classes, scenario.stream_tenants, strict=True)
    for stream, group, tenant in streams:
        told = _behaviour(workload.clients_of(stream)) | _habits(workload.by_name()[stream])
        if group is not None:
            told |= {"group": groups[group], "level": classes[group].priority, "weight": classes[group].weight}
        specs.append(SenderSpec(tenant=None if tenant is None else customers[tenant], **told))
    return specs


def _behaviour(clients: Clients) -> dict[str, Any]:
    """What clients do of their own accord, as fields of `SenderSpec`."""
    told: dict[str, Any] = {"max_in_flight": clients.max_in_flight}
    if clients.hedge is not None:
        told |= {"hedge_s": clients.hedge.after_s, "hedges": clients.hedge.attempts - 1}
    retry = clients.retry
    if retry is None:
        return told
    told |= {
        "attempts": retry.attempts,
        "retries": tuple(OUTCOMES.index(outcome) for outcome in retry.on),
        "exponential": retry.kind == "exponential",
        "jitter": retry.jitter,
        "backoff_s": retry.base_s,
        "longest_backoff_s": retry.cap_s,
        "heeds": retry.heeds_retry_after,
    }
    if retry.budget is not None:
        told |= {"budget": retry.budget}
        told |= {} if retry.budget_burst is None else {"most_credit": retry.budget_burst}
    return told


def _habits(stream: Stream) -> dict[str, Any]:
    """When its users ask again, as fields of `SenderSpec`."""
    told: dict[str, Any] = {"persists": stream.persists}
    if stream.comes_back is not None:
        back = stream.comes_back
        away_s = math.inf if back.away_s is None else back.away_s
        told |= {"slow_s": back.slow_s, "leaves": back.share, "away_s": away_s}
    return told


def tenants(scenario: Scenario) -> list[TenantSpec]:
    """The tenants, in the order that `SenderSpec.tenant` counts in."""
    return [_tenant(tenant) for tenant in scenario.customers.values()]


def _tenant(tenant: Tenant) -> TenantSpec:
    quota = tenant.quota
    told = {"weight": tenant.weight}
    if quota is not None and quota.requests_per_s is not None:
        told |= {"requests_per_s": quota.requests_per_s, "request_burst": quota.request_burst}
    if quota is not None and quota.tokens_per_s is not None:
        told |= {"tokens_per_s": quota.tokens_per_s, "token_burst": quota.tokens_at_once}
    return TenantSpec(**told)


def call_table(scenario: Scenario, demand: Demand, requests: NDArray[Any], first_row: int = 0) -> NDArray[Any] | None:
    """Rows of `CALL`, one a request, where any stream's clients do more than wait; None where none do.

    `first_row` is where the rows will stand in the model's table (not 0: a further chunk of a demand).
    """
    workload = scenario.workload
    if demand.links is None and not any(workload.clients_of(name).act for name in workload.stream_names):
        return None
    rows = calls.table(requests, first_row)
    for name in LIMITS:
        column = getattr(demand, name)
        if column is not None:
            rows[name] = column
    if demand.links is not None:
        for name in ("thens", "waits", "pause_s", "session", "turn", "last"):
            rows[name] = getattr(demand.links, name)
        then = demand.links.then
        rows["then"] = np.where(then == NONE, NONE, then + first_row)
    return rows


def go_on(calls: NDArray[Any], tails: NDArray[np.int64], chunk: Links, first_row: int) -> NDArray[np.int64]:
    """Let the first requests of a further chunk follow what each user had last; returns the rows of their new last.

    `calls` holds the chunk already, from `first_row`; `tails`, shape (users,), are the rows of the last ones before it
    (`Demand.links.tails` at first, then what this returned).
    """
    calls["then"][tails] = first_row + chunk.heads
    calls["thens"][tails] = 1
    calls["last"][:first_row] = 0  # all users have enough for now
    return first_row + chunk.tails.astype(np.int64)
