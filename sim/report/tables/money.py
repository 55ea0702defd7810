"""The bill of a run as tables of words: its lines, what its contracts were worth, what its own hardware drew."""

from __future__ import annotations

import math
from typing import Any

from sim.pricing.spans import YEAR_S
from sim.report.tables.table import Table
from sim.result import words

WHATS = {
    "usage": "GPUs used",
    "unused": "paid for nothing",
    "energy": "energy",
    "egress": "egress",
    "discount": "discount",
    "shortfall": "shortfall",
}
KINDS = {
    "owned": "owned",
    "capacity_block": "block",
    "reserved": "reserved",
    "savings_plan": "savings plan",
    "committed_spend": "spend",
}
MONTH_H = 720.0


def invoice_table(summary: dict[str, Any]) -> Table:
    """The lines of the bill, those of one pool paid in one way together; no rows where the fleet's cost says it all.

    That is so without contracts, if each pool pays for its time in one way and for nothing else.
    """
    heading = ("line", "paid by", "GPU-hours", "cost", "list price")
    lines = summary.get("invoice") or []
    if not any(line["contract"] or line["what"] != "usage" for line in lines) and not _several_ways(lines):
        return Table("Invoice", heading, ())
    several = len(summary["pools"]) > 1
    sums: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in lines:
        name = WHATS[line["what"]] + (f", pool {line['pool']}" if several else "")
        sums.setdefault((name, _paid_by(line)), []).append(line)
    rows = [(name, by, *_amounts(found)) for (name, by), found in sums.items()]
    return Table("Invoice", heading, (*rows, ("all", "", *_amounts(lines))))


def _several_ways(lines: list[dict[str, Any]]) -> bool:
    ways = {(line["pool"], _paid_by(line)) for line in lines}
    return len(ways) > len({pool for pool, _ in ways})


def _paid_by(line: dict[str, Any]) -> str:
    """The contract; else the market, and the offer where it has a name of its own."""
    market = (line["market"] or "").replace("_", " ")
    offer = line["offer"] or ""
    way: str = line["contract"] or (market if offer in ("", line["market"]) else f"{market} ({offer})")
    return f"{way} (committed)" if line["what"] in ("discount", "shortfall") else way


def _amounts(lines: list[dict[str, Any]]) -> tuple[str, str, str]:
    """GPU-hours, cost and list price of some lines; nothing where there are none."""
    hours = math.fsum(line["gpu_hours"] for line in lines)
    usd = words.usd(math.fsum(line["usd"] for line in lines))
    known = [line["list_usd"] for line in lines if line["what"] == "usage"]
    listed = words.MISSING if None in known else words.usd(math.fsum(known))
    return words.count(hours) if hours else "", usd, listed if known else ""


def commitments_table(summary: dict[str, Any]) -> Table:
    """A row a contract: how much of it was used, from where on it is worth it, what it saved, what is left."""
    contracts = (summary.get("commitments") or {}).get("contracts", {})
    rows = [
        (
            name,
            KINDS.get(told["kind"], told["kind"].replace("_", " ")),
            words.count(told["gpus"]) if told["gpus"] else "",
            words.share(told["used_share"]),
            break_even(told["break_even_share"]),
            words.usd(told["unused_usd"]),
            words.usd(told["saved_usd"]),
            _left(told),
        )
        for name, told in contracts.items()
    ]
    heading = ("contract", "kind", "GPUs", "used", "worth it from", "unused", "saved", "left after the run")
    return Table("Commitments", heading, tuple(rows))


def break_even(share: float | None) -> str:
    """From what share of use on something is worth its price."""
    if share is None:
        return words.MISSING
    return words.share(share) if share <= 1 else "never"


def _left(told: dict[str, Any]) -> str:
    left_s = told["remaining_s"]
    if not left_s:
        return "nothing"
    return f"{words.usd(told['remaining_usd'])}, {long_time(left_s)}"


def long_time(value_s: float) -> str:
    """A length of time, in years from two of them on, in days from two."""
    if value_s >= 2 * YEAR_S:
        return f"{words.count(value_s / YEAR_S)} years"
    return f"{words.count(round(value_s / 86_400))} days" if value_s >= 2 * 86_400 else words.duration(value_s)


def energy_table(summary: dict[str, Any]) -> Table:
    """What GPUs that are owned drew, cooling included, in the measured time and a month; no rows without any."""
    heading = ("of owned GPUs, cooling included", "measured", "a month (30 days)")
    told = summary.get("energy")
    hours = summary["measured_s"] / 3600
    if told is None or not hours:
        return Table("Energy", heading, ())
    monthly = MONTH_H / hours
    watts = told["kwh"] * 1000 / hours
    rows = [
        ("electricity", _kwh(told["kwh"]), _kwh(told["kwh"] * monthly)),
        ("cost", words.usd(told["usd"]), words.usd(told["usd"] * monthly)),
    ]
    if told["co2_kg"] is not None:
        rows.append(("CO2", _kg(told["co2_kg"]), _kg(told["co2_kg"] * monthly)))
    rows.append(("mean draw", _watts(watts), ""))
    gpu_hours = _owned_gpu_hours(summary)
    if gpu_hours:
        rows.append(("mean draw a GPU", _watts(told["kwh"] * 1000 / gpu_hours), ""))
    return Table("Energy", heading, tuple(rows))


def _owned_gpu_hours(summary: dict[str, Any]) -> float:
    contracts = (summary.get("commitments") or {}).get("contracts", {}).values()
    owned = [told for told in contracts if told["kind"] == "owned"]
    return math.fsum(told["used_gpu_hours"] + told["unused_gpu_hours"] for told in owned)


def _kwh(value: float) -> str:
    return f"{words.count(value)} kWh" if value < 99_950 else f"{words.count(value / 1000)} MWh"


def _kg(value: float) -> str:
    return f"{words.count(value)} kg" if value < 9_995 else f"{words.count(value / 1000)} t"


def _watts(value: float) -> str:
    for size, unit in ((1e6, "MW"), (1e3, "kW")):
        if value >= size:
            return f"{words.count(value / size)} {unit}"
    return f"{words.count(value)} W"
