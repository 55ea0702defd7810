"""From a scenario and its demand to what the model knows of clients, classes and tenants: specs, and rows of calls."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from sim.model import calls
from sim.model.specs import SenderSpec, TenantSpec
from sim.model.tables import OUTCOMES
from sim.scenario import Scenario, Tenant
from sim.workload.clients import LIMITS, Clients
from sim.workload.demand import Demand


def senders(scenario: Scenario) -> list[SenderSpec]:
    """Those who send the requests of each stream, in the order of the streams."""
    workload, classes = scenario.workload, scenario.request_classes
    groups = {name: group for group, name in enumerate(classes)}
    customers = {name: row for row, name in enumerate(scenario.customers)}
    specs = []
    streams = zip(workload.stream_names, scenario.stream_classes, scenario.stream_tenants, strict=True)
    for stream, group, tenant in streams:
        told = _behaviour(workload.clients_of(stream))
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


def call_table(scenario: Scenario, demand: Demand, requests: NDArray[Any]) -> NDArray[Any] | None:
    """Rows of `CALL`, one a request, where any stream's clients do more than wait; None where none do."""
    workload = scenario.workload
    if not any(workload.clients_of(name).act for name in workload.stream_names):
        return None
    rows = calls.table(requests)
    for name in LIMITS:
        column = getattr(demand, name)
        if column is not None:
            rows[name] = column
    return rows
