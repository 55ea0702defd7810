"""The numbers that a summary has, by dotted path, and what each is measured in: what a scenario can speak of.

Here and not beside the summary, because a file is judged before anything runs. A test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from sim.config.units import AMOUNT, DURATION, RATE, SHARE, USD, Quantity

Kind = Literal["duration", "usd", "share", "rate", "number"]

METRICS = ("queue_wait", "ttft", "tpot", "e2e")
STATISTICS = ("mean", "p50", "p90", "p95", "p99", "max")
_OUTCOMES = ("completed", "rejected", "abandoned", "timed_out", "failed", "unfinished")
_PARTS = ("useful", "wasted", "cold_start", "headroom", "cool_down", "floor", "drain", "failed", "rounding", "unused")
_LOST_TO = (*_PARTS, "egress")
_PRICED = ("usd_per_request", "usd_per_million_output_tokens")
_BY_TOKEN = ("prompt_usd", "output_usd", "prompt_usd_per_million_tokens", "output_usd_per_million_tokens")


def _below(block: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{block}.{name}" for name in names)


_SERVED = (
    *_below("requests", ("arrived", *_OUTCOMES)),
    *(f"latency.{metric}_s.{statistic}" for metric in METRICS for statistic in STATISTICS),
    *_below("throughput", ("requests_per_s", "prompt_tokens_per_s", "output_tokens_per_s", "goodput_per_s")),
    *_below("attempts", ("sent", *_OUTCOMES, "amplification", "hedges")),
    *_below("attempts.wasted", ("attempts", "prompt_tokens", "output_tokens")),
)
POOL = (
    *_SERVED,
    *_below("time_average", ("in_system", "waiting", "running")),
    "prefix_cache.hit_share",
    *_below("utilization", ("busy_share", "batch_share", "kv_share")),
    *_below("replicas", ("mean", "min", "max", "replica_hours", "gpu_hours")),
    *_below("cost", ("total_usd", "usd_per_hour", *_PRICED, "usd_per_day", "usd_per_month", *_BY_TOKEN)),
    "cost.marginal_usd_per_million_output_tokens",
    *_below("ledger.gpu_hours", _LOST_TO),
    *_below("ledger.usd", _LOST_TO),
    *_below("lives", ("ordered", "ready", "scaled_in", "cancelled", "failed")),
    *_below("lives", ("zone_outage", "reclaimed", "rolled", "repaired")),
    *_below("lives.boot_s", ("mean", "p50", "p99", "max")),
    *_below("faults", ("retried", "lost")),
)
"""Of a pool, below `pools.NAME`."""
FLEET = (
    *POOL,
    *_below("economics", ("revenue_usd", "cost_usd", "gross_margin_usd", "gross_margin_share")),
    *_below("economics", ("revenue_usd_per_month", "cost_usd_per_month", "gross_margin_usd_per_month")),
    *_below("economics", ("break_even_price_share", "utilization_share", "break_even_utilization_share")),
    *_below("slowness", ("total_usd", "usd_per_day", "fleet_plus_slowness_usd", "fleet_plus_slowness_usd_per_day")),
    *_below("recovery", ("goodput_before_share", "goodput_after_share", "load_after_share", "recovered_after_s")),
    *_below("energy", ("kwh", "usd", "co2_kg")),
    "tenants_fairness",
)
"""Of the whole fleet. From `economics` on: of scenarios that give what it takes."""
PARTY = (
    *_SERVED,
    "cost_share",
    *_below("cost", ("total_usd", *_PRICED, *_BY_TOKEN)),
    *("revenue_usd", "gross_margin_usd", "gross_margin_share"),
)
"""Of a class or a tenant, below `classes.NAME` or `tenants.NAME`."""
FIRST = ("requests.", "cost.")
"""Whose name is meant where several blocks have it: that of requests rather than of attempts, of cost than of parts."""


def named(name: str, paths: Iterable[str]) -> tuple[str, ...]:
    """The paths that a name can mean: the whole path, or its last steps; one, where that is clear."""
    found = tuple(path for path in paths if path == name or path.endswith(f".{name}"))
    exact = tuple(path for path in found if path == name)
    first = tuple(path for path in found if path.startswith(FIRST))
    return exact or (first if len(first) == 1 else found)


def kind_of(path: str) -> Kind:
    """What a number is measured in, from its name."""
    steps = path.split(".")
    last = steps[-2] if steps[-1] in STATISTICS and len(steps) > 1 else steps[-1]
    if last.endswith("_per_s"):
        return "rate"
    if last.endswith("_s"):
        return "duration"
    if last.endswith("_share") or last == "attained":
        return "share"
    return "usd" if "usd" in last.split("_") or "usd" in steps else "number"


def quantity_of(path: str) -> Quantity:
    """How a value of this number is written: `1s`, `$3k/day`, `95%`, `12/s`."""
    kind, last = kind_of(path), path.rpartition(".")[2]
    if kind == "usd":
        spelt = next((units for end, units in _PER.items() if last.endswith(end)), ())
        more = {f"{many}{unit}": size for many, size in USD.units.items() for unit in spelt}
        return replace(USD, units=USD.units | more)
    if last.endswith("_hours"):
        return _HOURS
    return _QUANTITIES[kind]


_PER = {
    "_per_hour": ("/h", "/hour"),
    "_per_day": ("/d", "/day"),
    "_per_month": ("/month",),
    "_per_request": ("/request",),
    "_tokens": ("/Mtok",),
}
_HOURS = replace(AMOUNT, noun="a number of hours", units=AMOUNT.units | {"h": Fraction(1)}, examples=("100", "40h"))
_QUANTITIES: dict[Kind, Quantity] = {"duration": DURATION, "share": SHARE, "rate": RATE, "number": AMOUNT}


@dataclass(frozen=True)
class Whose:
    """What a number is of: the fleet, a pool, a class or a tenant."""

    kind: Literal["", "pool", "class", "tenant"] = ""
    name: str = ""

    @property
    def block(self) -> str:
        """Where its numbers stand in a summary, with the dot; empty for the fleet."""
        return f"{_BLOCKS[self.kind]}.{self.name}." if self.kind else ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Its numbers, below that."""
        return {"": FLEET, "pool": POOL}.get(self.kind, PARTY)


_BLOCKS = {"pool": "pools", "class": "classes", "tenant": "tenants"}
KINDS: dict[str, Literal["pool", "class", "tenant"]] = {"pools": "pool", "classes": "class", "tenants": "tenant"}
"""By the block of a summary."""
