"""What `launch-from-zero.md` quotes: each first order against each demand, and orders that come too late."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any

from gallery_runs import Told, share, table, told, usd
from palette import AMBER, BLUE, GREEN, INK, RED

NAME = "launch-from-zero"
DEMANDS = (20, 40, 80)
ORDERS = (24, 48, 96)
LATE_D = {120: 0, 100: 20, 60: 60}
"""Days from order to launch: days of delay against the schedule."""


def run(order: int = 48, demand: int = 40, ahead_d: int = 120) -> Told:
    """So many GPUs ordered so many days before a launch that turns out to need this many."""
    sets = []
    if order != 48:
        sets.append(f"pools.product.autoscaler.min_replicas={order}")
    if demand != 40 or ahead_d != 120:
        at = f"[[0d,0/h],[{ahead_d}d,0/h],[{ahead_d + 14}d,{demand}/h],[{180 + ahead_d}d,{demand}/h]]"
        sets.append(f"workload.arrivals.points={at}")
    if ahead_d != 120:
        sets.append(f"horizon={180 + ahead_d}d")
    return told(NAME, *sets)


def margin_usd(order: int, demand: int) -> float:
    """What is earned less what the GPUs cost, by day 300."""
    return float(run(order, demand)["economics.gross_margin_usd"])


def lost_share(of: Told) -> float:
    """Of the requests, those that gave up."""
    return float(of["requests.abandoned"] / of["requests.arrived"])


def mean_usd(order: int) -> float:
    """The mean over the three demands, equally likely."""
    return fmean(margin_usd(order, demand) for demand in DEMANDS)


def best() -> int:
    """The order with the highest mean."""
    return max(ORDERS, key=mean_usd)


def best_of() -> str:
    """Where the best order stands among those that were tried."""
    return {min(ORDERS): "the smallest", max(ORDERS): "the largest"}.get(best(), "neither the smallest nor the largest")


def even_price() -> float:
    """What an hour of work must earn for the middle order to be as good as the small one, on average."""
    earns, costs = (
        [fmean(float(run(order, demand)[path]) for demand in DEMANDS) for order in ORDERS[:2]]
        for path in ("requests.completed", "cost.total_usd")
    )
    return (costs[1] - costs[0]) / (earns[1] - earns[0])


def orders_table() -> str:
    """Margin by first order and demand."""
    rows = [
        (
            f"{order} GPUs",
            *(f"{_signed(margin_usd(order, demand))} ({share(lost_share(run(order, demand)))})" for demand in DEMANDS),
            _signed(mean_usd(order)),
        )
        for order in ORDERS
    ]
    return table("first order | demand for 20: | for 40: | for 80: | mean:", *rows)


def wrong_usd(order: int, demand: int) -> float:
    """What this order earns less than the best of the three would have, for a demand."""
    return max(margin_usd(each, demand) for each in ORDERS) - margin_usd(order, demand)


def late_table() -> str:
    """What ordering late costs: the same launch, ordered fewer days before."""
    rows = []
    for ahead_d, late_d in LATE_D.items():
        of = run(48, 40, ahead_d)
        rows.append((f"{ahead_d} days", late_d, share(lost_share(of)), usd(6.0 * of["requests.abandoned"])))
    return table("ordered before the launch | days late: | requests lost: | not earned:", *rows)


def _signed(amount: float) -> str:
    return usd(amount) if amount >= 0 else f"**−{usd(-amount)}**"


def the_picture() -> tuple[Any, Callable[[Any], None]]:
    """GPUs needed and there, for an order too small, right and too large."""
    cases = ((24, 80, "24 ordered, 80 needed"), (48, 40, "48 ordered, 40 needed"), (96, 20, "96 ordered, 20 needed"))
    shown = []
    for order, demand, _ in cases:
        line = run(order, demand).timeline
        there = [paid - coming for paid, coming in zip(line["replicas"], line["booting"], strict=True)]
        shown.append([[round(one, 3) for one in column] for column in (there, line["running"])])
    days = [at_s / 86_400 for at_s in run().timeline["start_s"]]
    asked = {demand: [0 if day < 120 else min((day - 120) / 14, 1) * demand for day in days] for demand in DEMANDS}

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.3)
        for axes, (_, demand, title), (there, used) in zip(
            figure.subplots(1, 3, sharey=True), cases, shown, strict=True
        ):
            axes.fill_between(days, used, there, color=AMBER, alpha=0.5, linewidth=0, label="paid, idle")
            axes.fill_between(days, used, color=GREEN, alpha=0.6, linewidth=0, label="at work")
            axes.fill_between(
                days,
                used,
                asked[demand],
                where=[a > u + 2 for a, u in zip(asked[demand], used, strict=True)],
                color=RED,
                alpha=0.25,
                linewidth=0,
                label="lost",
            )
            axes.plot(days, there, color=BLUE, linewidth=1.2, label="GPUs there")
            axes.axvline(120, color=INK, linewidth=1, linestyle="--")
            axes.set_title(title)
            axes.set_xlabel("day")
            axes.set_xlim(0, 300)
        figure.axes[0].legend(loc="upper left", fontsize=8)
        figure.tight_layout()

    return shown, paint


PICTURES = {"launch-from-zero.png": the_picture}
