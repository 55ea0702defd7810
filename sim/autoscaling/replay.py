"""Recorded observations through a policy, decision by decision. Pure: what is recorded comes in as values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sim.autoscaling.observation import Observation, Policy


@dataclass(frozen=True)
class Decided:
    """One decision, as `decisions.csv` holds it."""

    at_s: float
    current: int
    wanted: int
    reason: str


class Recording(Protocol):
    """Metrics that were recorded, to be looked at as time goes on."""

    @property
    def start_s(self) -> float:
        """The first time at which a policy sees something."""
        ...

    @property
    def end_s(self) -> float:
        """The last time at which it sees something new."""
        ...

    def seen(self, at_s: float, replicas: int | None) -> Observation:
        """What a policy sees at a time, never before the last; with so many replicas, all ready, if told."""
        ...

    @property
    def counts_replicas(self) -> bool:
        """Whether it says how many replicas there were."""
        ...


def decide_at_each(policy: Policy, seen: Iterable[Observation], replicas: int | None = None) -> Iterator[Decided]:
    """One decision an observation. With `replicas`, the fleet begins at that size and follows the policy."""
    memory: Any = None
    current = replicas
    for observation in seen:
        at = observation if current is None else replace(observation, current=current, ready=current, unready=0)
        decision, memory = policy.decide(at, memory)
        yield Decided(at.at_s, at.current, decision.replicas, decision.reason)
        current = None if current is None else decision.replicas


def decide_in_time(policy: Policy, recording: Recording, replicas: int | None = None) -> Iterator[Decided]:
    """A decision whenever the policy asks for one, from the first sample that it sees to the last.

    With `replicas`, or where a recording does not say how many there were, the fleet follows the policy: what it wants
    is there, and ready, at its next decision.
    """
    current = replicas
    if current is None and not recording.counts_replicas:
        current = policy.initial_replicas
    memory: Any = None
    at_s, turn = recording.start_s, 0
    begin_s = at_s
    while at_s <= recording.end_s:
        seen = recording.seen(at_s, current)
        decision, memory = policy.decide(seen, memory)
        yield Decided(at_s, seen.current, decision.replicas, decision.reason)
        current = None if current is None else decision.replicas
        if decision.next_s is not None and decision.next_s > at_s:
            at_s = begin_s = decision.next_s
            turn = 0
        elif math.isinf(policy.period_s):
            return
        else:  # a product, not a sum of many: on the grid for ever
            turn += 1
            at_s = begin_s + turn * policy.period_s
