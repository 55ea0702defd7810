"""Time that users wait, at so much an hour."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import ConfigDict, Field

from sim.config.units import Duration, UsdPerHour
from sim.pricing.slowness.base import COMPLETED, Beyond, Charge, Floats, Seen, Slowness, Waited


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

    def sums(self, seen: Seen) -> Floats:
        """Seconds beyond the limit, requests with any, requests without an answer and without any."""
        wait_s = seen.wait_s[self.metric]
        wait_s = np.where(np.isnan(wait_s), seen.stayed_s, wait_s)
        answered = seen.ended(COMPLETED)
        wait_s = np.where(answered, wait_s, np.maximum(wait_s, self.unanswered_s))
        over_s = np.maximum(wait_s - self.beyond_s, 0.0)
        return np.array((over_s.sum(), np.count_nonzero(over_s), np.count_nonzero(~answered & (over_s == 0))), float)

    def charge_of(self, sums: Floats, requests: int, window_s: float) -> Charge:
        """The hours beyond the limit at their price; `waited_beyond_hours` of the `slow_requests`."""
        over_s, slow, free = sums.tolist()
        hours = over_s / 3600
        facts = {"slow_requests": int(slow), "waited_beyond_hours": hours, "unanswered_free": int(free)}
        return Charge(self.usd_per_hour * hours, facts)
