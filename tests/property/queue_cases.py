"""Random orders, limits, quotas, shedding, spill-over and routers for the random fleets of the oracle's comparison."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim.model.specs import ClassLimit, PoolSpec, SenderSpec, TenantSpec
from tests.property.client_cases import Case, client_case

LEVELS = ([0, 1, 1], [0, 2, 3], [0, 0, 0], [2, 1, 0])
"""Of three classes."""
ROUTERS = ["power_of_two", "least_outstanding", "least_tokens", "least_kv", *(2 * ["session_affinity", "prefix_aware"])]


@dataclass(frozen=True)
class QueueCase(Case):
    tenants: list[TenantSpec]


def queue_case(seed: int, ties: bool, only: str = "") -> QueueCase:
    """A random case of clients, its streams of random classes and tenants, its queues of random kinds.

    `only` leaves out all kinds of things but those with a letter there: orders (o), preemption (p), limits (l), quotas
    (q), shedding (s), silence (n), old loads (r), memory (m), spill-over (v).
    """
    case = client_case(seed, ties)
    rng = np.random.default_rng([seed, 7])
    drawn = {letter for letter in "oplqsnrmv" if rng.random() < 0.6}
    has = set(only) if only else drawn
    tenants = [tenant(rng, "q" in has) for _ in range(int(rng.integers(0, 4)))]
    levels = LEVELS[int(rng.integers(len(LEVELS)))]
    weights = rng.choice([1.0, 3.0], 3)
    senders: list[SenderSpec] = []
    for _ in range(2):
        for sender in case.senders:
            group = int(rng.integers(3))
            customer = int(rng.integers(len(tenants))) if tenants and rng.random() < 0.8 else None
            senders.append(
                replace(sender, group=group, level=levels[group], weight=float(weights[group]), tenant=customer)
            )
    for job in case.jobs:
        job.stream += len(case.senders) * int(rng.integers(2))
    specs = [queue_of(spec, rng, has, ties) for spec in case.specs]
    if "v" in has and len(specs) == 2 and specs[0].next_pool is None and specs[0].batching == specs[1].batching:
        above = float(rng.choice([0.0, 1.0, 3.0, np.inf]))
        specs[0] = replace(specs[0], spill_to=1, spill_above=above)
    return QueueCase(specs, case.jobs, senders, case.steps, case.lets_go, case.horizon_s, tenants)


def tenant(rng: np.random.Generator, has_quota: bool) -> TenantSpec:
    told: dict[str, float] = {"weight": float(rng.choice([1, 2, 5]))}
    if has_quota and rng.random() < 0.5:
        told |= {"requests_per_s": float(rng.choice([2, 8])), "request_burst": float(rng.choice([1, 3]))}
    if has_quota and rng.random() < 0.4:
        told |= {"tokens_per_s": float(rng.choice([64, 512])), "token_burst": float(rng.choice([32, 600]))}
    return TenantSpec(**told)


def queue_of(spec: PoolSpec, rng: np.random.Generator, has: set[str], ties: bool) -> PoolSpec:
    told: dict[str, Any] = {"retry_after_s": float(rng.choice([0.0, 0.25]))}
    if "o" in has:
        order = str(rng.choice(["fcfs", "priority", "priority", "weighted_fair"]))
        told |= {"order": order, "fair_tenants": bool(order != "weighted_fair" and rng.random() < 0.5)}
        if order == "priority":
            told |= {"preemptive": bool("p" in has and rng.random() < 0.7)}
            if not told["fair_tenants"]:
                told |= {"aging_s": float(rng.choice([0.25, 0.25, 1.0, np.inf]))}
    limits = [ClassLimit(), ClassLimit(), ClassLimit()]
    if "l" in has:
        told |= {"max_waiting_tokens": int(rng.integers(20, 200)) if rng.random() < 0.3 else None}
        limits = [limit(rng) for _ in limits]
    shed = str(rng.choice(["nothing", "load", "estimated_wait", "codel"])) if "s" in has else "nothing"
    if shed in ("load", "estimated_wait"):
        limits = [replace(own, shed_at=float(rng.choice([0.125, 0.5, 2.0, np.inf]))) for own in limits]
    if any(own != ClassLimit() for own in limits):
        told |= {"class_limits": tuple(limits)}
    target_s = float(rng.choice([1 / 32, 1 / 8]))
    told |= {"shed": shed, "target_s": target_s, "interval_s": target_s * float(rng.choice([1, 4]))}
    told |= {"silent": bool("n" in has and rng.random() < 0.5)}
    if not spec.central:
        if "m" in has:
            told |= {"router": str(rng.choice(ROUTERS)), "load_bound": float(rng.choice([1.0, 1.25, 2.0]))}
        if "r" in has and told.get("router", spec.router) not in ("round_robin", "random") and rng.random() < 0.6:
            told |= {"refresh_s": float(rng.choice([1 / 16, 1 / 2, 2])) * (1 if ties else 0.97)}
            told |= {"counts_own": bool(rng.random() < 0.6)}
    return replace(spec, **told)


def limit(rng: np.random.Generator) -> ClassLimit:
    return ClassLimit(
        int(rng.integers(0, 4)) if rng.random() < 0.4 else None,
        int(rng.integers(20, 120)) if rng.random() < 0.3 else None,
    )
