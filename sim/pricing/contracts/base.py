"""What contracts have in common: when they hold, whose replicas they cover, what is paid for them by the hour."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim.config.units import DURATION, Duration, Share
from sim.pricing.spans import YEAR_S

Term = Annotated[float, DURATION.between(1, 1000 * YEAR_S)]
"""How long a contract may hold."""


class Contract(BaseModel):
    """An obligation to pay for capacity, or for spending, whether it is used or not."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    pools: Annotated[
        tuple[str, ...] | None, Field(description="Whose replicas it covers; left out: those of every pool.")
    ] = None
    begins_s: Annotated[Duration, Field(alias="from", description="When it begins to hold, from the run's start.")] = (
        0.0
    )

    @property
    def lasts_s(self) -> float:
        """How long it holds."""
        raise NotImplementedError

    @property
    def ends_s(self) -> float:
        """When it ends, from the run's start."""
        return self.begins_s + self.lasts_s

    def covers(self, pool: str) -> bool:
        """Whether replicas of a pool count for it."""
        return self.pools is None or pool in self.pools

    def active_s(self, from_s: float, to_s: float) -> float:
        """Seconds of [from_s, to_s) in which it holds."""
        return max(min(self.ends_s, to_s) - max(self.begins_s, from_s), 0.0)

    def left_s(self, at_s: float) -> float:
        """Seconds that it still holds at an instant, of its whole time if it has not begun."""
        return max(self.ends_s - max(at_s, self.begins_s), 0.0) if math.isfinite(self.ends_s) else math.inf


class Termed(Contract):
    """A contract with a term, some of which is paid on signing."""

    term_s: Annotated[Term, Field(alias="term", description="How long it holds, such as 1y.")] = YEAR_S
    upfront_share: Annotated[
        Share, Field(alias="upfront", description="Share of the whole that is paid on signing; the rest by the hour.")
    ] = 0.0

    @property
    def lasts_s(self) -> float:
        """Its term."""
        return self.term_s
