"""The picture of `money.md`: how much of a fleet's hours is worth reserving, and where spend and waiting are least."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import facts_money
from palette import AMBER, BLUE, GREEN, INK, RED


def commit_and_buffer() -> tuple[Any, Callable[[Any], None]]:
    """The load-duration curve with its reserved layer; the cost of a fleet by its size with a price of waiting."""
    rung = facts_money.rung("reserved_3y")
    curve = facts_money.priced()["commitments.ladder.chat.load_duration"]
    costs = facts_money.buffer().best.curve.costs
    sizes = [int(cost.values[facts_money.REPLICAS.partition("=")[0]]) for cost in costs]
    fleet = [round(cost.fleet_usd, 2) for cost in costs]
    slowness = [round(cost.slowness_usd, 2) for cost in costs]
    shown = {"curve": curve, "gpus": rung["gpus"], "sizes": sizes, "fleet": fleet, "slowness": slowness}

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.4)
        left, right = figure.subplots(1, 2)
        _load_duration(left, curve, rung)
        _buffer(right, sizes, fleet, slowness)
        figure.tight_layout()

    return shown, paint


def _load_duration(axes: Any, curve: list[list[float]], rung: dict[str, Any]) -> None:
    """GPUs by the share of the time in which there are at least so many; those worth reserving in green."""
    below = 0.0
    for gpus, share in curve:
        colour = GREEN if gpus <= rung["gpus"] else AMBER
        axes.barh((below + gpus) / 2, share * 100, height=gpus - below, color=colour, edgecolor="white", linewidth=0.6)
        below = gpus
    axes.axvline(rung["break_even_share"] * 100, color=INK, linewidth=1, linestyle="--")
    axes.axhline(rung["gpus"], color=INK, linewidth=1)
    at = rung["break_even_share"] * 100
    axes.text(at + 2, rung["gpus"] + 0.5, f"{rung['gpus']:g} worth reserving", va="bottom")
    axes.text(at + 2, below - 1, f"worth it from {at:g} % on", va="top")
    axes.set(xlabel="% of the day with at least so many", ylabel="GPUs paid for", xlim=(0, 100), ylim=(0, below))
    axes.set_title("What is needed often enough", loc="left")


def _buffer(axes: Any, sizes: list[int], fleet: list[float], slowness: list[float]) -> None:
    """USD a day by the number of replicas, on a logarithmic scale: waiting costs from nothing to a hundred fleets."""
    together = [one + other for one, other in zip(fleet, slowness, strict=True)]
    for costs, name, colour in ((fleet, "fleet", BLUE), (slowness, "slowness", RED), (together, "together", INK)):
        axes.plot(sizes, costs, marker="o", markersize=3.5, color=colour, label=name, linewidth=1.6)
    best = together.index(min(together))
    axes.plot(sizes[best], together[best], marker="o", markersize=10, markerfacecolor="none", color=INK)
    axes.set(yscale="log", ylim=(100, 300_000), xlabel="replicas", ylabel="USD a day")
    axes.set_title("What is cheapest together", loc="left")
    axes.legend(frameon=False)


PICTURES = {"money.png": commit_and_buffer}
