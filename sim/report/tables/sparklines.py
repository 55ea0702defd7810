"""Pictures of one line: numbers as blocks, from the smallest (the lowest block) to the largest, with both beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.result import words

BLOCKS = "▁▂▃▄▅▆▇█"
GAP = " "
"""Where there is no data."""
LONGEST = 60
"""Blocks of a line; more values than that share one."""

Say = Callable[[float | None], str]


@dataclass(frozen=True)
class Sparkline:
    """One number over time, or over a key."""

    name: str
    values: NDArray[np.float64]
    say: Say
    peaks: bool = False
    """Of values that share a block the largest counts, not their mean."""

    @property
    def varies(self) -> bool:
        """Whether there is something to be seen."""
        known = self.values[np.isfinite(self.values)]
        return bool(
            len(known) > 1 and known.max() / 2 - known.min() / 2 > 5e-10 * max(abs(known.max()), abs(known.min()))
        )

    @property
    def range(self) -> str:
        """`2 to 7`, `102 ms to 1.2 s`."""
        known = self.values[np.isfinite(self.values)]
        if not len(known):
            return words.MISSING
        return words.between(float(known.min()), float(known.max()), self.say)

    def blocks(self, width: int) -> str:
        """The picture, `width` characters or fewer."""
        return spark(shared(self.values, width, self.peaks))


def spark(values: NDArray[np.float64]) -> str:
    """A block a value, a gap for what is no number."""
    known = values[np.isfinite(values)]
    if not len(known):
        return GAP * len(values)
    low, high = (
        float(known.min()) / 2,
        float(known.max()) / 2,
    )  # halved: their difference may be more than a float holds
    top = len(BLOCKS) - 1

    def block(value: float) -> str:
        if not math.isfinite(value):
            return GAP
        return BLOCKS[round((value / 2 - low) / (high - low) * top) if high > low else 0]

    return "".join(map(block, values.tolist()))


def shared(values: NDArray[np.float64], most: int, peaks: bool = False) -> NDArray[np.float64]:
    """At most so many values, each of as many neighbours as any other (one more or less): their mean or largest."""
    if len(values) <= most:
        return values
    edges = np.linspace(0, len(values), most + 1).round().astype(int)
    found = np.full(most, np.nan)
    for place in range(most):
        part = values[edges[place] : edges[place + 1]]
        part = part[np.isfinite(part)]
        if len(part):
            found[place] = part.max() if peaks else part.mean()
    return found


def over_time(columns: Mapping[str, NDArray[np.float64]]) -> list[Sparkline]:
    """What of a run's timeline changes: load where the fleet follows it, queue, replicas, p99 TTFT and cost."""
    length_s = columns["end_s"] - columns["start_s"]
    rate = np.divide(columns["offered"], length_s, out=np.full(len(length_s), np.nan), where=length_s > 0)
    found = [
        Sparkline("requests waiting", columns["waiting"], words.count, peaks=True),
        Sparkline("replicas ready", columns["replicas"], words.count),
        Sparkline("p99 TTFT", columns["ttft_s_p99"], words.duration, peaks=True),
        Sparkline("cost an hour", columns["usd_per_hour"], words.usd),
    ]
    found = [each for each in found if each.varies]
    if any(each.name == "replicas ready" for each in found):
        found.insert(0, Sparkline("requests arriving", rate, lambda value: f"{words.count(value)}/s"))
    return found


def lines(found: Sequence[Sparkline], width: int) -> list[str]:
    """Lines of at most `width` characters, one below the other; nothing where that is too narrow for a picture."""
    names, ranges = (max((len(text) for text in texts), default=0) for texts in _columns(found))
    room = min(width - names - ranges - 4, LONGEST)
    if room < 8:
        return []
    drawn = [(each.name, each.blocks(room), each.range) for each in found]
    wide = max((len(blocks) for _, blocks, _ in drawn), default=0)
    return [f"{name:<{names}}  {blocks:<{wide}}  {told}" for name, blocks, told in drawn]


def _columns(found: Sequence[Sparkline]) -> tuple[list[str], list[str]]:
    return [each.name for each in found], [each.range for each in found]
