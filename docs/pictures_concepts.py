"""The pictures of `concepts.md`: the way of a request, waits against load, a cold start."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import facts_concepts
from palette import AMBER, BLUE, GREEN, INK, RED

Picture = tuple[Any, Callable[[Any], None]]


def way() -> Picture:
    """A bar a request: waiting, prefill, decode."""
    rows = facts_concepts.way()
    parts = (
        ("arrival_s", "start_s", AMBER, "waits"),
        ("start_s", "first_token_s", BLUE, "prefill: the prompt is read"),
        ("first_token_s", "finish_s", GREEN, "decode: a token an iteration"),
    )
    shown = [[round(row[name], 4) for name in ("arrival_s", "start_s", "first_token_s", "finish_s")] for row in rows]

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.4)
        axes = figure.subplots()
        for start, end, colour, name in parts:
            spans = [row[end] - row[start] for row in rows]
            axes.barh(range(1, len(rows) + 1), spans, left=[row[start] for row in rows], color=colour, label=name)
        axes.invert_yaxis()
        axes.set(xlabel="seconds", ylabel="request", title="Four seats on one replica", xlim=(0, None))
        axes.legend(loc="lower left")
        figure.tight_layout()

    return shown, paint


def load() -> Picture:
    """p99 of the wait against load: a dot a run, a line through the medians."""
    waits = facts_concepts.waits()

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.4)
        axes = figure.subplots()
        for share, each in waits.items():
            axes.plot([share * 100] * len(each), each, "o", color=BLUE, markersize=3.5, alpha=0.6)
        middle = [median(each) for each in waits.values()]
        axes.plot([share * 100 for share in waits], middle, color=INK, linewidth=1.6, label="median of the runs")
        axes.plot([], [], "o", color=BLUE, markersize=3.5, label="one run of an hour")
        axes.set(xlabel="load, % of what ten servers can do", ylabel="p99 of the wait, s", ylim=(0, None))
        axes.set_title("Waits explode near saturation, and so does chance")
        axes.legend(loc="upper left")
        figure.tight_layout()

    return {str(share): each for share, each in waits.items()}, paint


def cold() -> Picture:
    """Load and replicas above, the queue below."""
    columns = facts_concepts.cold()

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 4.2)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        minutes = [start / 60 for start in columns["start_s"]]
        spans = zip(columns["start_s"], columns["end_s"], strict=True)
        rates = [count / (end - start) for count, (start, end) in zip(columns["arrivals"], spans, strict=True)]
        both = [ready + booting for ready, booting in zip(columns["replicas"], columns["booting"], strict=True)]
        upper.fill_between(minutes, both, columns["replicas"], step="post", color=AMBER, label="booting")
        upper.fill_between(minutes, columns["replicas"], step="post", color=GREEN, alpha=0.45, label="ready")
        upper.plot(minutes, rates, color=INK, linewidth=0.9, label="load")
        upper.set_title("Replicas: what is ordered when the load comes is ready five minutes later")
        upper.legend(loc="upper left", ncols=3)
        upper.set_ylim(0, 16)
        lower.fill_between(minutes, columns["waiting"], step="post", color=RED, alpha=0.7)
        lower.set(xlabel="minutes", title="Requests waiting")
        figure.tight_layout()

    return columns, paint


PICTURES = {"concepts-request.png": way, "concepts-load.png": load, "concepts-cold-start.png": cold}
