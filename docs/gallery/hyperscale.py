"""What `hyperscale.md` quotes: sixteen weeks of 20,000 replicas, ordered ahead of growth or for the load of the day."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any

from gallery_runs import Told, count, share, table, told, usd
from palette import BLUE, FAINT, INK, RED

from sim import load

NAME = "hyperscale"
REGIONS = ("americas", "europe", "asia")
LATE_TARGET = 0.95
LATE = tuple(f"pools.{region}.autoscaler.target={LATE_TARGET}" for region in REGIONS)
"""Each week's order is for the load of that week."""
WEEK_S = 7 * 86_400.0


def run(ahead: bool = True) -> Told:
    """Sixteen weeks, with orders ahead of the growth or for the load of the day."""
    return told(NAME) if ahead else told(NAME, *LATE)


def weekly(of: Told, column: str, week: int) -> float:
    """The mean of a column of the timeline in a week, counted from 0."""
    line = of.timeline
    return fmean(
        value
        for value, start in zip(line[column], line["start_s"], strict=True)
        if week * WEEK_S <= start < (week + 1) * WEEK_S
    )


def spare(of: Told, week: int) -> float:
    """Replicas at work or idle that are up, less those that the load asks for (running and waiting)."""
    up = weekly(of, "replicas", week) - weekly(of, "down", week)
    return up - weekly(of, "running", week) - weekly(of, "waiting", week)


def down_share() -> float:
    """Of the replicas that are paid for, those that are broken."""
    line = run().timeline
    return sum(line["down"]) / sum(line["replicas"])


def down_mean() -> float:
    return fmean(run().timeline["down"])


def expected_down_share(repair_h: float = 72) -> float:
    """So many hours of repair (three days as shipped), every 50,677 GPU-hours of eight GPUs."""
    return repair_h / (repair_h + 50_677 / 8)


def quicker_share() -> float:
    """Of all machines, those that a repair within a day gives back."""
    return expected_down_share() - expected_down_share(24)


def growth(weeks: float) -> float:
    """By what factor the load grows in so many weeks: threefold in 52."""
    return float(3 ** (weeks / 52))


def ahead_share() -> float:
    """By what factor an order is larger than that for the load of the day: the targets of the two runs."""
    targets = {region: load(NAME).pools[region].autoscaler.target for region in REGIONS}
    (target,) = set(targets.values())
    return LATE_TARGET / target - 1


def short_from() -> int:
    """The week, counted from 1, in which machines begin to be short."""
    return next(week + 1 for week in range(16) if spare(run(), week) < 0)


def weeks_table() -> str:
    """Every third week: load, machines, what is short."""
    rows = []
    for week in (1, 4, 6, 7, 9, 12, 15):
        ahead, late = run(), run(False)
        need = weekly(ahead, "running", week) + weekly(ahead, "waiting", week)
        rows.append(
            (
                week + 1,
                f"{need:,.0f}",
                f"{weekly(ahead, 'replicas', week):,.0f}",
                f"{weekly(ahead, 'down', week):,.0f}",
                _signed(spare(ahead, week)),
                f"{weekly(late, 'replicas', week):,.0f}",
                _signed(spare(late, week)),
            )
        )
    heads = "week | replicas needed: | there, ordered ahead: | broken: | spare: | there, ordered for the day: | spare:"
    return table(heads, *rows)


def _signed(number: float) -> str:
    return f"{number:,.0f}" if number >= 0 else f"**−{-number:,.0f}**"


def days_of_loss() -> str:
    """What the work that went elsewhere comes to, in days of a replica."""
    return count(2 * (run(False)["requests.abandoned"] - run()["requests.abandoned"]))


def extra_usd() -> str:
    return usd(run()["cost.usd_per_day"] - run(False)["cost.usd_per_day"])


def attained(of: Told) -> str:
    return share(of["slo.0.attained"])


def the_picture() -> tuple[Any, Callable[[Any], None]]:
    """Replicas there, needed and broken, by week, for both ways of ordering."""
    shown = []
    for ahead in (True, False):
        line = run(ahead).timeline
        up = [paid - down for paid, down in zip(line["replicas"], line["down"], strict=True)]
        need = [at_work + waiting for at_work, waiting in zip(line["running"], line["waiting"], strict=True)]
        shown.append([[round(one) for one in column] for column in (line["replicas"], up, need)])
    weeks = [at_s / WEEK_S for at_s in run().timeline["start_s"]]

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.5)
        titles = ("Ordered ahead of the growth", "Ordered for the load of the day")
        for axes, (paid, up, need), title in zip(figure.subplots(1, 2, sharey=True), shown, titles, strict=True):
            axes.fill_between(weeks, up, paid, color=INK, alpha=0.5, linewidth=0, label="broken")
            axes.fill_between(
                weeks,
                need,
                up,
                color=FAINT,
                linewidth=0,
                where=[u >= n for u, n in zip(up, need, strict=True)],
                label="spare",
            )
            axes.fill_between(
                weeks,
                need,
                up,
                color=RED,
                alpha=0.35,
                linewidth=0,
                where=[u < n for u, n in zip(up, need, strict=True)],
                label="short",
            )
            axes.plot(weeks, need, color=BLUE, linewidth=1.6, label="needed: at work and waiting")
            axes.set_title(title)
            axes.set_xlabel("week")
            axes.set_xlim(1, 16)
            axes.set_ylim(13_000, None)
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        figure.axes[0].legend(loc="upper left", fontsize=8.5)
        figure.axes[0].set_ylabel("replicas of eight GPUs")
        figure.tight_layout()

    return shown, paint


PICTURES = {"hyperscale.png": the_picture}
