"""What `voice-assistant.md` quotes: whole answers in time by fleet, and what a user must pay for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gallery_runs import Told, duration, share, table, told, usd
from palette import BLUE, GREEN, INK, RED

NAME = "voice-assistant"
FLEETS = (5, 6, 7, 8, 9, 10)
GPUS = 2
"""Of a replica."""


def run(replicas: int = 8) -> Told:
    """The peak half hour with so many replicas."""
    return told(NAME) if replicas == 8 else told(NAME, f"pools.assistant.autoscaler.replicas={replicas}")


def least() -> int:
    """The smallest fleet that keeps the promise."""
    return next(replicas for replicas in FLEETS if run(replicas)["slo.0.met"])


def users() -> int:
    """Whose peak hour it is, as the scenario says."""
    return round(run()["economics.users"])


def paying() -> int:
    """How many at $5 a month pay for the least fleet that keeps the promise."""
    return math.ceil(run(least())["economics.break_even_users"])


def per_user(of: Told) -> float:
    """The price a month at which the users just pay for the GPUs, in USD."""
    return float(of["economics.revenue.0.break_even_prices.usd_per_user_month"])


def fleets_table() -> str:
    """Answers in time and the price of a user, by fleet."""
    rows = (
        (
            f"**{replicas}**" if replicas == least() else replicas,
            GPUS * replicas,
            share(of["slo.0.attained"]),
            duration(of["latency.e2e_s.p50"]),
            duration(of["latency.e2e_s.p99"]),
            usd(of["cost.usd_per_month"]),
            f"${per_user(of):.3f}",
        )
        for replicas, of in ((replicas, run(replicas)) for replicas in FLEETS)
    )
    heads = "replicas: | GPUs: | answers within 2 s: | median: | p99: | a month: | a user and month:"
    return table(heads, *rows)


def the_fleets() -> tuple[Any, Callable[[Any], None]]:
    """How many answers come late and what a user pays, by fleet."""
    late = [100 * (1 - run(replicas)["slo.0.attained"]) for replicas in FLEETS]
    cents = [100 * per_user(run(replicas)) for replicas in FLEETS]
    gpus = [GPUS * replicas for replicas in FLEETS]

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.4)
        answers, price = figure.subplots(1, 2)
        kept = [value <= 1 for value in late]
        answers.bar(gpus, late, width=1.2, color=[GREEN if fine else RED for fine in kept])
        answers.axhline(1, color=INK, linewidth=1, linestyle="--")
        answers.annotate("promise: 1 %", (gpus[-1] + 0.6, 1), (0, 5), textcoords="offset points", ha="right")
        answers.set_title("Answers that take longer than 2 s, %")
        price.bar(gpus, cents, width=1.2, color=BLUE)
        price.set_title("Cents a month that a user pays for the GPUs")
        for axes in (answers, price):
            axes.set_xticks(gpus)
            axes.set_xlabel("GPUs")
            axes.grid(axis="x", visible=False)
        figure.tight_layout()

    return [[round(value, 6) for value in values] for values in (late, cents)], paint


PICTURES = {f"{NAME}.png": the_fleets}
