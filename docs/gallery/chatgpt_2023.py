"""What `chatgpt-2023.md` quotes: the day as it was estimated, and the least fleets that keep people from waiting."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from gallery.chatgpt_2023_curve import DAY, REPLICAS, cheapest, curve, curve_block, in_time, the_curve, worth_table
from gallery_runs import Told, count, duration, run_block, share, table, told, usd
from palette import BLUE, FAINT, GREEN, INK, RED

__all__ = ["cheapest", "curve", "curve_block", "in_time", "worth_table"]

BATCHED = "chatgpt-2023-batched"
SHORT = "workload.prompt_tokens={kind: lognormal, mean: 40, cv: 1}"
"""A question of 30 words and no history, instead of the prompts of the Azure trace."""
LIMIT_S = 2.0
LEAST = 325
"""With so many, 99 % wait at most two seconds; with one less they do not."""


def day_block() -> str:
    """The run as it ships."""
    return run_block(DAY, lines=15, keep=_kept)


@dataclass(frozen=True)
class Day:
    """What is kept of the rows of a day."""

    within: dict[str, float]
    """As `_within` says."""
    hours: list[dict[str, float]]
    """By hour of arrival: arrivals, p50_s and p99_s of the queue wait, share within the limit, waiting at its end."""
    answered_in_day: int
    worst_at_s: float
    """When the one arrived who waits longest."""


def _kept(result: Any) -> Day:
    from sim.result.latency import metric_s
    from sim.result.occupancy import occupancy

    rows = result.log.requests
    edges_s = np.arange(0, 25) * 3600.0
    waiting = occupancy(rows, edges_s).waiting_at
    wait_s = metric_s(rows, "queue_wait")
    first = np.searchsorted(rows["arrival_s"], edges_s)
    hours = []
    for hour, (start, end) in enumerate(itertools.pairwise(first)):
        part_s = wait_s[start:end]
        p50_s, p99_s = np.quantile(part_s, (0.5, 0.99))
        hours.append(
            {
                "arrivals": int(end - start),
                "p50_s": float(p50_s),
                "p99_s": float(p99_s),
                "share": float(np.mean(part_s <= LIMIT_S)),
                "waiting": int(waiting[hour + 1]),
            }
        )
    return Day(
        _within(result),
        hours,
        answered_in_day=int(np.count_nonzero(rows["finish_s"] < edges_s[-1])),
        worst_at_s=float(rows["arrival_s"][np.argmax(wait_s)]),
    )


def day() -> Told:
    """The day with the fleet that the estimate pays for."""
    return told(DAY, keep=_kept)


def _within(result: Any) -> dict[str, float]:
    """Share of all requests with each latency at or under two seconds."""
    from sim.result.latency import metric_s

    rows = result.log.requests
    return {metric: float(np.mean(metric_s(rows, metric) <= LIMIT_S)) for metric in ("queue_wait", "ttft", "e2e")}


def slots(replicas: int = LEAST) -> Told:
    """One reply at a time, on a fleet that keeps people from waiting."""
    return told(DAY, f"{REPLICAS}={replicas}", keep=_within)


def batched() -> Told:
    """Batched, with prompts as long as a chat's."""
    return told(BATCHED, keep=_within)


def short() -> Told:
    """Batched, with prompts of a bare question."""
    return told(BATCHED, SHORT, f"{REPLICAS}=3", keep=_within)


def clock(at_s: float) -> str:
    """A time of the day: `15:05`."""
    minutes = round(at_s / 60)
    return f"{minutes // 60 % 24}:{minutes % 60:02}"


def peak_waiting() -> str:
    """Most requests that wait, on average over five minutes."""
    return count(round(max(day().timeline["waiting"])))


def peak_waiting_at() -> str:
    line = day().timeline
    return clock(line["start_s"][int(np.argmax(line["waiting"]))])


def queue_begins() -> str:
    """When the five minutes begin in which, for the first time, half of the requests wait longer than two seconds."""
    line = day().timeline
    wait_s = np.array(line["ttft_s_p50"]) - 0.045
    return clock(line["start_s"][int(np.argmax(wait_s > LIMIT_S))])


def peak_rate() -> float:
    """Requests a second in the busiest hour."""
    return max(hour["arrivals"] for hour in day().kept.hours) / 3600


def idle_usd() -> float:
    """What was paid for replicas while they had nothing to do."""
    return float(day()["cost.total_usd"] * (1 - day()["utilization.busy_share"]))


def unanswered() -> int:
    """Requests that are not answered at midnight."""
    return int(day()["requests.arrived"] - day().kept.answered_in_day)


def hours_table() -> str:
    """The day hour by hour."""
    rows = (
        (
            f"{hour}:00",
            f"{row['arrivals']:,}",
            duration(row["p50_s"]),
            duration(row["p99_s"]),
            share(row["share"]),
            f"{row['waiting']:,}",
        )
        for hour, row in enumerate(day().kept.hours)
    )
    heads = "arrive from: | requests: | wait, median: | wait, p99: | wait at most 2 s: | waiting at the end:"
    return table(heads, *rows)


def _published() -> list[tuple[str, str, str, float, float]]:
    """The published figures: what each is of, as told, of this run, and both as numbers."""
    cost = day()["cost"]
    word, reply = cost["usd_per_million_output_tokens"] / 1e6, cost["usd_per_request"]
    a_day, month = cost["usd_per_day"], cost["usd_per_month"]
    return [
        ("a word", "$0.0003", f"${word:.7f}", word, 0.0003),
        ("a reply", "about 1 cent (30 words: $0.009)", f"${reply:.5f}", reply, 0.009),
        ("a day", "at least $100,000", usd(a_day), a_day, 1e5),
        ("a month", "$3 million", usd(month), month, 3e6),
    ]


def bill_table() -> str:
    """The run's bill against the published figures."""
    rows = _published()
    lines = [(name, published, ours, f"{value / wanted - 1:+.2%}") for name, published, ours, value, wanted in rows]
    return table(" | published: | this run: | off by:", *lines)


def most_off() -> str:
    """By how much the worst of these differs, in tenths of a percent, rounded up."""
    off = max(abs(value / wanted - 1) for *_, value, wanted in _published())
    return f"{math.ceil(1000 * off) / 10:.1f} %"


def fleets_table() -> str:
    """Four fleets for the same replies, side by side."""
    cases = [
        ("as estimated: one reply at a time", day(), day().kept.within),
        ("one reply at a time, enough replicas", slots(), slots().kept),
        ("batched, prompts of 1,161 tokens", batched(), batched().kept),
        ("batched, prompts of 40 tokens", short(), short().kept),
    ]
    rows = (
        (
            name,
            of["replicas.max"],
            f"{8 * of['replicas.max']:,}",
            usd(of["cost.usd_per_day"]),
            f"${of['cost.usd_per_request']:.5f}",
            share(within["ttft"]),
            share(within["e2e"]),
            share(of["utilization.busy_share"]),
        )
        for name, of, within in cases
    )
    heads = "fleet | replicas: | GPUs: | a day: | a reply: | first word within 2 s: | whole reply within 2 s: | busy:"
    return table(heads, *rows)


def the_day() -> tuple[Any, Callable[[Any], None]]:
    """chatgpt-2023 over the day: demand and supply, waits, money."""
    line = day().timeline
    hour = [at_s / 3600 for at_s in line["start_s"]]
    arrivals = [
        n / (end - start) for n, start, end in zip(line["arrivals"], line["start_s"], line["end_s"], strict=True)
    ]
    supply = day()["replicas.max"] / 1.35  # replies a second that the fleet can make, 1.35 s each
    p99_h = [value / 3600 for value in line["ttft_s_p99"]]
    hourly_usd, daily = line["usd_per_hour"], usd(day()["cost.usd_per_day"])
    used_usd = [usd * busy for usd, busy in zip(hourly_usd, line["busy_share"], strict=True)]

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 7.2)
        demand, wait, money = figure.subplots(3, 1, sharex=True)
        demand.plot(hour, arrivals, color=BLUE, label="arrive")
        demand.axhline(
            supply,
            color=INK,
            linewidth=1,
            linestyle="--",
            label=f"can be answered by {day()['replicas.max']} replicas",
        )
        short = [a > supply for a in arrivals]
        demand.fill_between(hour, arrivals, supply, where=short, color=RED, alpha=0.15, linewidth=0)
        demand.set_title(f"Replies a second: what is asked for, and what {daily} a day can make")
        demand.set_ylim(0, None)
        demand.legend(loc="upper left")
        wait.plot(hour, p99_h, color=RED)
        wait.fill_between(hour, p99_h, color=RED, alpha=0.15, linewidth=0)
        wait.set_title("Hours until the first word, by time of asking (99th percentile; the median is close)")
        wait.set_ylim(0, None)
        money.fill_between(hour, used_usd, color=GREEN, alpha=0.75, linewidth=0, label="replicas at work")
        money.fill_between(hour, used_usd, hourly_usd, color=FAINT, linewidth=0, label="replicas idle")
        money.set_title("Dollars an hour, paid either way")
        money.set_ylim(0, 5500)
        money.legend(loc="upper left", ncols=2)
        money.set_xlabel("hour of the day")
        money.set_xlim(0, 24)
        money.set_xticks(range(0, 25, 3))
        figure.tight_layout()

    shown = [[round(value, 6) for value in column] for column in (arrivals, p99_h, used_usd)]
    return shown, paint


def the_fleets() -> tuple[Any, Callable[[Any], None]]:
    """Dollars a day for the same replies, by fleet."""
    bars = [
        ("as estimated\n(174 replicas, hours of waiting)", day()["cost.usd_per_day"], RED),
        (
            f"one reply at a time\n({LEAST} replicas)",
            slots()["cost.usd_per_day"],
            BLUE,
        ),
        (
            f"batched, long prompts\n({batched()['replicas.max']} replicas)",
            batched()["cost.usd_per_day"],
            GREEN,
        ),
        (f"batched, short prompts\n({short()['replicas.max']} replicas)", short()["cost.usd_per_day"], GREEN),
    ]

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.0)
        axes = figure.subplots()
        places = range(len(bars), 0, -1)
        axes.barh(places, [a_day for _, a_day, _ in bars], color=[color for _, _, color in bars], height=0.62)
        axes.set_yticks(places, [name for name, _, _ in bars])
        for place, (_, a_day, _) in zip(places, bars, strict=True):
            axes.text(a_day + 2500, place, f"${a_day:,.0f}", va="center")
        axes.set_xlim(0, 225_000)
        axes.set_xticks(range(0, 225_000, 50_000))
        axes.xaxis.set_major_formatter(lambda value, _: f"${value:,.0f}")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        axes.set_title("Dollars a day for the same 11.1 million replies")
        figure.tight_layout()

    return [[name, a_day] for name, a_day, _ in bars], paint


PICTURES = {f"{DAY}.png": the_day, f"{DAY}-fleets.png": the_fleets, f"{DAY}-curve.png": the_curve}
