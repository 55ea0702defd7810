"""From what a scenario says of those who wait to what the model knows of a pool's queue."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from sim.model.specs import ClassLimit
from sim.scenario import Scenario
from sim.scenario.classes import DEFAULT
from sim.scenario.queueing import longest_wait_s
from sim.scenario.waiting import ShedByDelay, ShedByLoad, ShedByWait, Waiting


def told(scenario: Scenario, pool: str) -> dict[str, Any]:
    """Fields of `PoolSpec` that say who goes first in a pool's queue, how many may wait, and who is turned away."""
    queue: Waiting = scenario.pools[pool].queue
    fields: dict[str, Any] = {
        "order": queue.order,
        "preemptive": queue.preemptive,
        "aging_s": math.inf if queue.aging_s is None else queue.aging_s,
        "fair_tenants": queue.fair == "tenants",
        "max_waiting_tokens": queue.max_waiting_tokens,
        "silent": queue.reject == "at_deadline",
        "retry_after_s": queue.retry_after_s,
        "class_limits": _limits(scenario, queue),
    }
    if isinstance(queue.shed, ShedByDelay):
        fields |= {"target_s": queue.shed.target_s, "interval_s": queue.shed.interval_s}
    return fields | ({} if queue.shed is None else {"shed": queue.shed.kind})


def _limits(scenario: Scenario, queue: Waiting) -> tuple[ClassLimit, ...]:
    """By number of the class; empty where no class has any."""
    if not queue.classes and not isinstance(queue.shed, ShedByLoad | ShedByWait):
        return ()
    limits = []
    names: list[str | None] = [*scenario.request_classes] or [None]
    for name in names:
        limit = ClassLimit(shed_at=_shed_at(scenario, queue, name))
        cap = None if name is None else queue.classes.get(name)
        if cap is not None:
            limit = replace(limit, max_waiting=cap.max_waiting, max_waiting_tokens=cap.max_waiting_tokens)
        limits.append(limit)
    return tuple(limits)


def _shed_at(scenario: Scenario, queue: Waiting, name: str | None) -> float:
    """From which load, or which estimated wait on, a class is refused."""
    if isinstance(queue.shed, ShedByLoad):
        return queue.shed.at.get(name or DEFAULT, math.inf)
    if not isinstance(queue.shed, ShedByWait):
        return math.inf
    own = queue.shed.limit.get(name or DEFAULT)
    return longest_wait_s(scenario, name) if own is None else own
