"""What `multi-cloud.md` quotes: a surge with and without somewhere to go, and what an answer must be worth for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gallery_runs import Told, count, share, table, told, usd
from palette import BLUE, FAINT, GREEN, INK, RED

NAME = "multi-cloud"
DAY_S = 86_400
SURGE_DAYS = 2
MOVE_DAYS = 28

_NO_SECOND = ("pools.home.queue.spill=",)
WAYS: dict[str, tuple[str, ...]] = {
    "home alone": _NO_SECOND,
    "second cloud, nothing running, as shipped": (),
    "second cloud, one replica warm": ("pools.second.autoscaler.min_replicas=1",),
    "one replica more at home, reserved in time": (
        *_NO_SECOND,
        "pools.home.autoscaler.replicas=3",
        "contracts.home.gpus=24",
    ),
}
"""By name on the page: what is set."""

HOME, COLD, WARM, SPARE = WAYS
WORTH = (0.9, 1.1)
"""Times the break-even, on either side of which both fleets are run."""


@dataclass(frozen=True)
class Seen:
    """What is kept of a run."""

    in_time_share: float
    """Of the requests of the surge, those with a first token within 5 s."""
    lost: int
    """Requests of the surge without an answer."""
    away_share: float
    """Of those of the surge, served in the second cloud."""
    usual_away_share: float
    usd: tuple[float, float]
    """The bill of the usual day, and of a day of the surge."""


def seen(result: Any) -> Seen:
    """The days apart."""
    import numpy as np

    rows = result.log.requests
    surge = rows["arrival_s"] >= DAY_S
    ttft_s = rows["first_token_s"] - rows["arrival_s"]
    answered = np.isfinite(rows["finish_s"]) & np.isfinite(ttft_s)
    lost = int(surge.sum()) - int((surge & _completed(result)).sum())
    away = rows["pool"] == 1
    line = result.columns
    usd_by_bin = line["usd_per_hour"] * (line["end_s"] - line["start_s"]) / 3600
    usual = float(usd_by_bin[line["start_s"] < DAY_S].sum())
    return Seen(
        float(((ttft_s <= 5) & answered)[surge].mean()),
        lost,
        float(away[surge].mean()),
        float(away[~surge].mean()),
        (usual, float(usd_by_bin.sum() - usual) / SURGE_DAYS),
    )


def _completed(result: Any) -> Any:
    from sim.model.tables import COMPLETED

    return result.log.requests["outcome"] == COMPLETED


def way(name: str) -> Told:
    """A run by its name on the page."""
    return told(NAME, *WAYS[name], keep=seen)


def ways_table() -> str:
    """The ways side by side."""
    rows = []
    for name in WAYS:
        kept = way(name).kept
        rows.append(
            (
                name,
                usd(kept.usd[0]),
                usd(kept.usd[1]),
                share(kept.in_time_share),
                count(kept.lost / SURGE_DAYS),
                usd(a_year(name)) if name != HOME else "",
            )
        )
    heads = "| a usual day: | a day of the surge: | TTFT ≤ 5 s: | lost a day: | more a year:"
    return table(heads, *rows)


def more_a_day(name: str) -> tuple[float, float]:
    """USD that a way costs more than home alone: on a usual day, on one of the surge."""
    own, home = way(name).kept.usd, way(HOME).kept.usd
    return own[0] - home[0], own[1] - home[1]


def a_year(name: str) -> float:
    """The same for a year with four weeks of surge."""
    usual, surge = more_a_day(name)
    return usual * (365 - MOVE_DAYS) + surge * MOVE_DAYS


def worth(name: str) -> float:
    """USD that an answer must be worth for a way to pay over home alone, all three days together."""
    run, home = way(name), way(HOME)
    more_usd = run["cost.total_usd"] - home["cost.total_usd"]
    return float(more_usd / (home["requests.timed_out"] - run["requests.timed_out"]))


def with_price(name: str, usd_per_answer: float) -> float:
    """Fleet and lost answers together at a price of these, by a run of its own."""
    priced = f"slowness=[{{kind: lost_requests, usd: {usd_per_answer:.4f}}}]"
    return float(told(NAME, *WAYS[name], priced)["slowness.fleet_plus_slowness_usd"])


def worth_table() -> str:
    """Fleet and lost answers, a little below and above the break-even of the second cloud."""
    rows = []
    for times in WORTH:
        price = times * worth(COLD)
        home, away = with_price(HOME, price), with_price(COLD, price)
        rows.append((f"${price:.2f}", usd(home), usd(away), "home alone" if home < away else "the second cloud"))
    return table("an answer is worth: | home alone: | second cloud: | cheaper", *rows)


def the_picture() -> tuple[Any, Callable[[Any], None]]:
    """Requests in time and dollars a day, of the surge, by way."""
    shown = {
        name: [round(way(name).kept.usd[0]), round(way(name).kept.usd[1]), round(way(name).kept.lost / SURGE_DAYS)]
        for name in WAYS
    }

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.6)
        money, lost = figure.subplots(1, 2, sharey=True, width_ratios=(1.2, 1))
        names = [name.replace(", ", ",\n", 1) for name in shown]
        places = range(len(names))
        usual, surge, gone = (list(values) for values in zip(*shown.values(), strict=True))
        money.barh([place - 0.18 for place in places], usual, height=0.34, color=FAINT, label="a usual day")
        money.barh([place + 0.18 for place in places], surge, height=0.34, color=BLUE, label="a day of the surge")
        money.set_yticks(list(places), names)
        money.invert_yaxis()
        money.set_xlim(0, 1.5 * max(surge))
        money.legend(loc="upper right", fontsize=8.5)
        money.set_title("Dollars a day")
        lost.barh(list(places), gone, height=0.5, color=[RED, GREEN, GREEN, GREEN])
        for place, value in zip(places, gone, strict=True):
            lost.text(value + 0.015 * max(gone), place, f"{value:,}", va="center", color=INK, fontsize=9)
        lost.set_xlim(0, 1.2 * max(gone))
        lost.set_title("Answers lost in the surge, a day")
        for axes in (money, lost):
            axes.grid(axis="y", visible=False)
        figure.tight_layout()

    return shown, paint


PICTURES = {f"{NAME}.png": the_picture}


def early() -> Told:
    """The shipped way with an overflow that begins sooner."""
    return told(NAME, "pools.home.queue.spill.above=0.5", keep=seen)
