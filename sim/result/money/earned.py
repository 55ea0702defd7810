"""What the requests of a run have earned, by entry of the scenario's `revenue` and by stream."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.model.tables import COMPLETED
from sim.pricing.revenue import Revenue, Use, together
from sim.result.groups import Group, meant

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.result.window import Window
    from sim.scenario import Scenario


@dataclass(frozen=True)
class Earned:
    """What one entry came to."""

    entry: Revenue
    use: Use
    """Of all the requests that it is about."""
    usd_by_stream: tuple[float, ...]

    @property
    def usd(self) -> float:
        """All of it."""
        return math.fsum(self.usd_by_stream)


def earned(scenario: Scenario, log: RunLog, window: Window) -> list[Earned]:
    """What each entry of `revenue` came to with the requests of a window, in the order of the file."""
    if not scenario.revenue:
        return []
    uses = _uses(log, window)
    return [_earned(entry, uses, _places(log, entry)) for entry in scenario.revenue]


def usd_of(found: list[Earned], group: Group) -> float:
    """What the streams of a group have earned."""
    return math.fsum(
        usd
        for one in found
        for usd, counts in zip(one.usd_by_stream, _of(group, len(one.usd_by_stream)), strict=True)
        if counts
    )


def _earned(entry: Revenue, uses: list[Use], places: list[int]) -> Earned:
    own = [uses[place] for place in places]
    usd = dict(zip(places, entry.split(own), strict=True))
    return Earned(entry, together(own), tuple(usd.get(place, 0.0) for place in range(len(uses))))


def _places(log: RunLog, entry: Any) -> list[int]:
    """The streams that an entry is about: at least one, as scenarios name nobody else."""
    return [place for place, counts in enumerate(_of(meant(log, entry), len(log.streams))) if counts]


def _of(group: Group, streams: int) -> list[bool]:
    return [True] * streams if group.streams is None else [bool(counts) for counts in group.streams]


def _uses(log: RunLog, window: Window) -> list[Use]:
    """What the requests of a window came to, by stream."""
    if log.tally is not None:
        return [Use(window.length_s, *counts) for counts in log.tally.uses()]
    rows = log.logical[window.rows]
    answered = rows["outcome"] == COMPLETED

    def count(weights: Any) -> list[float]:
        found: list[float] = np.bincount(rows["stream"], weights=weights, minlength=len(log.streams)).tolist()
        return found

    columns = [count(np.ones(len(rows))), count(answered)]
    columns += [
        count(np.where(answered, rows[name], 0)) for name in ("prompt_tokens", "cached_tokens", "output_tokens")
    ]
    return [Use(window.length_s, *values) for values in zip(*columns, strict=True)]
