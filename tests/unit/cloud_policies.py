"""Observations for the tests of cloud policies, and a group that obeys its policy at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sim.autoscaling.observation import Decision, Observation, Pod


def pooled(policy: Any, at_s: float, current: int, *values: float | None) -> Observation:
    """A pool whose replicas are all ready; one value a replica and query of the policy, None: missing."""
    answers = {
        query: value * (current if query.across == "sum" else 1)
        for query, value in zip(policy.queries, values, strict=True)
        if value is not None
    }
    return Observation(at_s, current, current, values=answers)


def each(policy: Any, at_s: float, pods: Sequence[tuple[int, str, float | None]], current: int | None = None) -> Any:
    """A pool seen replica by replica: (name, phase, value of the policy's first query)."""
    seen = tuple(
        Pod(name, phase, {} if value is None else {policy.queries[0]: value})  # type: ignore[arg-type]
        for name, phase, value in pods
    )
    ready = sum(pod.phase == "ready" for pod in seen)
    return Observation(at_s, current or len(seen), ready, len(seen) - ready, pods=seen)


def obey(
    policy: Any, start: int, loads: Iterable[float | None], value: Callable[[float, int], float]
) -> list[Decision]:
    """Decisions, one a period, for a pool that has what was wanted at the next one; `value(load, replicas)` is seen."""
    current, memory, decisions = start, None, []
    for tick, load in enumerate(loads):
        shown = None if load is None else value(load, current)
        decision, memory = policy.decide(pooled(policy, tick * policy.period_s, current, shown), memory)
        current = decision.replicas
        decisions.append(decision)
    return decisions


def sizes(decisions: Iterable[Decision]) -> list[int]:
    return [decision.replicas for decision in decisions]
