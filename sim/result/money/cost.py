"""The `cost` block: what the bill of a window comes to by hour, day, request and token."""

from __future__ import annotations

from sim.pricing.spans import DAYS_PER_MONTH
from sim.result.fleet import ratio


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
