"""What `startup-commitment.md` quotes: a year of each growth with the commitment, and both sides of the break-even."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gallery_runs import Told, share, table, told, usd
from palette import BLUE, FAINT, INK, RED

NAME = "startup-commitment"
FIRST = 20
OUTCOMES = {"threefold, as planned": 60, "as many as on the first day": 20, "a quarter is left": 5}
"""What comes of the plan: the load at the year's end, in GPUs."""
ABOVE, BELOW = 16, 15
"""Loads at the year's end on either side of the break-even."""
NONE = "contracts={}"
LAMBDA = ("pools.model.price={on_demand: $3.99/h, source: Lambda, as_of: 2026-09-20}",)
"""What the same GPU costs on demand elsewhere."""
SIXTY = "contracts.a_year.gpus=60"
"""As many as the plan needs at the year's end."""


def year(last: int = 60, *sets: str) -> Told:
    """A year in which the load goes evenly to so many GPUs."""
    grown = (
        ()
        if last == OUTCOMES["threefold, as planned"]
        else (f"workload.arrivals.points=[[0d,{FIRST}/h],[365d,{last}/h]]",)
    )
    return told(NAME, *grown, *sets)


def contract(run: Told) -> dict[str, Any]:
    """What the commitment was worth."""
    found: dict[str, Any] = run["commitments.contracts.a_year"]
    return found


def on_demand_usd(run: Told) -> float:
    """What the same year costs without the commitment: the list price of what was used."""
    return float(sum(line["list_usd"] for line in run["invoice"]))


def outcomes_table() -> str:
    """By what comes of the plan."""
    rows = []
    for told_as, last in OUTCOMES.items():
        run = year(last)
        one = contract(run)
        rows.append(
            (
                f"{told_as}: {FIRST} to {last}",
                share(one["used_share"]),
                usd(run["cost.total_usd"]),
                usd(on_demand_usd(run)),
                _signed(one["saved_usd"]),
            )
        )
    return table("load in GPUs | of the 40, used: | with the commitment: | all on demand: | saved:", *rows)


def sides_table() -> str:
    """Both sides of the break-even, each run with the commitment and without."""
    rows = []
    for last in (ABOVE, BELOW):
        kept, free = year(last), year(last, NONE)
        rows.append(
            (
                f"{FIRST} to {last}",
                share(contract(kept)["used_share"]),
                usd(kept["cost.total_usd"]),
                usd(free["cost.total_usd"]),
                _signed(free["cost.total_usd"] - kept["cost.total_usd"]),
            )
        )
    return table("load in GPUs | of the 40, used: | with the commitment: | without: | saved:", *rows)


def elsewhere() -> tuple[float, float]:
    """USD of the planned year with the commitment, and all of it on demand at the cheaper provider."""
    return year()["cost.total_usd"], year(60, NONE, *LAMBDA)["cost.total_usd"]


def _signed(amount: float) -> str:
    return usd(amount) if amount >= 0 else f"**−{usd(-amount)}**"


def the_picture() -> tuple[Any, Callable[[Any], None]]:
    """Saved against use; and the planned year's GPUs against the 40."""
    lasts = sorted({*OUTCOMES.values(), ABOVE, BELOW})
    points = [(contract(year(last))["used_share"], contract(year(last))["saved_usd"] / 1e3, last) for last in lasts]
    line = year().timeline
    months = [at_s / 86_400 / 30.4 for at_s in line["start_s"]]
    gpus = line["replicas"]

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.4)
        left, right = figure.subplots(1, 2)
        left.plot(
            [100 * used for used, _, _ in points], [saved for _, saved, _ in points], "o-", color=BLUE, linewidth=1.4
        )
        for used, saved, last in points:
            if last != BELOW:
                left.annotate(
                    f"{FIRST} to {last}", (100 * used, saved), (7, -11), textcoords="offset points", fontsize=8
                )
        left.axhline(0, color=INK, linewidth=1)
        left.axvline(62, color=RED, linewidth=1, linestyle="--")
        left.text(61, max(saved for _, saved, _ in points), "62 %", color=RED, ha="right", va="top")
        left.set_xlim(0, 108)
        left.set_title("Saved in the year, $ thousand")
        left.set_xlabel("% of the 40 reserved GPUs used")
        right.fill_between(
            months, [min(one, 40) for one in gpus], 40, color=RED, alpha=0.2, linewidth=0, label="paid, not used"
        )
        right.fill_between(
            months, [min(one, 40) for one in gpus], color=BLUE, alpha=0.6, linewidth=0, label="reserved, used"
        )
        right.fill_between(months, [max(one, 40) for one in gpus], 40, color=FAINT, linewidth=0, label="on demand")
        right.set_title("GPUs in the year as planned")
        right.set_xlabel("month")
        right.set_xlim(0, 12)
        right.set_ylim(0, None)
        right.legend(loc="upper left", fontsize=8.5)
        figure.tight_layout()

    return [[round(one, 4) for one in point] for point in points] + [[round(one, 3) for one in gpus]], paint


PICTURES = {"startup-commitment.png": the_picture}
