"""What theory says, as values: one number with its place in a summary, and all that is said of one pool."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from sim.theory.fluid import Backlog

Kind = Literal["exact", "approximation", "lower bound", "upper bound"]


@dataclass(frozen=True)
class Told:
    """One number that theory gives."""

    path: str
    """Where a summary has it, dotted; below the pool, if there are several."""
    value: float
    method: str
    """By its usual name, such as `M/M/c`."""
    kind: Kind
    assumes: tuple[str, ...] = ()

    def below(self, place: str) -> Told:
        """The same number below another place of a summary."""
        return replace(self, path=f"{place}{self.path}")

    def roughly(self, why: str) -> Told:
        """The same where its parameters are not known exactly: what was exact is an approximation."""
        return replace(self, kind="approximation", assumes=(*self.assumes, why)) if self.kind == "exact" else self

    def as_document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "path": self.path,
            "theory": self.value,
            "method": self.method,
            "kind": self.kind,
            "assumes": list(self.assumes),
        }


@dataclass(frozen=True)
class PoolTwin:
    """All that theory says of one pool."""

    name: str
    replicas: int
    """The most it can have."""
    grows: bool
    """Whether it has fewer at times: an autoscaler decides."""
    offered_per_s: float
    """Requests a second, mean over the run, retries left out."""
    peak_per_s: float
    """The same when most come."""
    capacity_per_s: float | None
    """What all its replicas can serve for ever; None if that is not known."""
    limited_by: str = ""
    """What sets the capacity, in words."""
    figures: tuple[Told, ...] = ()
    backlog: Backlog | None = None
    """Where the rate goes beyond the capacity."""
    least_replicas: int | None = None
    """For the objectives, by theory; None if it cannot say."""
    least_why: str = ""
    """What they were looked for, or why they were not found."""
    uncovered: tuple[str, ...] = ()
    """What theory leaves out, in sentences' parts."""
    closed: bool = False
    """Whether a fixed number of users sends requests: they cannot overload it."""

    @property
    def load_share(self) -> float | None:
        """Offered over capacity; 1 and more cannot go on for ever."""
        return self._over_capacity(self.offered_per_s)

    @property
    def peak_load_share(self) -> float | None:
        """The same when most come."""
        return self._over_capacity(self.peak_per_s)

    @property
    def stable(self) -> bool | None:
        """Whether it carries what comes, at all times; None if that is not known."""
        if self.closed or self.peak_load_share is None:
            return True if self.closed else None
        return self.peak_load_share < 1 and self.backlog is None

    def _over_capacity(self, rate_per_s: float) -> float | None:
        return rate_per_s / self.capacity_per_s if self.capacity_per_s else None

    def as_document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "replicas": self.replicas,
            "autoscaled": self.grows,
            "offered_per_s": self.offered_per_s,
            "peak_per_s": self.peak_per_s,
            "capacity_per_s": self.capacity_per_s,
            "limited_by": self.limited_by,
            "load_share": self.load_share,
            "peak_load_share": self.peak_load_share,
            "stable": self.stable,
            "backlog": None if self.backlog is None else _of_backlog(self.backlog),
            "least_replicas": self.least_replicas,
            "least_replicas_why": self.least_why,
            "uncovered": list(self.uncovered),
        }


def _of_backlog(backlog: Backlog) -> dict[str, Any]:
    return {
        "peak": backlog.peak,
        "peak_at_s": backlog.peak_at_s,
        "grows_from_s": backlog.grows_from_s,
        "worked_off_s": backlog.worked_off_s,
        "longest_wait_s": backlog.longest_wait_s,
    }


def unique(parts: Iterable[str]) -> tuple[str, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys(parts))
