"""Credits that a service-level agreement gives back when too few answers are in time."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from sim.config.curves import once_each
from sim.config.said import said
from sim.config.units import PositiveDuration, PositiveShare, Usd
from sim.pricing.slowness.base import Charge, Floats, Measured, Seen, Slowness
from sim.pricing.spans import MONTH_S


class SlaCredits(Slowness):
    """A share of the monthly fee is given back, by tiers of the share of requests that were in time.

    USD = monthly_usd * credit * window / 30 days: the window stands for the month, and is charged its part of it. The
    credit is that of the lowest tier that the attained share is below; at or above all tiers there is none. So are the
    SLAs of clouds: Amazon's of compute gives 10 % below 99.99 %, 30 % below 99 %, 100 % below 95 % of a month.

    A request without an answer is not in time, as in `slo`. Where nobody asked there is nothing to give back.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["kind", "metric", "under", "monthly_usd", "tiers"]})

    kind: Literal["sla_credits"] = "sla_credits"
    metric: Measured
    under_s: Annotated[PositiveDuration, Field(alias="under", description="The limit; at it is in time.")]
    monthly_usd: Annotated[Usd, Field(description="What the customers pay a month (30 days) for all of this.")]
    tiers: Annotated[
        dict[PositiveShare, PositiveShare],
        once_each("share"),
        Field(description="Share of requests in time, to the share of the fee given back below it."),
    ]

    @model_validator(mode="after")
    def _tiers_make_sense(self) -> Self:
        if not self.tiers:
            raise said("must hold at least one tier, such as {99%: 10%, 95%: 25%}", "tiers")
        above = 0.0
        for share in sorted(self.tiers, reverse=True):
            if self.tiers[share] <= above:
                told = (
                    f"below {_percent(share)} it is {_percent(self.tiers[share])}, in the tier above {_percent(above)}"
                )
                raise said(f"worse service must give back more: {told}", "tiers")
            above = self.tiers[share]
        return self

    def credit_share(self, attained: float) -> float:
        """The share of the fee that is given back for this share of requests in time."""
        below = [share for share in self.tiers if attained < share]
        return self.tiers[min(below)] if below else 0.0

    def sums(self, seen: Seen) -> Floats:
        """The requests that were not in time."""
        return np.array((np.count_nonzero(seen.slower(self.metric, self.under_s)),), float)

    def charge_of(self, sums: Floats, requests: int, window_s: float) -> Charge:
        """The credit for this window: `slow_requests`, the share `attained`, and the `credit_share` that gives."""
        slow = int(sums[0])
        if not requests:
            return Charge(0.0, {"slow_requests": 0, "attained": None, "credit_share": 0.0})
        attained = (requests - slow) / requests
        credit = self.credit_share(attained)
        usd = self.monthly_usd * credit * window_s / MONTH_S
        return Charge(usd, {"slow_requests": slow, "attained": attained, "credit_share": credit})


def _percent(share: float) -> str:
    return f"{100 * share:.10g}%"
