"""What the pages quote from runs of `chatgpt-2023` and its batched twin; each run is made once, two at a time.

A page reaches these names in `<!--= ... -->`. Only small things are kept of a run: eleven million rows are a gigabyte.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.result import words

DAY = "chatgpt-2023"
BATCHED = "chatgpt-2023-batched"
SHORT = ("workload.prompt_tokens={kind: lognormal, mean: 40, cv: 1}",)
"""A question of 30 words and no history, instead of the prompts of the Azure trace."""
LIMIT_S = 2.0

# Where the search for the least fleet begins. The builder proves them (this many meet the SLO, one less does not), or
# finds the right ones by bisection.
GUESSES: dict[tuple[str, ...], int] = {(DAY,): 325, (BATCHED,): 48, (BATCHED, *SHORT): 3}

usd, duration, share, count = words.usd, words.duration, words.share, words.count


@dataclass(frozen=True)
class Run:
    """What is kept of a run."""

    summary: dict[str, Any]
    """Of a fleet that is looked at only to see that it is too small: its objectives alone."""
    timeline: dict[str, Any]
    hours: list[dict[str, float]]
    """By hour of arrival: arrivals, p50_s and p99_s of the queue wait, share within the limit, waiting at its end."""
    answered_in_day: int
    worst_at_s: float
    """When the one arrived who waits longest."""
    within: dict[str, float]
    """Share of all requests with this latency at or under two seconds."""

    @property
    def met(self) -> bool:
        return all(target["met"] for target in self.summary["slo"])

    def __getitem__(self, path: str) -> Any:
        """A number of the summary by its dotted path."""
        found: Any = self.summary
        for key in path.split("."):
            found = found[int(key)] if isinstance(found, list) else found[key]
        return found


@dataclass(frozen=True)
class Least:
    """The smallest fleet that meets a scenario's SLO: its run, and that of a fleet with one replica less."""

    replicas: int
    enough: Run
    below: Run


def run(name: str, sets: tuple[str, ...], whole: bool = True) -> Run:
    """Run a scenario and keep what the pages need; the day hour by hour and all numbers only if `whole`."""
    from sim import load, simulate
    from sim.result.latency import metric_s

    result = simulate(load(name, sets))
    rows = result.log.requests
    within = {metric: float(np.mean(metric_s(rows, metric) <= LIMIT_S)) for metric in ("queue_wait", "ttft", "e2e")}
    if whole:
        return _whole(result, within)
    targets = result.scenario.slo
    assert all(target.under_s == LIMIT_S for target in targets)
    slo = [
        {"metric": target.metric, "attained": within[target.metric], "met": within[target.metric] >= target.share}
        for target in targets
    ]
    return Run({"slo": slo}, {}, [], 0, 0.0, within)


def _whole(result: Any, within: dict[str, float]) -> Run:
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
    return Run(
        summary=result.summary(),
        timeline={name: column.tolist() for name, column in result.columns.items()},
        hours=hours,
        answered_in_day=int(np.count_nonzero(rows["finish_s"] < edges_s[-1])),
        worst_at_s=float(rows["arrival_s"][np.argmax(wait_s)]),
        within=within,
    )


def _fleet(replicas: int) -> str:
    return f"pools.chatgpt.autoscaler.replicas={replicas}"


@functools.cache
def _runs() -> tuple[Run, dict[tuple[str, ...], Least]]:
    """The day as it was estimated, and the least fleets."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
        as_estimated = executor.submit(run, DAY, ())
        pairs = {
            case: [
                executor.submit(run, case[0], (*case[1:], _fleet(n)), whole)
                for n, whole in ((guess, True), (guess - 1, False))
            ]
            for case, guess in GUESSES.items()
        }
        least = {case: _settled(case, *(job.result() for job in pair)) for case, pair in pairs.items()}
        return as_estimated.result(), least


def _settled(case: tuple[str, ...], enough: Run, below: Run) -> Least:
    """The least fleet, from the runs at the guess and below; by search if the guess is wrong."""
    guess = GUESSES[case]
    if enough.met and not below.met:
        return Least(guess, enough, below)

    @functools.cache
    def at(replicas: int) -> Run:
        return run(case[0], (*case[1:], _fleet(replicas)))

    return _searched(at, guess)


def _searched(at: Callable[[int], Run], guess: int) -> Least:
    low, high = guess, guess
    while at(low).met:
        low -= max(1, low // 10)
    while not at(high).met:
        high += max(1, high // 10)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if at(middle).met else (middle, high)
    return Least(high, at(high), at(low))


class _Lazy:
    """Stands for a run that is made when something is asked of it."""

    def __init__(self, get: Callable[[], Any]) -> None:
        self._get = get

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get(), name)

    def __getitem__(self, path: str) -> Any:
        return self._get()[path]


day: Any = _Lazy(lambda: _runs()[0])
slots: Any = _Lazy(lambda: _runs()[1][(DAY,)])
batched: Any = _Lazy(lambda: _runs()[1][(BATCHED,)])
short: Any = _Lazy(lambda: _runs()[1][(BATCHED, *SHORT)])


def clock(at_s: float) -> str:
    """A time of the day: `15:05`."""
    minutes = round(at_s / 60)
    return f"{minutes // 60 % 24}:{minutes % 60:02}"


def per_word(of: Run) -> str:
    """USD a word (or token), with four digits."""
    return f"${of['cost.usd_per_million_output_tokens'] / 1e6:.7f}"


def peak_waiting() -> int:
    """Most requests that wait, on average over five minutes."""
    return round(max(day.timeline["waiting"]))


def peak_waiting_at_s() -> float:
    return float(day.timeline["start_s"][int(np.argmax(day.timeline["waiting"]))])


def queue_begins_s() -> float:
    """When the five minutes begin in which, for the first time, half of the requests wait longer than two seconds."""
    wait_s = np.array(day.timeline["ttft_s_p50"]) - 0.045
    return float(day.timeline["start_s"][int(np.argmax(wait_s > LIMIT_S))])


def peak_rate() -> float:
    """Requests a second in the busiest hour."""
    return max(hour["arrivals"] for hour in day.hours) / 3600


def idle_usd() -> float:
    """What was paid for replicas while they had nothing to do."""
    return float(day["cost.total_usd"] * (1 - day["utilization.busy_share"]))


def hours_table() -> str:
    """The day hour by hour."""
    lines = [
        "| arrive from | requests | wait, median | wait, p99 | wait at most 2 s | waiting at the end |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for hour, row in enumerate(day.hours):
        cells = (
            f"{hour}:00",
            f"{row['arrivals']:,}",
            duration(row["p50_s"]),
            duration(row["p99_s"]),
            share(row["share"]),
            f"{row['waiting']:,}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def bill_table() -> str:
    """The run's bill against the published figures."""
    cost = day["cost"]
    rows = [
        ("a word", "$0.0003", per_word(day), cost["usd_per_million_output_tokens"] / 1e6, 0.0003),
        (
            "a reply",
            "about 1 cent (30 words: $0.009)",
            f"${cost['usd_per_request']:.5f}",
            cost["usd_per_request"],
            0.009,
        ),
        ("a day", "at least $100,000", usd(cost["usd_per_day"]), cost["usd_per_day"], 1e5),
        ("a month", "$3 million", usd(cost["usd_per_month"]), cost["usd_per_month"], 3e6),
    ]
    lines = ["| | published | this run | off by |", "| --- | ---: | ---: | ---: |"]
    for name, published, ours, value, wanted in rows:
        lines.append(f"| {name} | {published} | {ours} | {value / wanted - 1:+.2%} |")
    return "\n".join(lines)


def fleets_table() -> str:
    """Four fleets for the same replies, side by side."""
    cases = [
        ("as estimated: one reply at a time", day["replicas.max"], day),
        ("one reply at a time, enough replicas", slots.replicas, slots.enough),
        ("batched, prompts of 1,161 tokens", batched.replicas, batched.enough),
        ("batched, prompts of 40 tokens", short.replicas, short.enough),
    ]
    lines = [
        "| fleet | replicas | GPUs | a day | a reply | first word within 2 s | whole reply within 2 s | busy |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, replicas, of in cases:
        cost = of["cost"]
        cells = (
            name,
            f"{replicas}",
            f"{8 * replicas:,}",
            usd(cost["usd_per_day"]),
            f"${cost['usd_per_request']:.5f}",
            share(of.within["ttft"]),
            share(of.within["e2e"]),
            share(of["utilization.busy_share"]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
