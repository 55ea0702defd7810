"""What `image-generation-decline.md` quotes: one year of falling demand, and its bill by how much was committed to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gallery_runs import Told, share, table, told, usd
from palette import BLUE, GREEN, INK, RED

NAME = "image-generation-decline"
A_YEAR = 365 / 12
"""Times the money of the run, whose days are months."""

SHAPE = ((0, 0.55), (5, 0.3), (9, 0.9), (15, 1.8), (19, 1.5), (24, 0.55))
"""Hour and rate of a day, as in the scenario."""

COUNTS = range(43)
FALLS = (0.3, 0.33)
"""Shares that go away each month, either side of where the shipped contract is worth no more than none."""


def bills(result: Any) -> dict[int, tuple[float, float]]:
    """USD of the same run under contracts for other numbers of GPUs: the whole bill, and what of it nobody used."""
    from sim import load
    from sim.result.money.bill import bill_of

    found = {}
    for gpus in COUNTS:
        bill = bill_of(load(NAME, [f"contracts.year.gpus={gpus}"] if gpus else ["contracts={}"]), result.log)
        lines = [(line.what, float(line.usd(bill.window_s)[0])) for line in bill.lines]
        found[gpus] = (sum(usd for _, usd in lines), sum(usd for what, usd in lines if what == "unused"))
    return found


def year() -> Told:
    """The run as it ships."""
    return told(NAME, keep=bills)


def committed(gpus: int) -> Told:
    """A run with so many GPUs committed to."""
    return told(NAME, f"contracts.year.gpus={gpus}") if gpus else told(NAME, "contracts={}")


def planned() -> int:
    """GPUs to reserve for a year that is as the first three months."""
    return int(told(NAME, "horizon=3d", "contracts.year.term=3d")["commitments.ladder.images.layers.0.gpus"])


def right() -> int:
    """GPUs to reserve for the year as it comes."""
    return int(year()["commitments.ladder.images.layers.0.gpus"])


def trap() -> int:
    """The most GPUs with which the contract costs no more than paying for everything on demand."""
    return max(gpus for gpus in COUNTS if a_year(gpus) <= a_year(0))


def peak() -> int:
    """GPUs that were there at once in the busiest hour of the year."""
    return int(year()["replicas.max"])


def a_year(gpus: int) -> float:
    """What the year costs with so many GPUs committed to."""
    return float(year().kept[gpus][0] * A_YEAR)


def stranded(gpus: int) -> float:
    """What of it is paid for committed GPUs that nobody uses."""
    return float(year().kept[gpus][1] * A_YEAR)


def run_saves(gpus: int) -> float:
    """What so many save against on demand by a run of its own, in USD a year."""
    return float(committed(gpus)["commitments.contracts.year.saved_usd"] * A_YEAR)


def year_table() -> str:
    """The year by how many GPUs were committed to."""
    rows = []
    for what, gpus in (
        ("all on demand", 0),
        ("right for the year as it came", right()),
        ("as the first three months say, as shipped", planned()),
        ("the most that beats on demand", trap()),
        ("one more", trap() + 1),
        ("for the busiest hour", peak()),
    ):
        rows.append((what, gpus, usd(a_year(gpus)), usd(a_year(gpus) - a_year(0)), usd(stranded(gpus))))
    return table("committed to | GPUs: | a year: | against on demand: | stranded:", *rows)


def remaining_usd() -> float:
    """What is still to be paid after half a year, when the fall is over."""
    return float(told(NAME, "horizon=6d")["commitments.contracts.year.remaining_usd"] * A_YEAR)


def _points(fall: float) -> str:
    levels = [1.0] * 3 + [(1 - fall) ** month for month in (1, 2, 3)] + [(1 - fall) ** 3] * 6
    points = [f"[{24 * day + hour}h, {rate * level:.4g}/s]" for day, level in enumerate(levels) for hour, rate in SHAPE]
    return f"workload.arrivals.points=[{', '.join(points)}]"


def falls_table() -> str:
    """The shipped contract, by how much of the demand goes away each month."""
    rows = []
    for fall in (0.0, 0.2, *FALLS):
        run = year() if fall == 0.2 else told(NAME, _points(fall))
        own = run["commitments.contracts.year"]
        best = int(run["commitments.ladder.images.layers.0.gpus"])
        left = (1 - fall) ** 3
        rows.append((share(fall), share(left), share(own["used_share"]), usd(own["saved_usd"] * A_YEAR), best))
    heads = "lost each month: | left after three: | of the contract used: | saved a year: | would have been right:"
    return table(heads, *rows)


def the_picture() -> tuple[Any, Callable[[Any], None]]:
    """GPUs in use over the year with what is committed to; and the year's bill by how much that is."""
    run = year()
    hours: list[list[float]] = [[], []]
    for start_s, running, booting in zip(
        run.timeline["start_s"], run.timeline["replicas"], run.timeline["booting"], strict=True
    ):
        hours[0].append(round(start_s / 86_400, 3))
        hours[1].append(round(running + booting, 2))
    cost = [round(a_year(gpus)) for gpus in COUNTS]
    marks = {"right": right(), "planned": planned(), "trap": trap()}
    shown = {"hours": hours, "cost": cost, "marks": marks}

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 5.6)
        above, below = figure.subplots(2, 1, height_ratios=(1.15, 1))
        edges = [*hours[0], 12.0]
        above.stairs(hours[1], edges, color=BLUE, linewidth=0.8, fill=True, alpha=0.35)
        for name, colour, label in (("planned", RED, "committed"), ("right", GREEN, "right for the year")):
            above.axhline(marks[name], color=colour, linewidth=1.4, label=f"{label}: {marks[name]}")
        above.legend(loc="upper right")
        above.set_xlim(0, 12)
        above.set_ylim(0, None)
        above.set_xticks(range(13))
        above.set_title("GPUs paid for, month by month (each shown by one day)")
        below.plot(list(COUNTS), [value / 1000 for value in cost], color=INK, linewidth=1.6)
        below.axhline(cost[0] / 1000, color=INK, linewidth=0.9, linestyle="--")
        below.text(30, cost[0] / 1000 * 1.015, "all on demand", color=INK, ha="right", va="bottom", fontsize=9)
        for name, colour in (("right", GREEN), ("planned", RED), ("trap", INK)):
            below.plot(marks[name], cost[marks[name]] / 1000, "o", color=colour)
            text = f"{marks[name]}"
            below.annotate(
                text, (marks[name], cost[marks[name]] / 1000), (0, -13), textcoords="offset points", ha="center"
            )
        below.set_xlim(0, 30)
        below.set_ylim(0, 260)
        below.set_title("Thousand dollars a year, by GPUs committed to")
        figure.tight_layout()

    return shown, paint


PICTURES = {f"{NAME}.png": the_picture}
