"""Closed forms of capacity and money: what can be said without a simulation, and what one must agree with.

Owns the formulas, and knows nothing of scenarios. Money in USD, shares in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

# -- unit economics ---------------------------------------------------------------------------------------------------


def usd_per_million_tokens(usd_per_gpu_hour: float, tokens_per_s_at_full: float, utilization_share: float) -> float:
    """What a million tokens cost: `price / (tokens_per_s * 3600 * utilization) * 1e6`.

    `tokens_per_s_at_full`: of one GPU that is full all the time. Infinite for a GPU that serves nothing.
    """
    per_hour = tokens_per_s_at_full * 3600 * utilization_share
    return usd_per_gpu_hour / per_hour * 1e6 if per_hour > 0 else math.inf


def breakeven_utilization_share(
    usd_per_gpu_hour: float, tokens_per_s_at_full: float, usd_per_million_tokens: float
) -> float:
    """How full GPUs must be for tokens at this price to pay for them: `price / (tokens_per_s * 3600 * earned / 1e6)`.

    Above 1: never at this price. Infinite for tokens that earn nothing.
    """
    earned_per_hour = tokens_per_s_at_full * 3600 * usd_per_million_tokens / 1e6
    return usd_per_gpu_hour / earned_per_hour if earned_per_hour > 0 else math.inf


def breakeven_users(fixed_usd_per_month: float, price_usd: float, variable_usd: float) -> float | None:
    """Users whose payments cover the bill: `fixed / (price - variable)`, both of a user and month.

    0 where nothing is left to cover; None where a user costs as much as it pays, or more: no number of them helps.
    """
    if fixed_usd_per_month <= 0:
        return 0.0
    left_usd = price_usd - variable_usd
    return fixed_usd_per_month / left_usd if left_usd > 0 else None


def payback_months(capex_usd: float, usd_per_month: float) -> float | None:
    """Months until what was bought has paid for itself, by what it saves or earns a month; without interest.

    None where it saves nothing: it never does.
    """
    return capex_usd / usd_per_month if usd_per_month > 0 else None


# -- what to reserve --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reservation:
    """How many units to reserve, and what all demand then costs, reserved and on demand together."""

    units: float
    cost_usd: float


def reserved_for_normal(mean: float, sd: float, reserved_usd: float, on_demand_usd: float) -> Reservation:
    """The newsvendor: the best reservation Q for demand that is normal, prices of a unit for the same stretch of time.

    A unit is worth reserving as long as it is used with a probability of at least reserved over on demand, so
    `P(D > Q) = reserved / on_demand`; the cost is `reserved * Q + on_demand * E[(D - Q)+]`. Source: Arrow, Harris and
    Marschak, "Optimal inventory policy" (Econometrica 19, 1951).
    """
    if not 0 < reserved_usd < on_demand_usd:
        raise ValueError(f"the reserved price must be between 0 and the other, {on_demand_usd:g}; got {reserved_usd:g}")
    law = NormalDist()
    z = law.inv_cdf(1 - reserved_usd / on_demand_usd)
    beyond = sd * (law.pdf(z) - z * (1 - law.cdf(z)))
    units = mean + sd * z
    return Reservation(units, reserved_usd * units + on_demand_usd * beyond)


def reserved_for_hours(hourly_demand: Sequence[float], reserved_usd: float, on_demand_usd: float) -> Reservation:
    """The same for whole units and demand that is known hour by hour (its load-duration curve); prices of an hour.

    Unit k is reserved if the share of hours with a demand of k or more is at least reserved over on demand.
    """
    hours = len(hourly_demand)
    units = 0
    while sum(demand >= units + 1 for demand in hourly_demand) * on_demand_usd >= reserved_usd * hours > 0:
        units += 1
    over = math.fsum(max(demand - units, 0) for demand in hourly_demand)
    return Reservation(units, reserved_usd * units * hours + on_demand_usd * over)


# -- how much is enough -----------------------------------------------------------------------------------------------


def available_share(units: int, need: int, unit_availability: float) -> float:
    """Probability that at least `need` of `units` work, each on its own with this availability (binomial)."""
    down = 1 - unit_availability
    return math.fsum(
        math.comb(units, working) * unit_availability**working * down ** (units - working)
        for working in range(need, units + 1)
    )


def spares(need: int, unit_availability: float, target: float) -> int:
    """N + k: the fewest spare units with which `need` of them work with a probability of at least `target`."""
    if not 0 < unit_availability <= 1 or not target < 1:
        raise ValueError(f"no number of spares does: availability {unit_availability:g}, target {target:g}")
    k = 0
    while available_share(need + k, need, unit_availability) < target:
        k += 1
    return k


def units_per_zone(load_units: int, zones: int, survive: int) -> int:
    """Units in each zone that carry the load when `survive` zones are gone: `ceil(load / (zones - survive))`."""
    if not 0 <= survive < zones:
        raise ValueError(f"of {zones} zones at most {zones - 1} may be lost; got {survive}")
    return -(-load_units // (zones - survive))


def reorder_headroom(daily_growth: float, daily_sd: float, lead_days: float, service_share: float) -> float:
    """Spare units at which to order more, so that demand outgrows them in 1 - `service_share` of the cases only.

    Demand grows by so much a day, independently (normal): `growth * lead + z * sd * sqrt(lead)`.
    """
    return daily_growth * lead_days + NormalDist().inv_cdf(service_share) * daily_sd * math.sqrt(lead_days)
