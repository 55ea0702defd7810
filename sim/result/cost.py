"""From paid time to money. This is the only place where it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.result import billing
from sim.result.fleet import paid_seconds, ratio

if TYPE_CHECKING:
    from sim.scenario import Pool

DAYS_PER_MONTH = 30
"""A month of a bill, for `usd_per_month`."""


def spent_usd(spans: NDArray[np.void], pools: dict[int, Pool], at_s: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """What pools (index -> pool) have cost from the run's start up to each instant, shape (len(at_s),), in USD.

    A replica is billed from launched to gone, rounded as its pool's billing says, at the price of its make. None when a
    pool has no price: a sum that leaves something out would be taken for the whole.
    """
    if not all(pool.priced for pool in pools.values()):
        return None
    total_usd = np.zeros(len(at_s))
    until_s = billing.paid_until_s(spans, pools)
    for index, pool in pools.items():
        for make, term in enumerate(billing.terms(pool)):
            own = (spans["pool"] == index) & (spans["make"] == make)
            total_usd += paid_seconds(spans[own], until_s[own], at_s) * (term.usd_per_replica_hour / 3600)
    return total_usd


def cost(total_usd: float | None, window_s: float, completed: int, output_tokens: int) -> dict[str, float | None]:
    """The `cost` block: the total over a window of this length, and what that is by hour, request, token and so on."""
    names = (
        "total_usd",
        "usd_per_hour",
        "usd_per_request",
        "usd_per_million_output_tokens",
        "usd_per_day",
        "usd_per_month",
    )
    if total_usd is None:
        return dict.fromkeys(names)
    per_hour = ratio(total_usd * 3600, window_s)
    per_million_tokens = ratio(total_usd * 1e6, output_tokens)
    per_day = None if per_hour is None else per_hour * 24
    per_month = None if per_day is None else per_day * DAYS_PER_MONTH
    values = (total_usd, per_hour, ratio(total_usd, completed), per_million_tokens, per_day, per_month)
    return dict(zip(names, values, strict=True))
