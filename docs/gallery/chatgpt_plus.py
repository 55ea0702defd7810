"""What `chatgpt-plus.md` quotes: the day with subscribers first, with nobody first, and with more subscribers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gallery_runs import Told, duration, run_block, share, table, told
from palette import BLUE, GREEN, INK, RED

NAME = "chatgpt-plus"
EQUAL = "classes.free.priority=0"
RATE = 12.9
"""Requests a second, of everybody."""
BINS = 48


def _by_half_hour(result: Any) -> dict[str, list[float]]:
    """By stream and half hour of asking: the 99th percentile of TTFT, of those who are answered, in seconds."""
    from sim.result.latency import metric_s

    rows = result.log.logical
    ttft_s, half = metric_s(rows, "ttft"), (rows["arrival_s"] // 1800).astype(int)
    found = {}
    for place, stream in enumerate(result.scenario.workload.stream_names):
        answered = (rows["stream"] == place) & np.isfinite(ttft_s)
        found[stream] = [float(np.quantile(ttft_s[answered & (half == each)], 0.99)) for each in range(BINS)]
    return found


def first(paid: float = 0.1) -> Told:
    """Subscribers go first, and send this share of the requests."""
    if paid == 0.1:
        return told(NAME, keep=_by_half_hour)
    rates = {"paid": paid * RATE, "free": (1 - paid) * RATE}
    return told(NAME, *(f"workload.streams.{name}.arrivals.rate={rate:.4g}/s" for name, rate in rates.items()))


def equal() -> Told:
    """Nobody goes first."""
    return told(NAME, EQUAL, keep=_by_half_hour)


def block() -> str:
    """The run as it ships."""
    return run_block(NAME, lines=11, keep=_by_half_hour)


def unserved(of: Told, kind: str) -> float:
    """The share of a class that is turned away or leaves."""
    requests = of[f"classes.{kind}.requests"]
    return float(1 - requests["completed"] / requests["arrived"])


def classes_table() -> str:
    """Each class, by who goes first and by how many pay."""
    cases = [
        ("nobody first, 10 % paid", equal()),
        ("paid first, 10 % paid", first()),
        ("paid first, 50 % paid", first(0.5)),
    ]
    rows = (
        (
            case,
            duration(of["classes.paid.latency.ttft_s.mean"]),
            duration(of["classes.paid.latency.ttft_s.p99"]),
            duration(of["classes.free.latency.ttft_s.mean"]),
            duration(of["classes.free.latency.ttft_s.p99"]),
            share(unserved(of, "free")),
        )
        for case, of in cases
    )
    return table(" | paid, mean: | paid, p99: | free, mean: | free, p99: | free, no answer:", *rows)


def subscribers() -> int:
    """How many at $20 a month pay for the fleet."""
    return round(first()["economics.break_even_users"])


def paid_a_day() -> float:
    """Paid requests a day for each of so many."""
    return float(first()["classes.paid.requests.arrived"] / subscribers())


def the_waits() -> tuple[Any, Callable[[Any], None]]:
    """The 99th percentile of the time to the first word over the day, by class, with and without priority."""
    runs = {"subscribers first": first().kept, "nobody first": equal().kept}
    hours = [(half + 0.5) / 2 for half in range(BINS)]
    shown = {
        case: {kind: [round(value, 6) for value in line] for kind, line in of.items()} for case, of in runs.items()
    }

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 5.4)
        paid, free = figure.subplots(2, 1, sharex=True)
        for axes, kind, colour in ((paid, "paid", GREEN), (free, "free", RED)):
            axes.plot(hours, runs["nobody first"][kind], color=INK, linestyle="--", linewidth=1.2, label="nobody first")
            axes.plot(hours, runs["subscribers first"][kind], color=colour, label="subscribers first")
            axes.set_ylim(0, None)
            axes.legend(loc="upper left")
        paid.axhline(2, color=BLUE, linewidth=0.8)
        paid.set_title("Paid: seconds to the first word (99th percentile; the promise is 2 s)")
        free.set_title("Free: seconds to the first word, of those who get one (99th percentile)")
        free.set_xlabel("hour of the day")
        free.set_xlim(0, 24)
        free.set_xticks(range(0, 25, 3))
        figure.tight_layout()

    return shown, paint


PICTURES = {f"{NAME}.png": the_waits}
