"""The columns of FOCUS 1.2 and how their values are written: null, numbers, instants, JSON, text without formulas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from sim.result.files import cell

VERSIONS = ("1.2",)
"""Of the specification; what can be written."""

COLUMNS = (
    *("AvailabilityZone", "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType"),
    *("BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "CapacityReservationId"),
    *("CapacityReservationStatus", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency"),
    *("ChargePeriodEnd", "ChargePeriodStart", "CommitmentDiscountCategory", "CommitmentDiscountId"),
    *("CommitmentDiscountName", "CommitmentDiscountQuantity", "CommitmentDiscountStatus", "CommitmentDiscountType"),
    *("CommitmentDiscountUnit", "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice"),
    *("EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory"),
    *("PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost"),
    *("PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "RegionId"),
    *("RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName"),
    *("ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName"),
    *("SubAccountType", "Tags"),
)
"""The 57 columns of the specification (https://focus.finops.org, version 1.2, cost and usage), by their names."""

OWN = ("x_Simulated", "x_Scenario", "x_Pool", "x_Offer", "x_Market", "x_GpuModel", "x_Contract", "x_Charge")
"""Columns of this program, as the specification wants others to be named."""

Value: TypeAlias = str | float | bool | datetime | Mapping[str, str | float] | None
Row: TypeAlias = Mapping[str, Value]

_DECIMALS = 12


def written(row: Row) -> list[str]:
    """The cells of a row, in the order of `COLUMNS` and `OWN`; what it does not say is null, an empty cell."""
    return [_written(row.get(name)) for name in (*COLUMNS, *OWN)]


def is_nothing(amount: float) -> bool:
    """Whether an amount would be written as zero."""
    return abs(amount) < 0.5 * 10.0**-_DECIMALS


def _written(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return str(cell(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | int):
        return _number(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _number(value: float) -> str:
    """A decimal without an exponent. It always has a point: readers take a column of whole numbers for another type."""
    if is_nothing(value):
        return "0.0"
    whole, _, decimals = f"{value:.{_DECIMALS}f}".partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}"
