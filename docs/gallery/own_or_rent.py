"""What `own-or-rent.md` quotes: four weeks of each load on bought and on rented GPUs, at several rents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gallery_runs import Told, share, table, told, usd
from palette import BLUE, GREEN, INK, RED

NAME = "own-or-rent"
SHIPPED = 128
RATES = (64, 80, SHIPPED)
"""Requests an hour: on either side of the break-even, and as shipped."""
NONE = "contracts={}"
RENTS = (3.99, 3.20, 2.00, 1.50)
RENTED_FROM = {3.99: "Lambda", 3.20: "Hyperstack", 2.00: "a cut by three eighths", 1.50: "a cut by half"}
HOURS_A_MONTH = 730
GPUS, CAPEX_USD, RESIDUAL = 64, 40_000, 0.30


def month(rate: int = SHIPPED, *sets: str) -> Told:
    """Four weeks at so many requests an hour."""
    return told(NAME, *(() if rate == SHIPPED else (f"workload.arrivals.rate={rate}/h",)), *sets)


def bought(run: Told) -> dict[str, Any]:
    """What the bought GPUs were worth."""
    found: dict[str, Any] = run["commitments.contracts.bought"]
    return found


def per_gpu_h(run: Told, what: str, *, at_work: bool) -> float:
    """USD per GPU-hour of `usage`, `unused` or `energy` of the bought GPUs, at work or not."""
    lines = [line for line in run["invoice"] if line["contract"] == "bought"]
    hours = bought(run)["used_gpu_hours" if at_work else "unused_gpu_hours"]
    if what == "energy":
        lines = [line for line in lines if (line["offer"] is None) != at_work]
    return float(sum(line["usd"] for line in lines if line["what"] == what) / hours)


def full_usd() -> float:
    """USD per GPU-hour of a bought GPU that is always at work with a request."""
    run = month()
    share_busy = run["utilization.busy_share"]
    watts = 500 + share_busy * 800
    return per_gpu_h(run, "usage", at_work=True) + per_gpu_h(run, "energy", at_work=True) * 1300 / watts


def idle_usd() -> float:
    """USD per GPU-hour of a bought GPU that nobody uses."""
    return per_gpu_h(month(), "unused", at_work=False) + per_gpu_h(month(), "energy", at_work=False)


def break_even(rent: float) -> float:
    """Share of the hours that a bought GPU must be used at this rent: what is paid idle, over what use then saves."""
    run = month()
    used = per_gpu_h(run, "usage", at_work=True) + per_gpu_h(run, "energy", at_work=True)
    return idle_usd() / (rent - used + idle_usd())


def payback_months(rent: float, use: float) -> float:
    """Months until the rent that is saved, less the electricity, has paid the purchase; nothing is sold."""
    run = month()
    energy = use * per_gpu_h(run, "energy", at_work=True) + (1 - use) * per_gpu_h(run, "energy", at_work=False)
    return CAPEX_USD / ((use * rent - energy) * HOURS_A_MONTH)


def sides_table() -> str:
    """The loads on either side of the break-even and as shipped, each on bought and on rented GPUs."""
    rows = []
    for rate in RATES:
        own, rent = month(rate), month(rate, NONE)
        saved = rent["cost.total_usd"] - own["cost.total_usd"]
        rows.append(
            (
                f"{rate} an hour",
                share(bought(own)["used_share"]),
                usd(own["cost.total_usd"]),
                usd(rent["cost.total_usd"]),
                usd(saved) if saved >= 0 else f"**−{usd(-saved)}**",
            )
        )
    return table("requests | of the 64 bought, used: | bought: | all rented: | owning saves:", *rows)


def rents_table() -> str:
    """What the rent does to the break-even."""
    rows = [
        (
            f"${rent:.2f} ({RENTED_FROM[rent]})",
            share(break_even(rent)),
            f"{payback_months(rent, 0.9):.0f} months",
            f"{payback_months(rent, 0.5):.0f} months",
        )
        for rent in RENTS
    ]
    heads = "rent of a GPU-hour | break-even use: | paid back, 90 % used: | paid back, half used:"
    return table(heads, *rows)


def cut() -> tuple[float, float]:
    """The load as shipped after a cut to $1.50, bought and rented: USD of the four weeks."""
    at = "pools.fleet.price.on_demand=$1.50/h"
    return month(SHIPPED, at)["cost.total_usd"], month(SHIPPED, at, NONE)["cost.total_usd"]


def the_picture() -> tuple[Any, Callable[[Any], None]]:
    """USD a used GPU-hour against use, bought and at each rent; the runs as dots."""
    run = month()
    used = per_gpu_h(run, "usage", at_work=True) + per_gpu_h(run, "energy", at_work=True)
    idle = idle_usd()
    uses = [percent / 100 for percent in range(20, 101)]
    curve = [(used * use + idle * (1 - use)) / use for use in uses]
    dots = []
    for rate in RATES:
        one = bought(month(rate))
        dots.append((one["used_share"], one["usd"] / one["used_gpu_hours"]))

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.6)
        axes = figure.subplots()
        axes.plot([100 * use for use in uses], curve, color=BLUE, label="bought")
        axes.plot([100 * use for use, _ in dots], [cost for _, cost in dots], "o", color=BLUE, label="runs")
        for rent, colour in zip(RENTS, (INK, GREEN, RED, RED), strict=True):
            axes.axhline(rent, color=colour, linewidth=1, linestyle="--")
            axes.text(100.5, rent, f"${rent:.2f}", color=colour, va="center", fontsize=9)
            if break_even(rent) < 1:
                axes.plot([100 * break_even(rent)], [rent], "D", color=colour, markersize=5)
        axes.set_xlim(20, 100)
        axes.set_ylim(0, 6)
        axes.set_title("Dollars a GPU-hour that is used; dashed: rents, with the use from which owning is cheaper")
        axes.set_xlabel("% of the hours in which the bought GPUs are used")
        axes.legend(loc="upper right")
        figure.tight_layout()

    return [[round(one, 5) for one in curve], [[round(one, 5) for one in dot] for dot in dots]], paint


PICTURES = {"own-or-rent.png": the_picture}
