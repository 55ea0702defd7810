"""What a run earned, what was left, and where it would break even, as tables and a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.report.tables.table import Table
from sim.result import words

KINDS = {"subscription": "subscriptions", "per_token": "by the token", "per_request": "by the answer", "free": "free"}
PRICES = {
    "usd_per_user_month": "a user and month",
    "prompt_usd_per_million_tokens": "a million prompt tokens",
    "cached_usd_per_million_tokens": "a million cached prompt tokens",
    "output_usd_per_million_tokens": "a million output tokens",
    "usd_per_request": "an answer",
}
PAYBACKS = {
    "against_renting_months": "owned GPUs have paid for themselves, against renting",
    "by_margin_months": "owned GPUs have paid for themselves, by the margin",
}
NEVER = "never"


def economics_table(summary: dict[str, Any]) -> Table:
    """Revenue by entry, cost and margin, in the measured time and a month; no rows without revenue."""
    told = summary.get("economics")
    heading = ("", "measured", "a month (30 days)")
    if told is None:
        return Table("Economics", heading, ())
    rows = [
        (f"revenue, {_name(entry)}", words.usd(entry["usd"]), words.usd(entry["usd_per_month"]))
        for entry in told["revenue"]
    ]
    sums = {"revenue": "revenue", "cost": "cost of the fleet", "gross_margin": "gross margin"}
    rows += [
        (name, words.usd(told[f"{key}_usd"]), words.usd(told[f"{key}_usd_per_month"]))
        for key, name in sums.items()
        if key != "revenue" or len(told["revenue"]) > 1
    ]
    kept = words.ratio(told["gross_margin_share"])
    rows.append(("gross margin, of the revenue", kept, kept))
    if told["users"] is not None:
        per_user = told["usd_per_user_month"]
        rows += [(f"{name} a paying user", "", words.usd(per_user[name])) for name in ("revenue", "cost")]
    return Table("Economics", heading, tuple(rows))


def break_even_table(summary: dict[str, Any]) -> Table:
    """What would have to change, each alone, for revenue to be the cost: users, a price, utilization."""
    told = summary.get("economics")
    heading = ("each alone", "now", "at break-even")
    if told is None or told["cost_usd"] is None:
        return Table("Break-even", heading, ())
    rows = []
    if told["users"] is not None:
        enough = told["break_even_users"]
        rows.append(("paying users", words.count(told["users"]), NEVER if enough is None else words.count(enough)))
    for entry in told["revenue"]:
        for key, price in entry["prices"].items():
            if price > 0:
                name = f"price {PRICES[key]}" + (f", {_whose(entry)}" if _whose(entry) else "")
                rows.append((name, words.usd(price), words.usd(entry["break_even_prices"][key])))
    needed = told["break_even_utilization_share"]
    if needed is not None:
        full = f"{words.ratio(needed)}" + (" (more than there is)" if needed > 1 else "")
        rows.append(("GPU time that is useful", words.share(told["utilization_share"]), full))
    for key, name in PAYBACKS.items():
        months = (told.get("payback") or {}).get(key)
        if months is not None:
            rows.append((name, "", f"{words.count(months)} months"))
    return Table("Break-even", heading, tuple(rows))


def showback_tables(summary: dict[str, Any]) -> list[Table]:
    """What each class and each tenant has cost and brought, a row each and one for all of them; none without a price.

    Everything is shared out: what nobody used, and requests of no tenant, have their place in it.
    """
    return [_showback(f"Showback {kind}", summary[kind], summary) for kind in ("classes", "tenants") if kind in summary]


def _showback(caption: str, blocks: dict[str, dict[str, Any]], summary: dict[str, Any]) -> Table:
    served = any(block["cost_share"] is not None for block in blocks.values())
    if summary["cost"]["total_usd"] is None or not served:
        return Table(caption, ("",), ())
    told = summary.get("economics") or {}
    earned = {key: told.get(key) for key in ("revenue_usd", "gross_margin_usd", "gross_margin_share")}
    everybody = {"cost_share": 1.0, "cost": summary["cost"], **earned}
    columns: dict[str, Callable[[dict[str, Any]], str]] = {
        "of the cost": lambda block: words.share(block["cost_share"]),
        "cost": lambda block: words.usd(block["cost"]["total_usd"]),
        "for prompts": lambda block: words.usd(block["cost"]["prompt_usd"]),
        "for outputs": lambda block: words.usd(block["cost"]["output_usd"]),
        "revenue": lambda block: words.usd(block.get("revenue_usd")),
        "margin": lambda block: words.usd(block.get("gross_margin_usd")),
        "of the revenue": lambda block: words.ratio(block.get("gross_margin_share")),
    }
    named = [*blocks.items(), ("all", everybody)]
    cells = {head: [say(block) for _, block in named] for head, say in columns.items()}
    said = {head: column for head, column in cells.items() if set(column) != {words.MISSING}}
    rows = tuple((name, *(column[place] for column in said.values())) for place, (name, _) in enumerate(named))
    return Table(caption, ("", *said), rows)


def economics_sentence(summary: dict[str, Any]) -> str:
    """What a month earns and costs, in a sentence; nothing without revenue and a price."""
    told = summary.get("economics")
    if told is None or told["gross_margin_usd_per_month"] is None:
        return ""
    left = told["gross_margin_usd_per_month"]
    verb = "leaves" if left >= 0 else "loses"
    of_it = "" if told["gross_margin_share"] is None else f" ({words.ratio(told['gross_margin_share'])} of the revenue)"
    users = told["break_even_users"]
    enough = "" if users is None else f" It breaks even at {words.count(round(users))} paying users."
    return (
        f"A month of this earns {words.usd(told['revenue_usd_per_month'])}, costs "
        f"{words.usd(told['cost_usd_per_month'])} and {verb} {words.usd(abs(left))}{of_it}.{enough}"
    )


def _name(entry: dict[str, Any]) -> str:
    name = str(KINDS.get(entry["kind"], entry["kind"]))
    return name + (f", {_whose(entry)}" if _whose(entry) else "")


def _whose(entry: dict[str, Any]) -> str:
    found = [f"{entry['class']} requests"] if "class" in entry else []
    found += [f"of {entry['tenant']}" if found else f"requests of {entry['tenant']}"] if "tenant" in entry else []
    return " ".join(found)
