"""Requests that get no answer, at so much each."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from sim.config.said import said
from sim.config.units import Usd
from sim.pricing.slowness.base import Charge, Floats, Seen, Slowness

Lost = Literal["rejected", "abandoned", "timed_out", "failed", "unfinished"]
LOST: tuple[Lost, ...] = ("rejected", "abandoned", "timed_out", "failed", "unfinished")


class LostRequests(Slowness):
    """Each request that ends without an answer costs the same.

    USD = usd * requests that ended in one of the outcomes, after all their attempts. Several entries give outcomes
    prices of their own. An answer that is late is an answer.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["kind", "usd"]})

    kind: Literal["lost_requests"] = "lost_requests"
    usd_per_request: Annotated[Usd, Field(alias="usd", description="What each costs.")]
    outcomes: Annotated[tuple[Lost, ...], Field(description="What counts as lost.")] = LOST

    @model_validator(mode="after")
    def _outcomes_once(self) -> Self:
        if not self.outcomes:
            raise said(f"must name at least one of {', '.join(LOST)}", "outcomes")
        for place, name in enumerate(self.outcomes):
            if name in self.outcomes[:place]:
                raise said(f"'{name}' stands there twice", "outcomes", place)
        return self

    def sums(self, seen: Seen) -> Floats:
        """The lost requests."""
        return np.array((np.count_nonzero(seen.ended(*self.outcomes)),), float)

    def charge_of(self, sums: Floats, requests: int, window_s: float) -> Charge:
        """The lost requests at their price; `lost_requests` says how many."""
        lost = int(sums[0])
        return Charge(self.usd_per_request * lost, {"lost_requests": lost})
