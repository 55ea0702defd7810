"""The pictures of `autoscaling.md`: load, replicas, waits and money of each elastic scenario over time."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import facts_elastic
from facts_elastic import Elastic
from palette import BLUE, GREEN, INK, RED

from sim.result import words

AMBER, GRAY = "#d9a441", "#8d98a5"
FIRST_DAY = {facts_elastic.KEDA: 0, facts_elastic.PREDICTIVE: 1}
"""Day of the week on which a run of a week begins."""
MARKS: dict[str, list[tuple[float, float]]] = {facts_elastic.ZONE: [(3600.0, 5400.0)]}
"""Stretches of time that all panels show: an outage."""
TICKS_S = (0.1, 1.0, 10.0, 60.0, 600.0)


def picture(name: str) -> tuple[Any, Callable[[Any], None]]:
    """One scenario as it ships: what the picture shows, and what paints it."""
    run = facts_elastic.elastic(name)
    line = run.timeline
    rate = [n / (end - at) for n, at, end in zip(line["arrivals"], line["start_s"], line["end_s"], strict=True)]
    shown = [rate, *(line[key] for key in ("replicas", "booting", "draining", "ttft_s_p50", "ttft_s_p99"))]
    shown += [line["usd_per_hour"], run.spot_usd_per_hour]
    rounded = [[None if math.isnan(value) else round(value, 6) for value in column] for column in shown]
    return [*rounded, run.wanted], functools.partial(_paint, name, run, rate)


def _paint(name: str, run: Elastic, rate: Sequence[float], figure: Any) -> None:
    unit_s = _unit_s(run)
    line = run.timeline
    edges = [at_s / unit_s for at_s in (*line["start_s"], line["end_s"][-1])]
    figure.set_size_inches(8.2, 8.6)
    panels = figure.subplots(4, 1, sharex=True, height_ratios=(1, 1.35, 1, 1))
    for panel in panels:
        panel.margins(x=0)
        for from_s, to_s in MARKS.get(name, ()):
            panel.axvspan(from_s / unit_s, to_s / unit_s, color=RED, alpha=0.08, linewidth=0)
    load, fleet, wait, money = panels
    load.stairs(rate, edges, baseline=None, color=BLUE, linewidth=1.4)
    load.set_title("Load: requests a second")
    load.set_ylim(0, None)
    _fleet(fleet, run, edges, unit_s)
    _waits(wait, run, edges)
    _money(money, run, edges)
    _time_axis(name, money, run, unit_s)
    figure.align_ylabels()
    figure.tight_layout()


def _unit_s(run: Elastic) -> float:
    """The unit of the time axis: minutes, hours or days."""
    end_s = run.timeline["end_s"][-1]
    return 60.0 if end_s <= 3 * 3600 else 3600.0 if end_s <= 2 * 86_400 else 86_400.0


def _fleet(axes: Any, run: Elastic, edges: Sequence[float], unit_s: float) -> None:
    """Replicas that serve, those that boot on top, and how many are wanted."""
    line = run.timeline
    draining = line["draining"]
    ready = [serve - drain for serve, drain in zip(line["replicas"], draining, strict=True)]
    stack = [0.0] * len(ready)
    for values, colour, label in (
        (ready, BLUE, "ready"),
        (draining, GRAY, "draining"),
        (line["booting"], AMBER, "booting, paid"),
    ):
        top = [low + value for low, value in zip(stack, values, strict=True)]
        if max(values) > 1e-9:
            axes.stairs(top, edges, baseline=stack, fill=True, color=colour, alpha=0.75, linewidth=0, label=label)
        stack = top
    at = [at_s / unit_s for at_s, _ in run.wanted if at_s / unit_s <= edges[-1]]
    wanted = [size for _, size in run.wanted][: len(at)]
    axes.step([*at, edges[-1]], [*wanted, wanted[-1]], where="post", color=INK, linewidth=0.9, label="wanted")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_title("Replicas")
    axes.set_ylim(0, 1.28 * max(*stack, *wanted))
    axes.legend(loc="upper left", ncols=4)


def _waits(axes: Any, run: Elastic, edges: Sequence[float]) -> None:
    """TTFT by time of arrival, and the limit that is promised."""
    for key, colour, label in (("ttft_s_p50", GRAY, "median"), ("ttft_s_p99", RED, "p99")):
        axes.stairs(run.timeline[key], edges, color=colour, baseline=None, linewidth=1.4, label=label)
    under_s = next(target["under_s"] for target in run["slo"] if target["metric"] == "ttft")
    label = f"promised: {words.duration(under_s)}"
    axes.axhline(under_s, color=INK, linewidth=0.9, linestyle="--", label=label)
    axes.set_yscale("log")
    worst_s = max(value for value in run.timeline["ttft_s_p99"] if not math.isnan(value))
    most_s = 10 * max(worst_s, under_s)
    ticks_s = [tick_s for tick_s in TICKS_S if tick_s < most_s / 2]
    axes.set_yticks(ticks_s, [words.duration(tick_s) for tick_s in ticks_s])
    axes.minorticks_off()
    axes.set_ylim(0.05, most_s)
    axes.set_title("Time to first token, by time of arrival")
    axes.legend(loc="upper left", ncols=3)


def _money(axes: Any, run: Elastic, edges: Sequence[float]) -> None:
    """Dollars an hour; of spot replicas apart, where there are any."""
    hourly = run.timeline["usd_per_hour"]
    spot = run.spot_usd_per_hour
    if any(spot):
        axes.stairs(spot, edges, fill=True, color=AMBER, alpha=0.75, linewidth=0, label="spot")
        axes.stairs(hourly, edges, baseline=spot, fill=True, color=GREEN, alpha=0.75, linewidth=0, label="on demand")
        axes.legend(loc="upper left", ncols=2)
    else:
        axes.stairs(hourly, edges, fill=True, color=GREEN, alpha=0.75, linewidth=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"${value:,.0f}")
    axes.set_ylim(0, 1.25 * max(hourly))
    axes.set_title(f"Dollars an hour ({words.usd(run.usd_per_day)} a day)")


def _time_axis(name: str, axes: Any, run: Elastic, unit_s: float) -> None:
    end = run.timeline["end_s"][-1] / unit_s
    axes.set_xlim(0, end)
    if unit_s == 86_400.0:
        days = range(round(end))
        axes.set_xticks(list(days), [facts_elastic.DAYS[(FIRST_DAY[name] + day) % 7] for day in days], ha="left")
        axes.set_xlabel("day, from midnight")
    elif unit_s == 3600.0:
        axes.set_xticks(range(0, round(end) + 1, 3 if end > 12 else 1))
        axes.set_xlabel("hour of the day" if end == 24 else "hours")
    else:
        axes.set_xticks(range(0, round(end) + 1, 10))
        axes.set_xlabel("minutes")


PICTURES: dict[str, Callable[[], tuple[Any, Callable[[Any], None]]]] = {
    f"{name}.png": functools.partial(picture, name) for name in facts_elastic.BESIDE
}
