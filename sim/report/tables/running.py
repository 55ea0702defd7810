"""What is known while runs are still being made, in a few words: the number that matters most, and its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sim.result import words

if TYPE_CHECKING:
    from sim.study.replicated.record import Record

_TOLD: tuple[tuple[str, str, Callable[[float | None], str]], ...] = (
    ("latency.ttft_s.p99", "p99 TTFT", words.duration),
    ("latency.queue_wait_s.mean", "mean queue wait", words.duration),
    ("slo.0.attained", "within the first objective", words.share),
    ("cost.usd_per_day", "cost a day", words.usd),
)
"""The first that there is an interval of."""


def estimate(records: Sequence[Record]) -> str:
    """`p99 TTFT 615 ms (471 ms to 1.12 s)`; empty while nothing can be said, as of one run."""
    from sim.study.replicated.estimates import Estimates

    if len(records) < 2:
        return ""
    found = Estimates(list(records))
    for path, name, say in _TOLD:
        interval = found.of(path)
        if interval is not None and math.isfinite(interval.half_width) and interval.half_width > 0:
            return f"{name} {say(interval.estimate)} ({words.between(interval.low, interval.high, say)})"
    return ""


def difference(names: Sequence[str], records: Sequence[Sequence[Record]]) -> str:
    """`B: p99 TTFT -120 ms (-180 to -60 ms)`, what the first alternative has more of than the baseline."""
    from sim.study.compared.compare import so_far

    found = so_far(records[0], records[1])
    if found is None or not math.isfinite(found.more.half_width):
        return ""
    name, say = next(((name, say) for path, name, say in _TOLD if path == found.path), (found.path, words.count))
    sign = "+" if found.more.estimate > 0 else ""
    told = words.between(found.more.low, found.more.high, say)
    return f"{names[1]}: {name} {sign}{say(found.more.estimate)} ({told})"
