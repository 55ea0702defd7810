"""A strict reader of FOCUS 1.2 cost and usage files: every rule of the specification that these files can break.

Written from the column definitions and attributes of https://focus.finops.org (version 1.2), apart from the code that
writes such files. `read` raises AssertionError with the row and the rule.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]

# name: type, and whether null is allowed; the order is alphabetical, as the specification lists them
COLUMNS: dict[str, tuple[str, bool]] = {
    "AvailabilityZone": ("text", True),
    "BilledCost": ("decimal", False),
    "BillingAccountId": ("text", False),
    "BillingAccountName": ("text", True),
    "BillingAccountType": ("text", False),
    "BillingCurrency": ("currency", False),
    "BillingPeriodEnd": ("instant", False),
    "BillingPeriodStart": ("instant", False),
    "CapacityReservationId": ("text", True),
    "CapacityReservationStatus": ("text", True),
    "ChargeCategory": ("text", False),
    "ChargeClass": ("text", True),
    "ChargeDescription": ("text", False),
    "ChargeFrequency": ("text", False),
    "ChargePeriodEnd": ("instant", False),
    "ChargePeriodStart": ("instant", False),
    "CommitmentDiscountCategory": ("text", True),
    "CommitmentDiscountId": ("text", True),
    "CommitmentDiscountName": ("text", True),
    "CommitmentDiscountQuantity": ("decimal", True),
    "CommitmentDiscountStatus": ("text", True),
    "CommitmentDiscountType": ("text", True),
    "CommitmentDiscountUnit": ("text", True),
    "ConsumedQuantity": ("decimal", True),
    "ConsumedUnit": ("text", True),
    "ContractedCost": ("decimal", False),
    "ContractedUnitPrice": ("decimal", True),
    "EffectiveCost": ("decimal", False),
    "InvoiceId": ("text", True),
    "InvoiceIssuerName": ("text", False),
    "ListCost": ("decimal", False),
    "ListUnitPrice": ("decimal", True),
    "PricingCategory": ("text", True),
    "PricingCurrency": ("currency", False),
    "PricingCurrencyContractedUnitPrice": ("decimal", True),
    "PricingCurrencyEffectiveCost": ("decimal", False),
    "PricingCurrencyListUnitPrice": ("decimal", True),
    "PricingQuantity": ("decimal", True),
    "PricingUnit": ("text", True),
    "ProviderName": ("text", False),
    "PublisherName": ("text", False),
    "RegionId": ("text", True),
    "RegionName": ("text", True),
    "ResourceId": ("text", True),
    "ResourceName": ("text", True),
    "ResourceType": ("text", True),
    "ServiceCategory": ("text", False),
    "ServiceName": ("text", False),
    "ServiceSubcategory": ("text", False),
    "SkuId": ("text", True),
    "SkuMeter": ("text", True),
    "SkuPriceDetails": ("object", True),
    "SkuPriceId": ("text", True),
    "SubAccountId": ("text", True),
    "SubAccountName": ("text", True),
    "SubAccountType": ("text", True),
    "Tags": ("object", True),
}

ALLOWED: dict[str, set[str | None]] = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {None, "Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {None, "Standard", "Dynamic", "Committed", "Other"},
    "CommitmentDiscountCategory": {None, "Spend", "Usage"},
    "CommitmentDiscountStatus": {None, "Used", "Unused"},
    "CapacityReservationStatus": {None, "Used", "Unused"},
    "ServiceCategory": {"Compute", "Networking", "Other"},
    "ServiceSubcategory": {"Virtual Machines", "Other (Networking)", "Other (Other)"},
}
"""Of the categories of services only those that a fleet has."""

SKU_PRICE_DETAILS = {
    *("CoreCount", "DiskMaxIops", "DiskSpace", "DiskType", "GpuCount", "InstanceSeries", "InstanceType", "MemorySize"),
    *("NetworkMaxIops", "NetworkMaxThroughput", "OperatingSystem", "Redundancy", "StorageClass"),
}
"""Keys of `SkuPriceDetails` that the specification defines."""

DECIMAL = re.compile(r"-?\d+(\.\d+)?(E-?\d+)?")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
FORMULA = ("=", "+", "@", "\t", "\r")


def _charged(row: Row) -> bool:
    return row["ChargeCategory"] in ("Usage", "Purchase")


def _month(row: Row) -> bool:
    start, end = row["BillingPeriodStart"], row["BillingPeriodEnd"]
    following = (start + timedelta(days=32)).replace(day=1)
    return (start.day, start.hour, start.minute, start.second) == (1, 0, 0, 0) and end == following


def _product(row: Row, price: str, cost: str) -> bool:
    if row[price] is None:
        return bool(row[cost] == row["BilledCost"])
    return math.isclose(row[price] * row["PricingQuantity"], row[cost], rel_tol=1e-9, abs_tol=1e-9)


def _together(*names: str) -> Callable[[Row], bool]:
    return lambda row: len({row[name] is None for name in names}) == 1


RULES: dict[str, Callable[[Row], bool]] = {
    "a billing period is a calendar month": _month,
    "a charge is within its billing period": lambda row: (
        row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
    ),
    "purchases are not usage-based": lambda row: (
        row["ChargeCategory"] != "Purchase" or row["ChargeFrequency"] != "Usage-Based"
    ),
    "purchases are effective where they are used": lambda row: (
        row["ChargeCategory"] != "Purchase" or row["EffectiveCost"] == 0
    ),
    "covered usage is billed by its purchase": lambda row: (
        row["CommitmentDiscountStatus"] is None or row["BilledCost"] == 0
    ),
    "other charges are what is billed": lambda row: (
        row["CommitmentDiscountId"] is not None or row["EffectiveCost"] == row["BilledCost"]
    ),
    "usage and purchases have a price": lambda row: all(
        (row[name] is not None) == _charged(row)
        for name in (
            *("PricingQuantity", "PricingUnit", "PricingCategory", "ListUnitPrice", "ContractedUnitPrice"),
            *("SkuId", "SkuPriceId", "PricingCurrencyListUnitPrice", "PricingCurrencyContractedUnitPrice"),
        )
    ),
    "list prices are not negative": lambda row: row["ListUnitPrice"] is None or row["ListUnitPrice"] >= 0,
    "list cost": lambda row: _product(row, "ListUnitPrice", "ListCost"),
    "contracted cost": lambda row: _product(row, "ContractedUnitPrice", "ContractedCost"),
    "one currency": lambda row: (
        row["PricingCurrency"] != row["BillingCurrency"] or row["PricingCurrencyEffectiveCost"] == row["EffectiveCost"]
    ),
    "consumed, unless unused": lambda row: (
        (row["ConsumedQuantity"] is not None)
        == (row["ChargeCategory"] == "Usage" and row["CommitmentDiscountStatus"] != "Unused")
    ),
    "consumed is positive": lambda row: row["ConsumedQuantity"] is None or row["ConsumedQuantity"] > 0,
    "consumed has a unit": _together("ConsumedQuantity", "ConsumedUnit"),
    "commitments are whole": _together(
        *("CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountCategory"),
        *("CommitmentDiscountType", "CommitmentDiscountUnit", "CommitmentDiscountQuantity"),
    ),
    "commitments are positive": lambda row: (
        row["CommitmentDiscountQuantity"] is None or row["CommitmentDiscountQuantity"] > 0
    ),
    "usage of commitments has a status": lambda row: (
        (row["CommitmentDiscountStatus"] is not None)
        == (row["CommitmentDiscountId"] is not None and row["ChargeCategory"] == "Usage")
    ),
    "committed prices are of commitments": lambda row: (
        (row["PricingCategory"] == "Committed") == (row["CommitmentDiscountStatus"] is not None)
    ),
    "usage of reserved capacity has a status": lambda row: (
        (row["CapacityReservationStatus"] is not None)
        == (row["CapacityReservationId"] is not None and row["ChargeCategory"] == "Usage")
    ),
    "regions have names": _together("RegionId", "RegionName"),
    "resources are whole": _together("ResourceId", "ResourceName", "ResourceType"),
    "sub-accounts are whole": _together("SubAccountId", "SubAccountName", "SubAccountType"),
    "meters are of SKUs": _together("SkuId", "SkuMeter"),
    "details are of prices": lambda row: row["SkuPriceDetails"] is None or row["SkuPriceId"] is not None,
    "details are FOCUS's or begin with x_": lambda row: all(
        key in SKU_PRICE_DETAILS or key.startswith("x_") for key in row["SkuPriceDetails"] or ()
    ),
    "unused is of no resource": lambda row: row["CommitmentDiscountStatus"] != "Unused" or row["ResourceId"] is None,
}


def read(text: str) -> list[Row]:
    """The rows of a file, their values parsed: numbers, instants, objects, None for null."""
    reader = csv.reader(io.StringIO(text), strict=True)
    names = next(reader)
    assert names[: len(COLUMNS)] == list(COLUMNS), "the columns of FOCUS 1.2, in their order, come first"
    assert all(re.fullmatch(r"x_[A-Z]\w*", name) for name in names[len(COLUMNS) :]), "own columns begin with x_"
    assert len(set(names)) == len(names)
    rows = []
    for number, cells in enumerate(reader, start=1):
        assert len(cells) == len(names), f"row {number} has {len(cells)} cells"
        raw = dict(zip(names, cells, strict=True))
        row = {name: _parsed(raw[name], *COLUMNS.get(name, ("text", True)), f"row {number}: {name}") for name in names}
        for name, allowed in ALLOWED.items():
            assert row[name] in allowed, f"row {number}: {name} is {row[name]!r}"
        broken = [rule for rule, holds in RULES.items() if not holds(row)]
        assert not broken, f"row {number}: {broken}: {row}"
        rows.append(row)
    _same_unit(rows)
    return rows


def _parsed(cell: str, kind: str, nullable: bool, place: str) -> Any:
    if cell == "":
        assert nullable, f"{place} is null"
        return None
    assert cell == cell.strip(), place
    assert cell.lower() not in ("null", "none", "nan", "n/a"), f"{place}: null is an empty cell, not {cell!r}"
    if kind == "decimal":
        assert DECIMAL.fullmatch(cell), f"{place}: {cell!r} is no number"
        return float(cell)
    if kind == "instant":
        assert INSTANT.fullmatch(cell), f"{place}: {cell!r} is no instant in UTC"
        return datetime.fromisoformat(cell)
    if kind == "currency":
        assert re.fullmatch("[A-Z]{3}", cell), f"{place}: {cell!r} is no ISO 4217 code"
    if kind == "object":
        found = json.loads(cell)
        assert isinstance(found, dict), place
        assert all(isinstance(value, str | float | int | bool) for value in found.values()), place
        return found
    assert not cell.startswith(FORMULA), f"{place}: {cell!r} would start a formula"
    return cell


def _same_unit(rows: list[Row]) -> None:
    """A commitment is counted in one unit."""
    units: dict[str, set[str]] = {}
    for row in rows:
        if row["CommitmentDiscountId"] is not None:
            units.setdefault(row["CommitmentDiscountId"], set()).add(row["CommitmentDiscountUnit"])
    assert all(len(each) == 1 for each in units.values()), units
