"""Charges for buying commitments, and for spending less than was agreed: what is paid, and not yet what is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from sim.exchange.focus import about
from sim.exchange.focus.charge import Charge
from sim.exchange.focus.periods import Array, Periods
from sim.pricing.contracts import AnyContract, CommittedSpend, Owned, SavingsPlan
from sim.pricing.spans import HOUR_S
from sim.result.money.cover import usd_per_gpu_h

if TYPE_CHECKING:
    from sim.result.money.bill import Bill, Line
    from sim.scenario import Scenario


def charges(scenario: Scenario, bill: Bill, periods: Periods) -> Iterator[Charge]:
    """What is paid for commitments: in each period, and on signing where that is within the window.

    All of what they came to by the clock, less the share that is paid on signing. A contract that holds from the run's
    start on was signed before it. Hardware that is owned is charged by the hour, as a provider of one's own would.
    """
    for name, contract in scenario.contracts.items():
        if isinstance(contract, CommittedSpend):
            continue
        upfront_share = 0.0 if isinstance(contract, Owned) else contract.upfront_share
        usd, gpu_hours = _of_contract(bill, name, periods.edges_s)
        if upfront_share < 1:
            bought = usd if isinstance(contract, SavingsPlan) else gpu_hours
            yield _purchase(name, contract, "Recurring", usd * (1 - upfront_share), bought)
        place = periods.place_of(contract.begins_s) if contract.begins_s > 0 else None
        if place is not None and upfront_share > 0:
            whole_usd, whole = _whole(scenario, contract)
            signed = np.zeros(len(usd))
            signed[place] = 1.0
            yield _purchase(name, contract, "One-Time", signed * whole_usd * upfront_share, signed * whole)


def shortfalls(scenario: Scenario, bill: Bill, edges_s: Array) -> Iterator[Charge]:
    """What is charged because too little was spent, by month."""
    for line in bill.lines:
        if line.what == "shortfall":
            usd = line.usd(edges_s)
            yield Charge(_of_shortfall(scenario, line), usd, usd, usd, usd)


def _of_contract(bill: Bill, name: str, edges_s: Array) -> tuple[Array, Array]:
    """USD and GPU-hours of a contract in each period, used or not; its energy is not part of it."""
    usd, gpu_hours = np.zeros(len(edges_s) - 1), np.zeros(len(edges_s) - 1)
    for line in bill.lines:
        if line.contract == name and line.what in ("usage", "unused"):
            usd += line.usd(edges_s)
            gpu_hours += line.gpu_hours(edges_s)
    return usd, gpu_hours


def _whole(scenario: Scenario, contract: AnyContract) -> tuple[float, float]:
    """What a contract comes to over its whole term: USD, and its quantity in its unit."""
    assert not isinstance(contract, CommittedSpend | Owned)
    hours = contract.term_s / HOUR_S
    if isinstance(contract, SavingsPlan):
        return contract.commit_usd_per_h * hours, contract.commit_usd_per_h * hours
    return contract.gpus * hours * usd_per_gpu_h(scenario, contract), contract.gpus * hours


def _purchase(name: str, contract: AnyContract, frequency: str, usd: Array, bought: Array) -> Charge:
    """A commitment or the next part of it: billed now, effective only where it is used or is not."""
    on_signing = frequency == "One-Time"
    words = "Upfront payment" if on_signing else "Running payment"
    common = {
        **about.of_provider(contract),
        **about.COMPUTE,
        **about.of_commitment(name, contract, None),
        "ChargeCategory": "Purchase",
        "ChargeFrequency": frequency,
        "ChargeDescription": f"{words} of contract {name}",
        "PricingCategory": "Standard",
        "PricingUnit": "Units",
        "SkuId": f"contract/{name}",
        "SkuMeter": "Commitment",
        "SkuPriceId": f"contract/{name}/{'upfront' if on_signing else 'running'}",
        "x_Charge": "upfront" if on_signing else "recurring",
    }
    one = np.where(bought > 0, 1.0, 0.0)
    return Charge(common, np.zeros(len(usd)), usd, usd, usd, one, committed=bought)


def _of_shortfall(scenario: Scenario, line: Line) -> about.About:
    return {
        **about.of_provider(None),
        **about.COMPUTE,
        "ChargeCategory": "Adjustment",
        "ChargeFrequency": "One-Time",
        "ChargeDescription": f"Shortfall of contract {line.contract}: less was spent than committed to",
        "Tags": about.tags_of(line.pool, scenario.pools[line.pool]),
        "x_Pool": line.pool,
        "x_Contract": line.contract,
        "x_Charge": "shortfall",
    }
