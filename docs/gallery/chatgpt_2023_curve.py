"""What slow answers cost against what the fleet costs: the curve of `chatgpt-2023.md` and its cheapest point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gallery_runs import sweep_block, swept, table, usd
from palette import BLUE, GREEN, INK, RED

DAY = "chatgpt-2023"
REPLICAS = "pools.chatgpt.autoscaler.replicas"
OVER = f"{REPLICAS}=170,240,280,310,323,324,325,340,400"
WORTH_USD = 6.0
"""Of a lost user, as the scenario says."""
WORTHS_USD = (0.6, 2, 6, 20, 60)


def curve() -> list[tuple[int, float, float]]:
    """Replicas, USD a day of the fleet and of lost users."""
    costs = swept(DAY, OVER).best.curve.costs
    return [(int(cost.values[REPLICAS]), cost.fleet_usd, cost.slowness_usd) for cost in costs]


def cheapest(worth_usd: float = WORTH_USD) -> tuple[int, float, float]:
    """The point of the curve with the least sum, if a user is worth so much."""
    points = [(replicas, fleet, slowness * worth_usd / WORTH_USD) for replicas, fleet, slowness in curve()]
    return min(points, key=lambda point: point[1] + point[2])


def in_time() -> int:
    """Replicas of the smallest fleet of the curve that keeps the promise."""
    runs = swept(DAY, OVER).runs
    return next(int(run.values[REPLICAS]) for run in runs if run.summary["slo"][0]["met"])


def worth_table() -> str:
    """The cheapest fleet by what a lost user is worth."""
    least = curve()[0][0]
    rows = []
    for worth_usd in WORTHS_USD:
        replicas, fleet, slowness = cheapest(worth_usd)
        few = f"{replicas} or fewer" if replicas == least else str(replicas)
        rows.append((f"${worth_usd:g}", few, usd(fleet), usd(slowness), usd(fleet + slowness)))
    return table("a lost user is worth: | cheapest fleet, replicas: | fleet: | lost users: | together:", *rows)


def curve_block() -> str:
    """The sweep as a command."""
    return sweep_block(DAY, OVER)


def the_curve() -> tuple[Any, Callable[[Any], None]]:
    """Fleet and lost users a day against replicas, and the cheapest point."""
    points = curve()
    at = [replicas for replicas, _, _ in points]
    fleet, slow = [fleet / 1000 for _, fleet, _ in points], [slow / 1000 for _, _, slow in points]
    both = [sum(costs) for costs in zip(fleet, slow, strict=True)]
    best, *parts = cheapest()
    best_usd = sum(parts) / 1000

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 4.2)
        axes = figure.subplots()
        axes.plot(at, slow, color=RED, label="lost users")
        axes.plot(at, fleet, color=BLUE, label="fleet")
        axes.plot(at, both, color=INK, linewidth=2, marker="o", markersize=4, label="both")
        axes.plot([best], [best_usd], color=GREEN, marker="o", markersize=10)
        axes.annotate(
            f"cheapest: {best} replicas,\n${best_usd:,.0f}k a day",
            (best, best_usd),
            (26, 40),
            textcoords="offset points",
            ha="left",
        )
        axes.set_title("Thousand dollars a day, by fleet")
        axes.set_xlabel("replicas of eight A100s")
        axes.set_ylim(0, None)
        axes.legend(loc="upper right")
        figure.tight_layout()

    return [at, *([round(value, 6) for value in line] for line in (fleet, slow, both))], paint
