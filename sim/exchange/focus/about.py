"""What rows say of whose account, provider, service, resource and commitment a charge is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from sim.exchange.focus.columns import Value
from sim.exchange.focus.shares import Party
from sim.pricing.contracts import AnyContract, CapacityBlock, Owned, SavingsPlan

if TYPE_CHECKING:
    from sim.result.money.bill import Line
    from sim.scenario import Pool, Scenario

About: TypeAlias = Mapping[str, Value]

CLOUD, OWN_HARDWARE = "Simulated provider", "Own hardware"
GPU_HOURS, USD = "GPU-Hours", "USD"

COMPUTE: About = {
    "ServiceCategory": "Compute",
    "ServiceName": "GPU instances",
    "ServiceSubcategory": "Virtual Machines",
}
ELECTRICITY: About = {
    "ServiceCategory": "Other",
    "ServiceName": "Electricity",
    "ServiceSubcategory": "Other (Other)",
}
TRAFFIC: About = {
    "ServiceCategory": "Networking",
    "ServiceName": "Data transfer",
    "ServiceSubcategory": "Other (Networking)",
}

_TYPES = {
    "owned": "Owned Hardware",
    "capacity_block": "Capacity Block",
    "reserved": "Reservation",
    "savings_plan": "Savings Plan",
}
_MARKETS = {"on_demand": "on demand", "spot": "on spot", "reserved": "reserved"}


def of_run(scenario: Scenario) -> About:
    """What every row says."""
    return {
        "BillingAccountId": f"simulated/{scenario.name}",
        "BillingAccountName": scenario.name,
        "BillingAccountType": "Simulation",
        "BillingCurrency": USD,
        "PricingCurrency": USD,
        "x_Simulated": True,
        "x_Scenario": scenario.digest[:12],
    }


def of_provider(contract: AnyContract | None) -> About:
    """Who charges: oneself for hardware that is owned, else somebody without a name."""
    name = OWN_HARDWARE if isinstance(contract, Owned) else CLOUD
    return {"ProviderName": name, "PublisherName": name, "InvoiceIssuerName": name}


def of_pool(name: str, pool: Pool) -> About:
    """The pool that a charge is for."""
    return {
        "ResourceId": f"pool/{name}",
        "ResourceName": name,
        "ResourceType": "GPU pool",
        "Tags": tags_of(name, pool),
        "x_Pool": name,
    }


def tags_of(name: str, pool: Pool) -> dict[str, str | float]:
    """The pool, and the model that it serves."""
    found: dict[str, str | float] = {"pool": name}
    if pool.model is not None and pool.model.name:
        found["model"] = pool.model.name
    return found


def of_make(line: Line) -> About:
    """Which GPUs a charge is for, and how they are bought."""
    gpu = line.gpu or "gpu"
    under = f"/{line.contract}" if line.contract else ""
    return {
        "ChargeDescription": f"GPU time of pool {line.pool}: {gpu}, {_how(line)}",
        "SkuId": gpu,
        "SkuMeter": "GPU time",
        "SkuPriceId": f"{line.pool}/{gpu}/{line.offer}{under}",
        "SkuPriceDetails": {"GpuCount": 1, "x_GpuModel": gpu},
        "RegionId": line.region or None,
        "RegionName": line.region or None,
        "x_Offer": line.offer,
        "x_Market": line.market,
        "x_GpuModel": line.gpu or None,
    }


def _how(line: Line) -> str:
    return f"under contract {line.contract}" if line.contract else _MARKETS[line.market]


def of_party(party: Party, tags: Mapping[str, str | float]) -> About:
    """Whose requests a share of a charge was for; `tags`: those that it has anyway."""
    found: dict[str, Value] = {}
    if party.tenant is not None:
        found |= {"SubAccountId": party.tenant, "SubAccountName": party.tenant, "SubAccountType": "Tenant"}
    if party.class_name is not None:
        found["Tags"] = {**tags, "class": party.class_name}
    return found


def of_commitment(name: str, contract: AnyContract, status: str | None) -> About:
    """The contract that covers a charge (`Used`), that nobody used (`Unused`), or that is bought (None).

    A block of capacity is both a commitment and a reservation of capacity.
    """
    spend = isinstance(contract, SavingsPlan)
    found: dict[str, Value] = {
        "CommitmentDiscountId": f"contract/{name}",
        "CommitmentDiscountName": name,
        "CommitmentDiscountCategory": "Spend" if spend else "Usage",
        "CommitmentDiscountType": _TYPES[contract.kind],
        "CommitmentDiscountUnit": USD if spend else GPU_HOURS,
        "CommitmentDiscountStatus": status,
        "x_Contract": name,
    }
    if isinstance(contract, CapacityBlock):
        found |= {"CapacityReservationId": f"contract/{name}", "CapacityReservationStatus": status}
    return found
