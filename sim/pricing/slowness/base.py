"""What every price of slowness has: whose requests it is about, what it is given to see, what it answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.config.units import Duration
from sim.pricing.scope import Scoped

Floats = NDArray[np.float64]

COMPLETED = "completed"

Waited = Annotated[
    Literal["ttft", "e2e", "queue_wait"], Field(description="The wait that is meant: `ttft`, `e2e` or `queue_wait`.")
]
Measured = Annotated[
    Literal["ttft", "tpot", "e2e", "queue_wait"],
    Field(description="The latency that is meant: `ttft`, `tpot`, `e2e` or `queue_wait`."),
]
Beyond = Annotated[Duration, Field(alias="beyond", description="What is no longer than this costs nothing.")]


@dataclass(frozen=True, eq=False)
class Seen:
    """What one group of requests saw in the measured window: a row a request, the same in all arrays, shape (n,)."""

    wait_s: Mapping[str, Floats]
    """By metric, in seconds; NaN for a request that never came so far. Only the metrics that are asked for."""
    stayed_s: Floats
    """Seconds from a request's arrival until it was over for its client, answered or not; 0 if turned away at once."""
    outcome: NDArray[np.integer]
    """How each ended, as a place in `outcomes`."""
    outcomes: tuple[str, ...]
    window_s: float
    """How long the measured window is, in seconds."""

    def __len__(self) -> int:
        return len(self.outcome)

    def ended(self, *names: str) -> NDArray[np.bool_]:
        """Which requests ended in one of these ways, shape (n,)."""
        return np.isin(self.outcome, [self.outcomes.index(name) for name in names])

    def slower(self, metric: str, than_s: float) -> NDArray[np.bool_]:
        """Which requests were not completed with the metric at or under a limit in seconds, shape (n,)."""
        return ~((self.wait_s[metric] <= than_s) & self.ended(COMPLETED))  # NaN compares false


@dataclass(frozen=True)
class Charge:
    """What a price came to over a window."""

    usd: float
    facts: Mapping[str, float | None] = field(default_factory=dict)
    """What it rests on, by key of the summary."""
    usd_per_day: float | None = None
    """What a day of this would come to, where that is not the same pace; None: it is."""


class Slowness(Scoped):
    """A price of slow or missing answers."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that it must be given the waits of."""
        metric = getattr(self, "metric", None)
        return () if metric is None else (metric,)

    def usd(self, seen: Seen) -> float:
        """What it comes to for these requests over this window, in USD, at least 0. Pure."""
        return self.charge(seen).usd

    def charge(self, seen: Seen) -> Charge:
        """The same with what it rests on. Pure."""
        return self.charge_of(self.sums(seen), len(seen), seen.window_s)

    @abstractmethod
    def sums(self, seen: Seen) -> Floats:
        """What it rests on as far as that adds up over requests, shape (any,). Pure.

        So parts of a window may be seen one by one.
        """

    @abstractmethod
    def charge_of(self, sums: Floats, requests: int, window_s: float) -> Charge:
        """What it comes to, from the sums over so many requests of a window of so many seconds. Pure."""
