"""Time that users wait, at so much an hour."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import ConfigDict, Field

from sim.config.units import Duration, UsdPerHour
from sim.pricing.slowness.base import COMPLETED, Beyond, Charge, Seen, Slowness, Waited


class Linear(Slowness):
    """Each hour that a request waits beyond a limit costs the same.

    USD = usd_per_hour / 3600 * sum over requests of max(wait - beyond, 0). With `beyond: 0s` over a window of T seconds
    that is usd_per_hour / 3600 times (mean number waiting) times T, by Little's law: the waiting cost of Hillier,
    "Economic models for industrial waiting line problems", Management Science 10(1), 1963.

    A request that never came so far has waited until it left. One that was turned away at the door left at once:
    give `unanswered`, or a `lost_requests` beside this one, or it is free of charge.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["kind", "metric", "usd_per_hour"]})

    kind: Literal["linear"] = "linear"
    metric: Waited
    beyond_s: Beyond = 0.0
    usd_per_hour: Annotated[UsdPerHour, Field(description="For each hour that one request waits beyond that.")]
    unanswered_s: Annotated[
        Duration,
        Field(
            alias="unanswered",
            description="A request without an answer has waited at least so long. Left out: until it left, which one "
            "that is turned away does at once.",
        ),
    ] = 0.0

    def charge(self, seen: Seen) -> Charge:
        """The hours beyond the limit at their price; `waited_beyond_hours` of the `slow_requests`."""
        wait_s = seen.wait_s[self.metric]
        wait_s = np.where(np.isnan(wait_s), seen.stayed_s, wait_s)
        answered = seen.ended(COMPLETED)
        wait_s = np.where(answered, wait_s, np.maximum(wait_s, self.unanswered_s))
        over_s = np.maximum(wait_s - self.beyond_s, 0.0)
        hours = float(over_s.sum()) / 3600
        facts = {
            "slow_requests": int(np.count_nonzero(over_s)),
            "waited_beyond_hours": hours,
            "unanswered_free": int(np.count_nonzero(~answered & (over_s == 0))),
        }
        return Charge(self.usd_per_hour * hours, facts)
