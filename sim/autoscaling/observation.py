"""What a policy may see and what it may say. Pure data: no clock, no SimPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Observation:
    """The state of one pool as its policy sees it, under the metric names that users know."""

    at_s: float
    ready: int
    """Replicas that take requests now."""
    ordered: int
    """Replicas that were asked for and are not ready yet."""
    num_requests_waiting: int
    num_requests_running: int
    kv_cache_usage_share: float


@dataclass(frozen=True)
class Decision:
    """How many replicas the policy wants, and why (which metric, which limit)."""

    replicas: int
    reason: str


class Policy(Protocol):
    """A policy is a frozen value with one pure method: what it remembers goes in and comes out."""

    @property
    def period_s(self) -> float:
        """Seconds between decisions; infinite for a policy that decides once."""
        ...

    def decide(self, seen: Observation, memory: Any) -> tuple[Decision, Any]: ...
