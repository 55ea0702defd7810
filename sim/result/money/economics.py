"""Unit economics: what a run earned beside what its fleet cost, and where the two are equal.

A month is 30 times the day that the run's measured time stands for: a run of the busiest hour says what a month of
busiest hours would be. The fleet is the one of the run: more users than break even here may need a larger one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sim.pricing import arithmetic
from sim.pricing.revenue import Subscription
from sim.pricing.spans import DAYS_PER_MONTH, MONTH_S
from sim.result.fleet import ratio
from sim.result.money.earned import Earned
from sim.result.money.payback import payback_block

_GROWS = ("egress",)
"""Lines of a bill that grow with use; all other cost is the fleet's, which is paid by the clock."""


def margin(revenue_usd: float, cost_usd: float | None) -> dict[str, float | None]:
    """Revenue, and what is left of it: `gross_margin_usd`, and that as a share of the revenue (None without any)."""
    left_usd = None if cost_usd is None else revenue_usd - cost_usd
    return {
        "revenue_usd": revenue_usd,
        "gross_margin_usd": left_usd,
        "gross_margin_share": None if left_usd is None else ratio(left_usd, revenue_usd),
    }


def economics_block(
    found: Sequence[Earned], summary: Mapping[str, Any], output_tokens: int, contracts: Mapping[str, Any]
) -> dict[str, Any]:
    """The `economics` block of a run.

    `summary`: at least the blocks `requests`, `cost`, `ledger`, and `invoice` where there is one; `output_tokens`: of
    completed answers; `contracts`: the scenario's. Money is None where a pool has no price.
    """
    revenue_usd, cost_usd = math.fsum(one.usd for one in found), summary["cost"]["total_usd"]
    months = float(summary["measured_s"]) / MONTH_S
    variable_usd = _variable_usd(summary)

    def a_month(usd: float | None) -> float | None:
        return None if usd is None else ratio(usd, months)

    told = margin(revenue_usd, cost_usd)
    return {
        "revenue": [_entry(one, revenue_usd, cost_usd, months) for one in found],
        "revenue_usd": revenue_usd,
        "cost_usd": cost_usd,
        "gross_margin_usd": told["gross_margin_usd"],
        "gross_margin_share": told["gross_margin_share"],
        "revenue_usd_per_month": a_month(revenue_usd),
        "cost_usd_per_month": a_month(cost_usd),
        "gross_margin_usd_per_month": a_month(told["gross_margin_usd"]),
        "fixed_usd_per_month": a_month(None if cost_usd is None else cost_usd - variable_usd),
        "variable_usd_per_month": a_month(variable_usd),
        **_by_user(found, summary, variable_usd, months),
        "break_even_price_share": None if cost_usd is None else ratio(cost_usd, revenue_usd),
        **_by_utilization(revenue_usd, cost_usd, summary["ledger"]["gpu_hours"], output_tokens),
        "payback": payback_block(contracts, summary.get("invoice"), told["gross_margin_usd"], months),
    }


def _variable_usd(summary: Mapping[str, Any]) -> float:
    """What of the bill grows with use."""
    lines = summary.get("invoice") or ()
    return math.fsum(line["usd"] for line in lines if line["what"] in _GROWS and line["usd"] is not None)


def _entry(one: Earned, revenue_usd: float, cost_usd: float | None, months: float) -> dict[str, Any]:
    """One entry of `revenue`: what it came to, and the prices with which, all others as they are, nothing is left.

    An entry with several prices keeps their proportion.
    """
    entry, others_usd = one.entry, revenue_usd - one.usd
    scale = None if cost_usd is None else ratio(max(cost_usd - others_usd, 0.0), one.usd)
    told: dict[str, Any] = {"kind": getattr(entry, "kind", type(entry).__name__)}
    told |= {key: name for key, name in (("class", entry.class_name), ("tenant", entry.tenant)) if name is not None}
    told |= {"requests": int(one.use.completed), "usd": one.usd, "usd_per_month": ratio(one.usd, months)}
    if isinstance(entry, Subscription):
        told |= {
            "users": entry.users(one.use),
            "requests_per_user_per_day": _requests_per_day(entry, one),
            "measured_requests_per_user_per_day": ratio(one.use.requests_per_day, entry.users(one.use)),
        }
    return told | {
        "prices": entry.prices,
        "break_even_prices": {name: None if scale is None else price * scale for name, price in entry.prices.items()},
    }


def _requests_per_day(entry: Subscription, one: Earned) -> float | None:
    """What a user sends a day: as the scenario says, else as measured."""
    if entry.requests_per_user_per_day is not None:
        return entry.requests_per_user_per_day
    return ratio(one.use.requests_per_day, entry.users(one.use))


def _by_user(found: Sequence[Earned], summary: Mapping[str, Any], variable_usd: float, months: float) -> dict[str, Any]:
    """Users that pay by the month: what one brings and costs, and how many of them pay for all.

    A user's variable cost is that of its requests. All other cost is fixed, less what others than subscribers pay.
    """
    paying = [(one, one.entry) for one in found if isinstance(one.entry, Subscription)]
    users = math.fsum(entry.users(one.use) for one, entry in paying)
    cost_usd, nothing = summary["cost"]["total_usd"], {"revenue": None, "cost": None, "variable_cost": None}
    if users <= 0 or months <= 0:
        return {"users": None, "usd_per_user_month": nothing, "break_even_users": None}
    per_request_usd = ratio(variable_usd, summary["requests"]["arrived"]) or 0.0
    sent = math.fsum((_requests_per_day(entry, one) or 0.0) * entry.users(one.use) for one, entry in paying)
    variable = per_request_usd * sent * DAYS_PER_MONTH / users
    price = math.fsum(one.usd for one, _ in paying) / users / months
    enough = None
    if cost_usd is not None:
        others_usd = math.fsum(one.usd for one in found if not isinstance(one.entry, Subscription))
        fixed = (cost_usd - others_usd) / months - variable * users
        enough = arithmetic.breakeven_users(fixed, price, variable)
    per_user = {
        "revenue": price,
        "cost": None if cost_usd is None else cost_usd / users / months,
        "variable_cost": variable,
    }
    return {"users": users, "usd_per_user_month": per_user, "break_even_users": enough}


def _by_utilization(
    revenue_usd: float, cost_usd: float | None, gpu_hours: Mapping[str, float], output_tokens: int
) -> dict[str, Any]:
    """How full the GPUs are, and how full they must be for what a token brings to pay for them.

    Full is what the ledger calls useful: a GPU is full that does all the time what full batches would, so
    `tokens_per_gpu_s_at_full` are the run's output tokens over its useful GPU-seconds, and utilization is the share of
    useful in paid GPU-hours. What a token brings is all revenue over the output tokens. Above 1: not at this price.
    """
    paid, useful = math.fsum(gpu_hours.values()), gpu_hours["useful"]
    per_gpu_s = ratio(output_tokens, useful * 3600)
    earned_usd = ratio(revenue_usd * 1e6, output_tokens)
    gpu_hour_usd = None if cost_usd is None else ratio(cost_usd, paid)
    needed = None
    if gpu_hour_usd is not None and per_gpu_s and earned_usd:
        needed = arithmetic.breakeven_utilization_share(gpu_hour_usd, per_gpu_s, earned_usd)
    return {
        "usd_per_gpu_hour": gpu_hour_usd,
        "tokens_per_gpu_s_at_full": per_gpu_s,
        "revenue_usd_per_million_output_tokens": earned_usd,
        "utilization_share": ratio(useful, paid),
        "break_even_utilization_share": needed,
    }
