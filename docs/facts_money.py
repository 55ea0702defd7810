"""What `money.md` quotes: the ladder of a fleet that follows its load, a buffer's price, what a service earns.

A page reaches these names in `<!--= ... -->`. The runs are those of `gallery_runs.py`: each is made once in a process.
"""

from __future__ import annotations

from typing import Any

import gallery_runs
from gallery_runs import Swept, Told

from sim.result import words

ELASTIC = "autoscale-hpa"
LISTED = "pools.chat.price={on_demand: $3.20/h, reserved_1y: $2.20/h, reserved_3y: $1.60/h}"
"""Prices of an H100 as they might be listed: on demand Hyperstack's of 2026-08-26, reserved ones round examples."""

FLEET, REPLICAS = "chat-h100", "pools.chat.autoscaler.replicas=5..10"
WAITING = "slowness=[{kind: linear, metric: ttft, beyond: 1s, usd_per_hour: $20/h}]"

SERVICE = "chatgpt-plus"
EARNS = (
    "revenue=[{kind: subscription, class: paid, users: 2592, requests_per_user_per_day: 10, price: $20/month}, "
    "{kind: free, class: free}]"
)


def priced() -> Told:
    """A day of the fleet that follows its load, at the listed prices."""
    return gallery_runs.told(ELASTIC, LISTED)


def rung(name: str) -> dict[str, Any]:
    """What the ladder says of one reserved price."""
    (found,) = (layer for layer in priced()["commitments.ladder.chat.layers"] if layer["name"] == name)
    return dict(found)


def reserved(gpus: int) -> float:
    """The day's bill, in USD, with so many GPUs reserved for three years: that day simulated with the contract."""
    contract = f"contracts={{base: {{kind: reserved, gpus: {gpus}, term: 3y}}}}"
    return float(gallery_runs.told(ELASTIC, LISTED, contract)["cost.total_usd"])


def reserved_table() -> str:
    """The bill by how many GPUs are reserved, around what the ladder advises; each row is a run."""
    advised = round(rung("reserved_3y")["gpus"])
    rows = [
        (f"{gpus}{', as the ladder says' if gpus == advised else ''}", words.usd(reserved(gpus)))
        for gpus in (advised - 4, advised, advised + 4)
    ]
    return gallery_runs.table("GPUs reserved for 3 years | the day costs:", *rows)


def ladder_block() -> str:
    """The command and the ladder that it prints."""
    return _part(f"run {ELASTIC} --set '{LISTED}'", priced().printed, "Ladder of each")


def buffer() -> Swept:
    """A fixed fleet of several sizes, with a price of waiting."""
    return gallery_runs.swept(FLEET, REPLICAS, WAITING)


def buffer_block() -> str:
    """The command of the sweep and what it prints."""
    return gallery_runs.sweep_block(FLEET, REPLICAS, WAITING)


def earned_block() -> str:
    """The tables of money of a service with subscribers and free users."""
    told = gallery_runs.told(SERVICE, EARNS)
    return _part(f"run {SERVICE} --set '{EARNS}'", told.printed, "Break-even each alone", "Showback classes")


def _part(command: str, printed: str, *heads: str) -> str:
    """A command and the tables of what it prints that begin so."""
    lines = [line.rstrip() for line in printed.splitlines()]
    shown: list[str] = []
    for head in heads:
        start = next(number for number, line in enumerate(lines) if line.startswith(head))
        end = next((number for number in range(start, len(lines)) if not lines[number]), len(lines))
        shown += ["...", *lines[start:end]]
    return "\n".join(["```text", f"$ fleetcast {command}", *shown, "...", "```"])


def owned_h100() -> Any:
    """An H100 that was bought, at the figures of the worked example."""
    from sim.pricing.contracts import Owned

    return Owned.model_validate(
        {
            "kind": "owned",
            "gpus": 8,
            "capex": "$40k",
            "residual": "30%",
            "years": 4,
            "cost_of_capital": "8%",
            "watts": {"idle": 300, "busy": 1300},
            "pue": 1.25,
            "tariff": "$0.08/kWh",
        }
    )


def owned_energy(watts: float) -> float:
    """What an hour of so many watts costs it, cooling included, in USD."""
    owned = owned_h100()
    return float(watts / 1000 * owned.pue * owned.tariff)


def owned_full() -> float:
    """USD of a GPU-hour with a full batch, energy included."""
    return float(owned_h100().usd_per_gpu_h()) + owned_energy(owned_h100().watts.busy)


def earned() -> Told:
    """A day of the service with subscribers and free users."""
    return gallery_runs.told(SERVICE, EARNS)
