"""When hardware that was bought has paid for itself: against renting the same hours, and by what the service earns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sim.pricing.arithmetic import payback_months
from sim.pricing.contracts import Owned
from sim.pricing.spans import HOURS_PER_YEAR


def capital_usd(owned: Owned, gpu_hours: float) -> float:
    """What so many GPU-hours of an invoice hold of the price itself, in USD: depreciation and cost of capital.

    Nobody is paid them then: `capex ((1 - residual) / years + cost_of_capital) / 8760` by the hour.
    """
    per_year = (1 - owned.residual_share) / owned.years + owned.cost_of_capital
    return owned.capex_usd * per_year / HOURS_PER_YEAR * gpu_hours / owned.usable_gpus


def payback_block(
    contracts: Mapping[str, Any],
    invoice: Sequence[Mapping[str, Any]] | None,
    gross_margin_usd: float | None,
    months: float,
) -> dict[str, Any] | None:
    """Months until owned hardware has paid for itself, without interest; None where none is owned or nothing billed.

    What a month brings is what is left of it in cash: depreciation and cost of capital are in the cost, but were paid
    in the beginning. Against renting: the list price of the hours used on it, less its running cost. By the margin: the
    gross margin of the whole service, for all that is owned.
    """
    owned = {name: contract for name, contract in contracts.items() if isinstance(contract, Owned)}
    if not owned or invoice is None or months <= 0:
        return None
    capex_usd = math.fsum(contract.capex_usd for contract in owned.values())
    lines = [line for line in invoice if line["contract"] in owned]
    capital = math.fsum(
        capital_usd(owned[line["contract"]], line["gpu_hours"]) for line in lines if line["what"] in ("usage", "unused")
    )
    used = [line for line in lines if line["what"] == "usage"]
    saved_usd = None
    if all(line["list_usd"] is not None for line in used):
        rented_usd = math.fsum(line["list_usd"] for line in used)
        saved_usd = (rented_usd - math.fsum(line["usd"] for line in lines) + capital) / months
    kept_usd = None if gross_margin_usd is None else (gross_margin_usd + capital) / months
    return {
        "capex_usd": capex_usd,
        "saved_usd_per_month": saved_usd,
        "kept_usd_per_month": kept_usd,
        "against_renting_months": None if saved_usd is None else payback_months(capex_usd, saved_usd),
        "by_margin_months": None if kept_usd is None else payback_months(capex_usd, kept_usd),
    }
