"""The table of queues: places where requests wait, the lines of clients, and the rows that several lines need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model.specs import PoolSpec, SenderSpec, TenantSpec
from sim.model.tables import QUEUE

UNLIMITED = 2**62
"""No limit to a queue."""


def queue_table(
    specs: Sequence[PoolSpec],
    pools: NDArray[Any],
    replicas: NDArray[Any],
    run: NDArray[Any],
    senders: Sequence[SenderSpec],
    tenants: Sequence[TenantSpec],
) -> NDArray[Any]:
    """Rows for all places and clients, nobody waiting. Writes into pools and run what they must know of them."""
    ranks = len({spec.level for spec in senders})
    groups = 1 + max((spec.group for spec in senders), default=0)
    fleet = len(pools) + len(replicas)
    run["lines0"] = at = fleet + len(senders)
    homes = np.concatenate([pools["home"], pools["home"][replicas["pool"]]])
    line0, lines = np.zeros(fleet, np.int64), np.zeros(fleet, np.int64)
    for row, spec in enumerate(specs):
        make = pools["home"] == row
        pools["ranks"][make] = ranks
        pools["ranked"][make] = spec.order == "priority" and ranks > 1
        pools["preemptive"][make] = spec.preemptive and spec.order == "priority" and ranks > 1
        wide = 1 + len(tenants) if spec.fair_tenants else 1
        count = {"priority": ranks * wide, "weighted_fair": groups, "fcfs": wide}[spec.order]
        if count == 1 and not spec.class_limits and spec.shed not in ("load", "estimated_wait"):
            continue
        pools["booked"][make] = bool(spec.class_limits) or spec.shed in ("load", "estimated_wait")
        pools["rank_lines"][make] = wide if spec.order == "priority" else 0
        pools["group_lines"][make] = spec.order == "weighted_fair"
        pools["tenant_lines"][make] = spec.fair_tenants
        pools["level0"][make] = at
        at += ranks
        for place in np.flatnonzero(homes == row):
            line0[place], lines[place] = at, count
            at += count + groups
    queues = np.zeros(at + 1, QUEUE)
    queues["home"][:fleet] = homes
    queues["line0"][:fleet], queues["lines"][:fleet] = line0, lines
    most = [spec.max_in_flight for spec in senders]
    queues["most_in_flight"][fleet : fleet + len(senders)] = [_limit(limit) for limit in most]
    for row, spec in enumerate(specs):
        if lines[row]:
            _set_limits(queues[line0[row] + lines[row] :][:groups], spec)
    shed = any(spec.shed in ("load", "estimated_wait") for spec in specs)
    run["guards"] = shed or any(min(spec.requests_per_s, spec.tokens_per_s) < np.inf for spec in tenants)
    return queues


def _set_limits(rows: NDArray[Any], spec: PoolSpec) -> None:
    """Write the limits of classes into their rows at the place of their pool."""
    rows["most"] = rows["most_tokens"] = UNLIMITED
    rows["limit"] = np.inf
    for row, limit in zip(rows, spec.class_limits, strict=False):
        row["most"], row["most_tokens"] = _limit(limit.max_waiting), _limit(limit.max_waiting_tokens)
        row["limit"] = limit.shed_at


def _limit(most: int | None) -> int:
    return UNLIMITED if most is None else most
