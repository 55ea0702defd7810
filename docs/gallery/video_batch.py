"""What `video-batch.md` quotes: a week of clips by where and when they are made, and when spot stops paying."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gallery_runs import Told, count, duration, share, table, told, usd
from palette import BLUE, FAINT, GREEN, INK, RED

NAME = "video-batch"
AT = "pools.video.autoscaler"
ON_DEMAND = "pools.video.supply=[{name: on demand}]"
AS_THEY_COME = (
    f"{AT}={{kind: queue_length, min_replicas: 0, max_replicas: 40, count: in_system, target: 1, period: 2m}}"
)
FLAT = "pools.video.price.spot=6.326"
DUE_S = 6 * 3600.0

HAZARDS = (4, 5)
"""Times an hour that a GPU is taken, either side of where spot costs as much as on demand."""

LONG = (
    "horizon=10d",
    "workload.streams.morning.arrivals.scale=0.0458",
    "workload.streams.afternoon.arrivals.scale=0.0458",
    "workload.streams.morning.service={kind: uniform, low: 3.5h, high: 4.5h}",
    "workload.streams.afternoon.service={kind: uniform, low: 3.5h, high: 4.5h}",
    AS_THEY_COME,
)
"""The same GPU-hours in jobs of four hours."""

LONG_HAZARDS = (0.1, 0.3)


def night(gpus: int) -> str:
    """So many GPUs from 20:00 to 6:00."""
    return f"{AT}={{kind: scheduled, replicas: 0, rows: [{{from: '20:00', to: '06:00', replicas: {gpus}}}]}}"


WAYS: dict[str, tuple[str, ...]] = {
    "12 on demand, all day": (ON_DEMAND, f"{AT}={{replicas: 12}}"),
    "on demand as jobs come": (ON_DEMAND, AS_THEY_COME),
    "7 on demand, all day": (ON_DEMAND, f"{AT}={{replicas: 7}}"),
    "7 on spot, all day": (f"{AT}={{replicas: 7}}",),
    "13 on spot, at night, as shipped": (),
    "12 on spot, at night": (night(12),),
    "11 on spot, at night": (night(11),),
}
"""By name on the page: what is set."""

DAY_FLEET, COMING, ALL_DAY, SPOT_DAY, SHIPPED, JUST, SHORT = WAYS


@dataclass(frozen=True)
class Seen:
    """What is kept of a run."""

    in_time_share: float
    """Of the jobs, those that are done by 6:00 the next morning."""
    spare_s: float
    """From the last job's end to 6:00, of the worst day."""
    gpus: list[int]
    """GPUs that are ready, by half hours of the second day and night."""


def seen(result: Any) -> Seen:
    """Deadlines from the rows; GPUs from their lives."""
    import numpy as np

    rows, spans = result.log.requests, result.log.spans
    due_s = (np.floor(rows["arrival_s"] / 86_400) + 1) * 86_400 + DUE_S
    at = 86_400 + DUE_S + np.arange(0, 86_400, 1800)
    gpus = [int(((spans["ready_s"] <= at_s) & (spans["gone_s"] > at_s)).sum()) for at_s in at]
    return Seen(float((rows["finish_s"] <= due_s).mean()), float((due_s - rows["finish_s"]).min()), gpus)


def way(name: str) -> Told:
    """A run by its name on the page."""
    return told(NAME, *WAYS[name], keep=seen)


def clip_usd(run: Told) -> float:
    """What a job costs."""
    return float(run["cost.usd_per_request"])


def ways_table() -> str:
    """Where and when the jobs are made."""
    rows = []
    for name in WAYS:
        run = way(name)
        spare_s = run.kept.spare_s
        end = f"{duration(spare_s)} before" if spare_s >= 0 else f"**{duration(-spare_s)} late**"
        rows.append(
            (
                name,
                count(run["replicas.gpu_hours"] / 5),
                usd(run["cost.usd_per_day"]),
                f"${clip_usd(run):.2f}",
                share(run.kept.in_time_share),
                end,
                count(run["faults.lost"] / 5),
            )
        )
    heads = "| GPU-hours a day: | a day: | a clip: | by 6:00: | the last, worst day: | cut off a day:"
    return table(heads, *rows)


def taken(hazard: float, *more: str) -> Told:
    """Spot as jobs come, taken so many times an hour and GPU, at one price all day."""
    sets = more or ("horizon=1d", AS_THEY_COME)
    return told(NAME, *sets, FLAT, f"pools.video.supply.0.spot.hazard={hazard}/h")


def kept(*more: str) -> Told:
    """The same on demand."""
    return told(NAME, *(more or ("horizon=1d", AS_THEY_COME)), ON_DEMAND)


def hazards_table() -> str:
    """Spot against on demand by how often it is taken, for jobs of minutes and of hours; a run each."""
    rows = []
    for what, hazards, more in (("11 minutes", (0.4, *HAZARDS), ()), ("4 hours", LONG_HAZARDS, LONG)):
        base = clip_usd(kept(*more))
        for hazard in hazards:
            run = taken(hazard, *more)
            again = run["faults.lost"] / run["requests.arrived"]
            rows.append(
                (what, f"{hazard:g}", count(again), usd(clip_usd(run)), usd(base), f"{clip_usd(run) / base:.0%}")
            )
    return table("jobs of | taken an hour: | begun again, a job: | a job on spot: | on demand: | of it:", *rows)


def the_picture() -> tuple[Any, Callable[[Any], None]]:
    """GPUs over a day and a night by way, and what a clip costs."""
    chosen = {COMING: FAINT, SPOT_DAY: GREEN, SHIPPED: BLUE}
    shown = {name: [way(name).kept.gpus, round(clip_usd(way(name)), 6)] for name in chosen}
    fixed = [round(clip_usd(way(name)), 6) for name in (DAY_FLEET, ALL_DAY)]

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 5.4)
        when, cost = figure.subplots(2, 1, height_ratios=(1.5, 1))
        hours = [6 + place / 2 for place in range(49)]
        for name, colour in chosen.items():
            filled = name == COMING
            style = {"fill": True} if filled else {"baseline": None, "linewidth": 1.7}
            when.stairs(shown[name][0], hours, color=colour, label=name, **style)
        when.axvline(30, color=RED, linewidth=1.3)
        when.text(29.8, 21.5, "due", color=RED, ha="right", va="top")
        when.set_xlim(6, 30.3)
        when.set_ylim(0, 22)
        when.set_yticks(range(0, 21, 5))
        when.set_xticks(range(6, 31, 3), [f"{hour % 24}:00" for hour in range(6, 31, 3)])
        when.set_title("GPUs, a day and its night")
        when.legend(loc="upper left", fontsize=8.5, ncols=1)
        names = [DAY_FLEET, ALL_DAY, *chosen]
        values = [*fixed, *(shown[name][1] for name in chosen)]
        cost.barh(names, values, color=[INK, INK, FAINT, GREEN, BLUE], height=0.62)
        for place, value in enumerate(values):
            cost.text(value + 0.05, place, f"${value:.2f}", va="center", fontsize=9)
        cost.invert_yaxis()
        cost.grid(axis="y", visible=False)
        cost.set_xlim(0, 1.12 * max(values))
        cost.set_title("Dollars a clip")
        figure.tight_layout()

    return [*fixed, shown], paint


PICTURES = {f"{NAME}.png": the_picture}
