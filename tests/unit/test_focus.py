"""FOCUS rows of small fleets whose bills are worked out by hand; what every file must keep is in `focus_reader`."""

from __future__ import annotations

import csv
import math
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from sim.config.errors import ConfigError
from sim.engine import simulate
from sim.exchange.focus import COLUMNS, OWN, focus_lines
from sim.exchange.focus.columns import written
from sim.exchange.focus.periods import Periods
from sim.result import Result
from sim.scenario import load
from tests import focus_reader
from tests.focus_reader import Row

SHARED = Path(__file__).resolve().parents[3] / "shared" / "reference" / "schemas" / "focus_1.2_cost.csv"

STREAM = {
    "arrivals": {"kind": "poisson", "rate": "40/h"},
    "service": {"kind": "constant", "value": "1m"},
    "pool": "servers",
}
POOL: dict[str, Any] = {
    "replica": {"kind": "slots"},
    "queue": {"kind": "central"},
    "price": {"on_demand": "$3/h"},
    "autoscaler": {"kind": "fixed", "replicas": 4},
}
OWNED = {
    "kind": "owned",
    "gpus": 5,
    "capex": "$35040",  # 4 years of it, without interest: $1 an hour
    "years": 4,
    "cost_of_capital": "0%",
    "watts": {"idle": 400, "busy": 400},
    "pue": 1.25,
    "tariff": "$0.10/kWh",
}


def result(contracts: dict[str, Any] | None = None, streams: Any = None, **changes: Any) -> Result:
    """A run of four replicas of one GPU at $3 an hour, from 2026-09-30 on, of two hours and a half."""
    pools = {"servers": {**POOL, **changes.pop("pool", {})}}
    if "lab" in changes:
        pools["lab"] = {**POOL, **changes.pop("lab")}
    return simulate(
        load(
            {
                "name": "small",
                "starts": "2026-09-30",
                "horizon": "2.5h",
                "workload": {"streams": streams or {"chat": STREAM}},
                "pools": pools,
                "contracts": contracts or {},
                **changes,
            }
        )
    )


def rows(made: Result, by: str = "hour") -> list[Row]:
    return focus_reader.read("".join(focus_lines(made, by)))


def charged(found: Iterable[Row], charge: str) -> list[Row]:
    return [row for row in found if row["x_Charge"] == charge]


def column(found: Iterable[Row], name: str) -> list[Any]:
    return [row[name] for row in found]


def total(found: Iterable[Row], name: str) -> float:
    return math.fsum(row[name] for row in found)


def test_hours_of_the_measured_window_are_billed_as_they_are_used() -> None:
    found = rows(result(warmup="30m"))
    assert column(found, "EffectiveCost") == [6.0, 12.0, 6.0]
    for name in ("BilledCost", "ListCost", "ContractedCost"):
        assert column(found, name) == [6.0, 12.0, 6.0]
    assert column(found, "ConsumedQuantity") == column(found, "PricingQuantity") == [2.0, 4.0, 2.0]
    begins = [(0, 30), (1, 0), (2, 0)]
    assert column(found, "ChargePeriodStart") == [datetime(2026, 9, 30, *at, tzinfo=UTC) for at in begins]
    assert column(found, "ChargePeriodEnd")[-1] == datetime(2026, 9, 30, 2, 30, tzinfo=UTC)
    assert {(row["PricingCategory"], row["PricingUnit"], row["x_Simulated"]) for row in found} == {
        ("Standard", "GPU-Hours", "true")
    }


def test_days_end_at_midnight_and_months_with_them() -> None:
    periods = Periods(date(2026, 9, 30), 1800.0, 90_000.5, "day")
    assert periods.edges_s.tolist() == [1800.0, 86_400.0, 90_000.5]
    assert periods.month_edges_s.tolist() == [1800.0, 86_400.0, 90_000.5]
    last = periods.columns(86_400.0, 90_000.5)
    assert last["BillingPeriodStart"] == last["ChargePeriodStart"] == datetime(2026, 10, 1, tzinfo=UTC)
    assert last["ChargePeriodEnd"] == datetime(2026, 10, 1, 1, 0, 1, tzinfo=UTC)  # whole seconds, outwards
    year = Periods(date(2026, 11, 15), 0.0, 86_400.0 * 60, "hour")
    assert (year.month_edges_s / 86_400.0).tolist() == [0.0, 16.0, 47.0, 60.0]


def test_what_is_reserved_and_not_used_stands_in_rows_of_its_own() -> None:
    found = rows(result({"year": {"kind": "reserved", "gpus": 6, "price": "$2/h"}}, horizon="2h"))
    used, unused, paid = (charged(found, name) for name in ("usage", "unused", "recurring"))
    assert column(used, "EffectiveCost") == [8.0, 8.0]  # 4 of 6 GPUs
    assert column(used, "ListCost") == column(used, "ContractedCost") == [12.0, 12.0]
    assert column(unused, "EffectiveCost") == [4.0, 4.0]
    assert column(unused, "ConsumedQuantity") == [None, None]
    assert column(unused, "CommitmentDiscountQuantity") == [2.0, 2.0]
    assert {row["CommitmentDiscountStatus"] for row in unused} == {"Unused"}
    assert {row["CommitmentDiscountStatus"] for row in used} == {"Used"}
    assert column(paid, "BilledCost") == [12.0, 12.0]
    assert column(paid, "CommitmentDiscountQuantity") == [6.0, 6.0]
    assert total(found, "BilledCost") == total(found, "EffectiveCost") == 24.0


def test_what_is_paid_on_signing_is_one_row_where_it_is_signed_in_the_window() -> None:
    year = {"kind": "reserved", "gpus": 4, "price": "$2/h", "upfront": "25%"}
    signed = rows(result({"year": {**year, "from": "90m"}}))
    (upfront,) = charged(signed, "upfront")
    assert upfront["BilledCost"] == 4 * 8760 * 2 * 0.25
    assert upfront["CommitmentDiscountQuantity"] == 4 * 8760
    assert upfront["ChargeFrequency"] == "One-Time"
    assert upfront["ChargePeriodStart"] == datetime(2026, 9, 30, 1, tzinfo=UTC)
    assert column(charged(signed, "recurring"), "BilledCost") == [3.0, 3.0]  # half an hour each, 75% of $8
    before = rows(result({"year": year}))
    assert not charged(before, "upfront")
    assert column(charged(before, "recurring"), "BilledCost") == [6.0, 6.0, 3.0]
    assert total(charged(before, "usage"), "EffectiveCost") == 20.0


def test_a_block_of_capacity_is_a_reservation_of_it_too_and_all_paid_on_signing() -> None:
    found = rows(result({"days": {"kind": "capacity_block", "gpus": 6, "price": "$5/h", "from": "1h", "term": "1h"}}))
    assert column(charged(found, "upfront"), "BilledCost") == [30.0]
    assert not charged(found, "recurring")
    (used,) = [row for row in charged(found, "usage") if row["x_Contract"]]
    assert (used["CapacityReservationId"], used["CapacityReservationStatus"]) == ("contract/days", "Used")
    assert used["EffectiveCost"] == 20.0
    assert column(charged(found, "unused"), "EffectiveCost") == [10.0]
    assert total(found, "EffectiveCost") == 12 + 30 + 6
    assert total(found, "BilledCost") == 12 + 30 + 6


def test_a_savings_plan_is_counted_in_usd() -> None:
    plan = {"kind": "savings_plan", "commit": "$4/h", "discount": "50%"}
    found = rows(result({"plan": plan}, horizon="1h", pool={"autoscaler": {"kind": "fixed", "replicas": 2}}))
    (used,), (unused,), (paid,) = (charged(found, name) for name in ("usage", "unused", "recurring"))
    assert (used["EffectiveCost"], used["ListCost"], used["CommitmentDiscountQuantity"]) == (3.0, 6.0, 3.0)
    assert (unused["EffectiveCost"], unused["PricingUnit"], unused["PricingQuantity"]) == (1.0, "USD", 1.0)
    assert (paid["BilledCost"], paid["CommitmentDiscountCategory"], paid["CommitmentDiscountUnit"]) == (
        4.0,
        "Spend",
        "USD",
    )


def test_a_negotiated_discount_is_in_the_price_and_a_shortfall_is_an_adjustment_by_month() -> None:
    deal = {"kind": "committed_spend", "commit": "$87600", "discount": "10%"}  # $10 an hour, of which $10.80 is spent
    found = rows(result({"deal": deal}, horizon="1h"))
    assert [(row["ListCost"], row["ContractedCost"], row["BilledCost"], row["EffectiveCost"]) for row in found] == [
        (12.0, 10.8, 10.8, 10.8)
    ]
    assert found[0]["CommitmentDiscountId"] is None
    short = rows(result({"deal": {**deal, "commit": "$105120"}}, horizon="25h"))  # $12 an hour: $1.20 are missing
    missing = charged(short, "shortfall")
    assert column(missing, "ChargeCategory") == ["Adjustment", "Adjustment"]
    assert column(missing, "BilledCost") == pytest.approx([24 * 1.2, 1.2])
    assert column(missing, "BillingPeriodStart") == [datetime(2026, month, 1, tzinfo=UTC) for month in (9, 10)]


def test_owned_hardware_is_charged_by_the_hour_by_oneself_with_its_electricity() -> None:
    found = rows(result({"ours": OWNED}, horizon="1h"))
    (used,), (unused,), (paid,) = (charged(found, name) for name in ("usage", "unused", "recurring"))
    assert (used["EffectiveCost"], used["ListCost"], unused["EffectiveCost"]) == pytest.approx((4.0, 12.0, 1.0))
    assert paid["BilledCost"] == pytest.approx(5.0)
    energy = charged(found, "energy")
    # 400 W with 25% on top: half a kWh an hour and GPU
    assert column(energy, "ConsumedQuantity") == pytest.approx([2.0, 0.5])
    assert column(energy, "BilledCost") == column(energy, "EffectiveCost") == pytest.approx([0.2, 0.05])
    assert {row["ProviderName"] for row in found} == {"Own hardware"}


def test_spot_has_a_price_that_moves() -> None:
    supply = [{"name": "=cheap", "market": "spot", "region": "@home", "spot": {"hazard": "0/h", "notice": "30s"}}]
    made = result(horizon="1h", pool={"price": {"on_demand": "$3/h", "spot": "$1/h"}, "supply": supply})
    (row,) = rows(made)
    assert (row["PricingCategory"], row["EffectiveCost"], row["x_Market"]) == ("Dynamic", 4.0, "spot")
    # names that would start a formula in a spreadsheet
    assert (row["x_Offer"], row["RegionId"], row["RegionName"]) == ("'=cheap", "'@home", "'@home")


def test_usage_is_shared_by_the_work_of_tenants_and_what_is_unused_is_not() -> None:
    streams = {
        "chat": {**STREAM, "tenant": "acme", "class": "paid"},
        "batch": {**STREAM, "service": {"kind": "constant", "value": "3m"}, "class": "free"},
    }
    made = result({"year": {"kind": "reserved", "gpus": 6, "price": "$2/h"}}, streams, horizon="1h")
    stream_s = [60.0, 180.0]
    work_s = [length_s * sum(made.log.requests["stream"] == place) for place, length_s in enumerate(stream_s)]
    paid, free = charged(rows(made), "usage")
    assert (paid["SubAccountId"], paid["SubAccountType"], free["SubAccountId"]) == ("acme", "Tenant", None)
    assert (paid["Tags"], free["Tags"]) == (
        {"pool": "servers", "class": "paid"},
        {"pool": "servers", "class": "free"},
    )
    assert paid["EffectiveCost"] == pytest.approx(8.0 * work_s[0] / sum(work_s))
    assert paid["ConsumedQuantity"] + free["ConsumedQuantity"] == pytest.approx(4.0)
    (unused,) = charged(rows(made), "unused")
    assert (unused["SubAccountId"], unused["Tags"], unused["EffectiveCost"]) == (None, {"pool": "servers"}, 4.0)


@pytest.fixture(scope="module")
def mix() -> Result:
    """All kinds of contracts and charges at once, across the end of a month."""
    supply = [
        {"name": "first", "most": 12, "region": "us-east"},
        {"name": "cheap", "market": "spot", "spot": {"hazard": "0.2/h", "notice": "30s"}},
    ]
    return result(
        {
            "ours": {**OWNED, "pools": ["servers"]},
            "days": {"kind": "capacity_block", "gpus": 3, "price": "$2.5/h", "from": "20h", "term": "20h"},
            "year": {"kind": "reserved", "gpus": 3, "price": "$1.8/h", "upfront": "50%", "from": "2h"},
            "plan": {"kind": "savings_plan", "commit": "$6/h", "discount": "30%", "pools": ["lab"]},
            "deal": {"kind": "committed_spend", "commit": "$1M", "discount": "10%"},
        },
        {"chat": {**STREAM, "tenant": "acme"}, "batch": {**STREAM, "class": "free"}},
        horizon="26.4h",
        warmup="20m",
        pool={
            "price": {"on_demand": "$3/h", "spot": "$1/h"},
            "egress": {"price": "$0.09/GB", "per_answer": "2MB"},
            "supply": supply,
            "autoscaler": {"kind": "fixed", "replicas": 16},
        },
        lab={"autoscaler": {"kind": "fixed", "replicas": 2}},
    )


@pytest.mark.parametrize("by", ["hour", "day"])
def test_rows_add_up_to_the_cost_of_the_run(mix: Result, by: str) -> None:
    found = rows(mix, by)
    assert total(found, "EffectiveCost") == pytest.approx(mix.summary()["cost"]["total_usd"], abs=0.005)
    assert {row["x_Charge"] for row in found} == {
        *("usage", "unused", "energy", "egress", "shortfall", "upfront", "recurring"),
    }
    assert sum(row["x_Charge"] == "upfront" for row in found) == 2
    assert column(found, "BillingPeriodStart")[0] == datetime(2026, 9, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("EffectiveCost", "1.0", "effective where they are used"),
        ("ChargeFrequency", "Usage-Based", "not usage-based"),
        ("BillingPeriodEnd", "2026-10-02T00:00:00Z", "calendar month"),
        ("ListCost", "1.0", "list cost"),
        ("ProviderName", "", "is null"),
        ("ChargePeriodStart", "2026-09-30 01:00:00", "no instant"),
        ("CommitmentDiscountUnit", "", "whole"),
        ("Tags", "[1]", "Tags"),
    ],
)
def test_the_reader_refuses_what_breaks_a_rule(name: str, value: str, rule: str) -> None:
    text = "".join(focus_lines(result({"year": {"kind": "reserved", "gpus": 6, "price": "$2/h"}}, horizon="1h")))
    header, first, *_ = csv.reader(text.splitlines())
    assert focus_reader.read(text)[0]["ChargeCategory"] == "Purchase"
    quoted = [f'"{cell}"' for cell in first]
    quoted[header.index(name)] = f'"{value}"'
    with pytest.raises(AssertionError, match=rule):
        focus_reader.read(",".join(header) + "\n" + ",".join(quoted) + "\n")


def test_a_bill_needs_a_day_and_prices() -> None:
    made = result(starts=None, pool={"price": None})
    with pytest.raises(ConfigError) as failure:
        "".join(focus_lines(made))
    assert str(failure.value).splitlines() == [
        "starts: is missing: bills have dates. Say which day hour 0 is: starts: 2026-09-01, or --starts 2026-09-01",
        "pools.servers.price: is missing: a bill needs it, such as {on_demand: $2.99/h}",
    ]
    # covered in part only
    short = result({"ours": {**OWNED, "gpus": 2}}, pool={"price": None})
    with pytest.raises(ConfigError, match=r"pools\.servers\.price: is missing"):
        "".join(focus_lines(short))
    whole = rows(result({"ours": OWNED}, pool={"price": None}, horizon="1h"))
    assert total(whole, "EffectiveCost") == pytest.approx(5.25)


def test_columns_are_those_of_the_specification() -> None:
    assert len(COLUMNS) == 57
    assert list(COLUMNS) == list(focus_reader.COLUMNS) == sorted(COLUMNS)
    assert OWN[0] == "x_Simulated"


def test_columns_stand_in_the_order_of_the_example() -> None:
    if not SHARED.is_file():
        pytest.skip(f"needs {SHARED.name}, which is not part of the repository")
    with SHARED.open(encoding="utf-8") as file:
        theirs = [name for name in next(csv.reader(file)) if not name.startswith("x_")]
    assert theirs == [name for name in COLUMNS if name in theirs]


def test_numbers_have_a_point_and_no_exponent() -> None:
    values = {1: "1.0", 2e-13: "0.0", 1.5e-7: "0.00000015", -3.25: "-3.25", 1e15: "1000000000000000.0"}
    place = COLUMNS.index("BilledCost")
    assert {value: written({"BilledCost": value})[place] for value in values} == values


FAULTS = {
    # asked for by names that no version of the specification has
    *("InvoiceIssuer_Required", "Provider_Required", "Publisher_Required", "ResourceID_Required"),
    "SkuPriceId_Nullable",  # looks for ChargeType, gone before 1.0
    "BillingCurrency_IsCurrencyCode",  # reads a list that its package does not bring
}
"""Rules of focus-validator 1.0.0 that no file passes."""


def test_the_validator_of_the_foundation_finds_nothing(mix: Result, tmp_path: Path) -> None:
    validator = shutil.which("focus-validator")
    if validator is None:
        pytest.skip("needs focus-validator on the PATH (1.0.0, in an environment of its own: it wants pandas < 3)")
    path = tmp_path / "bill.csv"
    path.write_text("".join(focus_lines(mix)), encoding="utf-8")
    command = [validator, "--data-file", str(path), "--validate-version", "1.0"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stdout
    failed = {line.split()[0] for line in said.splitlines() if line.endswith(" failed:")}
    assert "Validation" in said
    assert failed - FAULTS == set()
