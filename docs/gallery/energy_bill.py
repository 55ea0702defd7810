"""What `energy-bill.md` quotes: a day of an owned fleet at several loads: power, money, carbon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gallery_runs import Told, table, told, usd
from palette import AMBER, BLUE, INK, RED

NAME = "energy-bill"
SHIPPED = 5.0
RATES = (0.05, 1.25, 2.5, SHIPPED)
"""Requests a second: next to none, a quarter, a half, as shipped."""
OFF = "pools.chat.autoscaler={kind: scheduled, replicas: 2, rows: [{from: '23:00', to: '11:00', replicas: 1}]}"
"""One of the two replicas is switched off for half of the day."""
DEAR = "contracts.bought.tariff=$0.30/kWh"
HOURS = (4, 12, 18)
GPUS = 8


def _by_hour(result: Any) -> dict[str, list[float]]:
    """By hour: dollars of electricity, kWh, kg of CO2, and millions of tokens written by those who asked then."""
    from sim.result.money.bill import bill_of

    bill = bill_of(result.scenario, result.log)
    hours = np.arange(25) * 3600.0
    lines = [line for line in bill.lines if line.what == "energy"]
    cost = sum((line.usd(hours) for line in lines), np.zeros(24))
    owned = result.scenario.contracts["bought"]
    kwh = cost / np.array(owned.tariff)
    rows = result.log.requests
    written, _ = np.histogram(rows["arrival_s"], hours, weights=rows["output_tokens"] / 1e6)
    co2 = kwh * np.array(owned.co2_g_per_kwh) / 1000
    return {"usd": cost.tolist(), "kwh": kwh.tolist(), "co2_kg": co2.tolist(), "tokens": written.tolist()}


def day(rate: float = SHIPPED, *sets: str) -> Told:
    """A day at so many requests a second on average."""
    if not sets and rate == SHIPPED:
        return told(NAME, keep=_by_hour)
    return told(NAME, *(() if rate == SHIPPED else (f"workload.arrivals.rate={rate:g}/s",)), *sets)


def tokens(run: Told) -> float:
    """Millions of tokens that were written."""
    return float(run["cost.total_usd"] / run["cost.usd_per_million_output_tokens"])


def energy_share(run: Told) -> float:
    return float(run["energy.usd"] / run["cost.total_usd"])


def grows_share() -> float:
    """Of the whole bill, the part that is there only because the fleet is used."""
    return float((day()["energy.usd"] - day(RATES[0])["energy.usd"]) / day()["cost.total_usd"])


def loads_table() -> str:
    """The day at each load."""
    rows = []
    for rate in RATES:
        run = day(rate)
        rows.append(
            (
                f"{rate:g}/s",
                f"{run['energy.kwh'] / 24 / GPUS * 1000:,.0f} W",
                usd(run["energy.usd"]),
                f"{energy_share(run):.1%}",
                usd(run["cost.usd_per_million_output_tokens"]),
                f"{run['energy.kwh'] / tokens(run):.2f} kWh",
                f"{run['energy.co2_kg'] / tokens(run) * 1000:,.0f} g",
            )
        )
    heads = (
        "requests | power a GPU, with cooling: | electricity a day: | of the bill: "
        "| bill for 1M tokens written: | electricity for them: | CO2 for them:"
    )
    return table(heads, *rows)


def hours_table() -> str:
    """What a million tokens takes in three hours of the day."""
    kept = day().kept
    rows = []
    for hour in HOURS:
        written, kwh = kept["tokens"][hour], kept["kwh"][hour]
        rows.append(
            (
                f"{hour}:00 to {hour + 1}:00",
                f"{written:.2f}M",
                f"{kwh / GPUS * 1000:,.0f} W",
                f"{kwh / written:.2f} kWh",
                usd(kept["usd"][hour] / written),
                f"{kept['co2_kg'][hour] / written * 1000:,.0f} g",
            )
        )
    heads = "hour | tokens written: | power a GPU: | electricity for 1M: | it costs: | CO2 for 1M:"
    return table(heads, *rows)


def saved_off() -> tuple[float, float]:
    """What switching off saves a day: USD of electricity, and its share of the whole bill."""
    saved = float(day()["energy.usd"] - day(SHIPPED, OFF)["energy.usd"])
    return saved, saved / day()["cost.total_usd"]


def the_picture() -> tuple[Any, Callable[[Any], None]]:
    """Power and its price over the day; what a million tokens costs by load."""
    usd_h, kw, written = (day().kept[name] for name in ("usd", "kwh", "tokens"))
    per_million = [cost / tokens_h for cost, tokens_h in zip(usd_h, written, strict=True)]
    bars = [
        (
            f"{rate:g}/s",
            day(rate)["cost.usd_per_million_output_tokens"] * (1 - energy_share(day(rate))),
            day(rate)["cost.usd_per_million_output_tokens"] * energy_share(day(rate)),
        )
        for rate in RATES[1:]
    ]

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.5)
        left, right = figure.subplots(1, 2)
        left.stairs(kw, range(25), baseline=None, color=BLUE, linewidth=1.6, label="kW, cooling included")
        left.axhline(GPUS * 0.5 * 1.25, color=INK, linewidth=1, linestyle="--")
        left.text(23.8, GPUS * 0.5 * 1.25 + 0.15, "idle", ha="right", fontsize=9)
        left.set_ylim(0, 15)
        left.stairs(
            [10 * cost for cost in per_million],
            range(25),
            baseline=None,
            color=RED,
            linewidth=1.6,
            label="10 x $ for a million tokens",
        )
        left.set_xlim(0, 24)
        left.set_xticks(range(0, 25, 6))
        left.set_xlabel("hour of the day")
        left.set_title("Power, and the electricity in a token")
        left.legend(loc="upper left", fontsize=8.5)
        names = [name for name, _, _ in bars]
        right.bar(names, [one for _, one, _ in bars], color=BLUE, alpha=0.75, label="hardware and capital", width=0.6)
        right.bar(
            names,
            [one for _, _, one in bars],
            bottom=[one for _, one, _ in bars],
            color=AMBER,
            label="electricity",
            width=0.6,
        )
        right.set_title("Dollars for a million tokens written, by load")
        right.set_xlabel("requests a second")
        right.legend(loc="upper right", fontsize=8.5)
        figure.tight_layout()

    return [
        [round(one, 5) for one in (*kw, *per_million)],
        [[name, round(one, 5), round(other, 5)] for name, one, other in bars],
    ], paint


PICTURES = {"energy-bill.png": the_picture}
