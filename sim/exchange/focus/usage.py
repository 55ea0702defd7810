"""Charges for what was used, and for what was committed to and not used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from sim.exchange.focus import about
from sim.exchange.focus.charge import Charge
from sim.exchange.focus.periods import Array
from sim.exchange.focus.shares import Party
from sim.pricing.contracts import SavingsPlan

if TYPE_CHECKING:
    from sim.result.money.bill import Bill, Line
    from sim.scenario import Scenario


def charges(
    scenario: Scenario, bill: Bill, edges_s: Array, shares: Mapping[str, Mapping[Party, float]]
) -> list[Charge]:
    """All charges of a bill but those for commitments and shortfalls, between the edges of the periods.

    `shares`: by pool, as `shares_of` has them. What is unused is nobody's in particular.
    """
    off = _discounts(bill, edges_s)
    found: list[Charge] = []
    for line in bill.lines:
        if line.what == "usage":
            found += _shared(_used(scenario, line, edges_s, off), line, shares)
        elif line.what == "unused":
            found.append(_unused(scenario, line, edges_s))
        elif line.what == "energy":
            charge = _energy(scenario, line, edges_s)
            found += [charge] if line.make is None else _shared(charge, line, shares)
        elif line.what == "egress":
            found += _shared(_egress(scenario, line, edges_s), line, shares)
    return found


def _discounts(bill: Bill, edges_s: Array) -> dict[tuple[str, int], list[tuple[str, Array]]]:
    """By make: what negotiated discounts take off (below 0), and which contract it is.

    The specification wants discounts in the rows that they are for, not in rows of their own.
    """
    found: dict[tuple[str, int], list[tuple[str, Array]]] = defaultdict(list)
    for line in bill.lines:
        if line.what == "discount":
            assert line.make is not None
            assert line.contract is not None
            usd = line.usd(edges_s)
            if usd.any():
                found[line.pool, line.make.number].append((line.contract, usd))
    return found


def _used(
    scenario: Scenario, line: Line, edges_s: Array, off: Mapping[tuple[str, int], list[tuple[str, Array]]]
) -> Charge:
    """GPU time: paid as it is used, or covered by a contract and then already paid."""
    assert line.make is not None
    usd, listed, gpu_hours = line.usd(edges_s), line.list_usd(edges_s), line.gpu_hours(edges_s)
    common = {
        **about.of_pool(line.pool, scenario.pools[line.pool]),
        **about.COMPUTE,
        **about.of_make(line),
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "PricingUnit": about.GPU_HOURS,
        "ConsumedUnit": about.GPU_HOURS,
        "x_Charge": "usage",
    }
    if line.contract is None:
        taken = off.get((line.pool, line.make.number), [])
        usd = usd + sum((each for _, each in taken), np.zeros(len(usd)))
        own = {
            **about.of_provider(None),
            "PricingCategory": "Dynamic" if line.market == "spot" else "Standard",
            "x_Contract": ", ".join(name for name, _ in taken) or None,
        }
        return Charge({**common, **own}, usd, usd, listed, usd, gpu_hours, is_consumed=True)
    contract = scenario.contracts[line.contract]
    own = {
        **about.of_provider(contract),
        **about.of_commitment(line.contract, contract, "Used"),
        "PricingCategory": "Committed",
    }
    if not line.make.terms.priced:
        listed = usd  # nothing is known to compare with
    committed = usd if isinstance(contract, SavingsPlan) else gpu_hours
    nothing = np.zeros(len(usd))
    return Charge({**common, **own}, usd, nothing, listed, listed, gpu_hours, is_consumed=True, committed=committed)


def _unused(scenario: Scenario, line: Line, edges_s: Array) -> Charge:
    """What a contract was paid for nothing. Its list price is 0: without the contract it would not have been bought."""
    assert line.contract is not None
    contract = scenario.contracts[line.contract]
    usd = line.usd(edges_s)
    spend = isinstance(contract, SavingsPlan)
    quantity = usd if spend else line.gpu_hours(edges_s)
    common = {
        **about.of_provider(contract),
        **about.COMPUTE,
        **about.of_commitment(line.contract, contract, "Unused"),
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "ChargeDescription": f"Unused part of contract {line.contract}, for pool {line.pool}",
        "PricingCategory": "Committed",
        "PricingUnit": about.USD if spend else about.GPU_HOURS,
        "SkuId": f"contract/{line.contract}",
        "SkuMeter": "Commitment",
        "SkuPriceId": f"contract/{line.contract}/unused",
        "Tags": about.tags_of(line.pool, scenario.pools[line.pool]),
        "x_Pool": line.pool,
        "x_Charge": "unused",
    }
    nothing = np.zeros(len(usd))
    return Charge(common, usd, nothing, nothing, nothing, quantity, committed=quantity)


def _energy(scenario: Scenario, line: Line, edges_s: Array) -> Charge:
    """Electricity of hardware that is owned: kWh."""
    assert line.contract is not None
    assert line.drawn is not None
    usd, kwh = line.usd(edges_s), line.drawn.kwh.bins(edges_s)
    idle = line.make is None
    common = {
        **about.of_pool(line.pool, scenario.pools[line.pool]),
        **about.of_provider(scenario.contracts[line.contract]),
        **about.ELECTRICITY,
        **_metered("kWh", "Electricity", f"electricity/{line.contract}"),
        "ChargeDescription": f"Electricity of pool {line.pool}: {'unused ' if idle else ''}GPUs of {line.contract}",
        "x_GpuModel": line.gpu or None,
        "x_Contract": line.contract,
        "x_Charge": "energy",
    }
    return Charge(common, usd, usd, usd, usd, kwh, is_consumed=True)


def _egress(scenario: Scenario, line: Line, edges_s: Array) -> Charge:
    """Bytes sent: GB, at one price."""
    pool = scenario.pools[line.pool]
    assert pool.egress is not None
    usd, price = line.usd(edges_s), pool.egress.usd_per_gb
    common = {
        **about.of_pool(line.pool, pool),
        **about.of_provider(None),
        **about.TRAFFIC,
        **_metered("GB", "Data transfer", "egress"),
        "ChargeDescription": f"Answers of pool {line.pool} sent to users",
        "x_Charge": "egress",
    }
    return Charge(common, usd, usd, usd, usd, usd / price if price > 0 else usd, is_consumed=True)


def _metered(unit: str, meter: str, sku: str) -> about.About:
    return {
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "PricingCategory": "Standard",
        "PricingUnit": unit,
        "ConsumedUnit": unit,
        "SkuId": sku,
        "SkuMeter": meter,
        "SkuPriceId": sku,
    }


def _shared(charge: Charge, line: Line, shares: Mapping[str, Mapping[Party, float]]) -> Iterator[Charge]:
    """A charge, shared by the work of each party in its pool."""
    tags = charge.about["Tags"]
    assert isinstance(tags, Mapping)
    for party, share in shares[line.pool].items():
        yield charge.part(share, about.of_party(party, tags))
