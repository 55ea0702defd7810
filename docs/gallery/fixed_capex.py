"""What `fixed-capex.md` quotes: how much demand the same GPUs carry with each way of doing more with them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from gallery_runs import share, table, told
from palette import BLUE, FAINT, INK

NAME = "fixed-capex"
GPUS = 32
CAPEX_USD = 40_000
GROWTH = 1.5
"""Demand a year, over that of the year before."""

STEP = 2
"""Requests a second, to which the most that is carried is found."""

BATCH = "pools.chat.replica.max_num_seqs=256"
CACHE = "workload.cached_share=50%"
FP8 = "pools.chat.precision=fp8"
SMALL = (
    "workload.pool=chat",
    "pools.chat.autoscaler.replicas=7",
    "pools.small={model: llama-3-8b, gpu: h100-sxm, autoscaler: {replicas: 4}}",
    "routes=[{share: 40%, to: small}]",
)
SHED = "pools.chat.queue.shed={kind: codel}"
EIGHTY = "pools.chat.replica.max_num_seqs=80"

Sets = tuple[str, ...]

WAYS: dict[str, tuple[Sets, int]] = {
    "as bought: 48 in a batch": ((), 50),
    "batches of up to 256": ((BATCH,), 64),
    "and weights in FP8": ((BATCH, FP8), 94),
    "and 40 % of requests to an 8B on four of the GPUs": ((BATCH, *SMALL), 94),
    "and 50 % of prompt tokens found in a cache": ((BATCH, CACHE), 106),
    "all of these": ((BATCH, FP8, *SMALL, CACHE), 218),
}
"""By name on the page: what is set, and where to begin to look for the most that is carried."""

SHEDDING: dict[str, Sets] = {
    "as bought: 48 in a batch": (),
    "48, with shedding": (SHED,),
    "batches of up to 256": (BATCH,),
    "256, with shedding": (BATCH, SHED),
    "batches of up to 80, with shedding": (EIGHTY, SHED),
}
IN_PAGE = 100
"""Requests a second that come in the scenario as it ships."""


def _at(sets: Sets, rate: int) -> Any:
    """The run with these changes at some requests a second; as it ships where that is its own rate."""
    return told(NAME, *sets, *([] if rate == IN_PAGE else [f"workload.arrivals.rate={rate}"]))


def _keeps(sets: Sets, rate: int) -> bool:
    return all(target["met"] for target in _at(sets, rate)["slo"])


@functools.cache
def most(way: str) -> int:
    """Requests a second at which the promise is kept and at 2 more is not."""
    sets, rate = WAYS[way]
    while not _keeps(sets, rate):
        rate -= STEP
    while _keeps(sets, rate + STEP):
        rate += STEP
    return rate


def times(way: str) -> float:
    """The most that is carried, over that of the fleet as bought."""
    return most(way) / most(next(iter(WAYS)))


def product() -> float:
    """What the ways would come to if each were worth as much beside the others as it is alone."""
    batches, *others = [times(way) for way in WAYS if way != "all of these"][1:]
    return batches * math.prod(each / batches for each in others)


def gpus_instead(way: str) -> float:
    """GPUs that would have to be bought for as much, set up as bought."""
    return GPUS * (times(way) - 1)


def years(way: str) -> float:
    """Years of growth that it covers."""
    return math.log(times(way)) / math.log(GROWTH)


def in_time(*sets: str) -> float:
    """Share of the requests that are answered within the promise, at what comes in the scenario."""
    run = told(NAME, *sets)
    return float(run["throughput.goodput_per_s"] * run["measured_s"] / run["requests.arrived"])


def ways_table() -> str:
    """Each way: what it carries, how many GPUs and how much growth that stands for."""
    rows = []
    for way in WAYS:
        instead = gpus_instead(way)
        rows.append(
            (
                way,
                f"{most(way)}/s",
                f"{times(way):.2f}",
                f"{instead:.0f}" if instead else "",
                f"${instead * CAPEX_USD / 1e6:.1f} million" if instead else "",
                f"{years(way):.1f}" if instead else "",
                share(in_time(*WAYS[way][0])),
            )
        )
    heads = "| carries: | times: | GPUs instead: | which cost: | years of growth: | in time at 100/s:"
    return table(heads, *rows)


def shed_table() -> str:
    """What becomes of requests at what comes in the scenario, with and without turning some away."""
    rows = []
    for what, sets in SHEDDING.items():
        run = told(NAME, *sets)
        sent = run["requests.arrived"]
        rows.append(
            (
                what,
                share(in_time(*sets)),
                share(run["requests.completed"] / sent),
                share(run["requests.timed_out"] / sent),
                share(run["requests.rejected"] / sent),
            )
        )
    return table("| in time: | answered: | given up: | turned away:", *rows)


def turned_away(*sets: str) -> float:
    """Share of the requests that are turned away, at what comes in the scenario."""
    run = told(NAME, *sets)
    return float(run["requests.rejected"] / run["requests.arrived"])


def the_picture() -> tuple[Any, Callable[[Any], None]]:
    """Bars: requests a second that the same GPUs carry, by what is done with them; what comes is a line."""
    shown = {way: most(way) for way in WAYS}

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.4)
        axes = figure.subplots()
        names = list(shown)
        labels = [name.replace(" to an 8B", "\nto an 8B").replace(" found in", "\nfound in") for name in names]
        axes.barh(labels, list(shown.values()), color=[FAINT, *[BLUE] * (len(names) - 1)], height=0.62)
        for place, value in enumerate(shown.values()):
            axes.text(
                value - 2, place, f"{value}/s", va="center", ha="right", color="white" if place else INK, fontsize=9
            )
        axes.axvline(IN_PAGE, color=INK, linewidth=1, linestyle="--")
        axes.text(IN_PAGE + 1.5, 0, "what comes", color=INK, fontsize=9, va="center")
        axes.invert_yaxis()
        axes.set_xlim(0, 1.04 * max(shown.values()))
        axes.grid(axis="y", visible=False)
        axes.set_title("Requests a second that 32 GPUs carry")
        figure.tight_layout()

    return shown, paint


PICTURES = {f"{NAME}.png": the_picture}


def commands() -> str:
    """Each way as a command."""
    lines = [
        " ".join(["$ fleetcast run", NAME, *(f"--set '{one}'" for one in sets)])
        for sets in ((BATCH,), (FP8,), SMALL, (CACHE,), (SHED,))
    ]
    return "\n".join(["```text", *lines, "```"])
