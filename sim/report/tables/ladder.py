"""The commitment ladder as a table: what was worth reserving for the demand that the run saw."""

from __future__ import annotations

from typing import Any

from sim.report.tables.money import break_even
from sim.report.tables.table import Table
from sim.result import words

LEAST_S = 0.9 * 86_400.0
"""A day, less its warm-up. Of a shorter run the hours of use say nothing of a year: no ladder."""
TIERS = {"reserved_1y": "reserved 1 year", "reserved_3y": "reserved 3 years"}


def ladders(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The ladders that are worth showing, by pool: those of a day and more where a reserved price is known."""
    found = (summary.get("commitments") or {}).get("ladder", {})
    if not found or summary["measured_s"] < LEAST_S:
        return {}
    return {pool: told for pool, told in found.items() if told["layers"]}


def ladder_table(summary: dict[str, Any]) -> Table:
    """A row a reserved price: from what use on it is worth it, so for how many GPUs, and what is beside."""
    several = len(summary["pools"]) > 1
    layers = [(pool, layer) for pool, told in ladders(summary).items() for layer in told["layers"]]
    on_spot = any(layer["spot_gpu_hours"] > 0 for _, layer in layers)
    rows = [
        (
            _tier(layer["name"]) + (f", pool {pool}" if several else ""),
            f"{words.usd(layer['usd_per_gpu_h'])}/h",
            f"{break_even(layer['break_even_share'])} ({words.count(layer['break_even_hours_per_year'])} h)",
            words.count(layer["gpus"]),
            words.share(_of(layer, "unused")),
            words.share(_of(layer, "on_demand")),
            *([words.share(_of(layer, "spot"))] if on_spot else []),
            _saved(layer),
        )
        for pool, layer in layers
    ]
    beside = ("on demand", "spot") if on_spot else ("on demand",)
    heading = ("of each", "price", "worth it from (a year)", "GPUs", "unused", *beside, "saves")
    return Table("Ladder", heading, tuple(rows))


def _tier(name: str) -> str:
    return TIERS.get(name, f"as '{name}'")


def _of(layer: dict[str, Any], part: str) -> float | None:
    """GPU-hours of a layer, of all that are paid for with it."""
    names = ("used", "unused", "on_demand", "spot")
    total = sum(layer[f"{name}_gpu_hours"] for name in names)
    return layer[f"{part}_gpu_hours"] / total if total else None


def _saved(layer: dict[str, Any]) -> str:
    """What the ladder saves against everything on demand."""
    whole, saved = layer["all_on_demand_usd"], layer["saved_usd"]
    return f"{words.usd(saved)} ({words.share(max(saved / whole, 0.0))})" if whole else words.usd(saved)
