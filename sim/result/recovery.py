"""Does the service come back after a burst? Owns the block `recovery` of a summary, and what is called metastable.

A system is in a metastable failure when a trigger has gone, the load is one that it carried before, and its goodput
stays down all the same, because something that the failure itself makes (retries above all) keeps it there: Bronson,
Aghayev, Charapko and Zhu, "Metastable Failures in Distributed Systems", HotOS 2021; Huang et al., "Metastable Failures
in the Wild", OSDI 2022. So three things must hold together here, from a burst's end to the horizon:

- what is offered (requests, not their attempts) is at most 110 % of what was carried before;
- of the requests that come, the share that is answered in time is below 90 % of what it was before the burst;
- the service is not just slow to recover. A queue that is worked off is served at capacity: more is answered, late or
  not, than comes. One that stays because there is no room to work it off has all that comes answered, once and late.
  A failure that feeds itself does neither: requests go unanswered, or are answered only because they are sent again.

Goodput is counted by when requests come, not by when their answers do: a request of this minute that is answered in
the next one then counts where it belongs, and a share is never above 1. What a run that ends soon after a burst would
have come to is not known, and nothing is claimed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import COMPLETED
from sim.result.bursts import Burst, bursts
from sim.result.latency import good_rows
from sim.result.window import measured_window

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.scenario import Scenario, Target

Floats = NDArray[np.float64]

NORMAL_SHARE = 0.9
"""Back to normal from this share of the goodput before the burst on."""
LOAD_SHARE = 1.1
"""The load is back when it is at most this share of what was carried before."""
LEAST_PER_LOOK = 50
"""Requests that usually come in a look: with fewer, shares are chance."""
END_SHARE = 0.25
"""How the service ends is how it is in this last part of the measured time."""
STAYS_LOOKS = 3
"""It is back when so many looks in a row are, and all that follows together."""
WATCH_BURSTS = 3.0
"""After a burst the service is watched for as many times its length, or it is not known what becomes of it."""

RECOVERED, SLOW, OVERLOADED, UNKNOWN, METASTABLE = "recovered", "slow", "overloaded", "unknown", "metastable"
FROM_GOOD_TO_BAD = (UNKNOWN, RECOVERED, OVERLOADED, SLOW, METASTABLE)


@dataclass(frozen=True)
class Looks:
    """Counts over time, shape (looks,) each, between edges, shape (looks + 1,)."""

    edges_s: Floats
    offered: Floats
    """Requests that come."""
    in_time: Floats
    """Of those, the ones that are answered within what was promised, by when they come."""
    answered: Floats
    """Requests that are answered, late or not, by when that is."""
    sent: Floats
    """Attempts, by when they are sent."""

    def total(self, name: str, first: int, last: int) -> float:
        return float(getattr(self, name)[first:last].sum())

    def share(self, name: str, first: int, last: int) -> float:
        """Of what is offered there."""
        offered = self.total("offered", first, last)
        return self.total(name, first, last) / offered if offered else math.nan


def recovery_block(scenario: Scenario, log: RunLog) -> dict[str, Any] | None:
    """What became of the service after its worst burst; None for a run without bursts.

    `burst` (`from_s`, `to_s`, `offered_per_s`, `usual_per_s`); `goodput_before_share`, `goodput_after_share` (of the
    requests that come, those answered in time; after: in the second half of what was watched); `load_after_share` (of
    the rate that was carried before); `attempts_after` (of a request); `watched_s`; `recovered_after_s` (None: not in
    this run); `state` (one of `recovered`, `slow`, `overloaded`, `unknown`, `metastable`); `metastable`.
    """
    edges_s = log.edges_s[log.edges_s >= min(scenario.warmup_s, log.edges_s[-1])]
    edges_s = look_edges(edges_s, _arrivals(log, edges_s))
    if not bursts(_arrivals(log, edges_s).astype(np.float64), edges_s):
        return None
    return judged(looks_of(log, scenario.slo, edges_s))


def _arrivals(log: RunLog, edges_s: Floats) -> NDArray[np.int64]:
    """Requests that come between edges, shape (edges - 1,)."""
    if log.tally is not None:
        return log.tally.binned("came", edges_s)
    return np.diff(np.searchsorted(log.logical["arrival_s"], edges_s))


def in_time_at_end_share(scenario: Scenario, log: RunLog) -> float | None:
    """Of the requests that come in the last quarter of the measured time, those answered in time."""
    if log.tally is not None:
        return log.tally.in_time_at_end_share
    window = measured_window(scenario, log)
    rows = log.logical[window.rows]
    rows = rows[rows["arrival_s"] >= window.end_s - END_SHARE * window.length_s]
    return float(good_rows(log, rows, scenario.slo).mean()) if len(rows) else None


def looks_of(log: RunLog, targets: Sequence[Target], edges_s: Floats) -> Looks:
    """A run's counts between edges."""
    if log.tally is not None:
        offered, in_time, answered = log.tally.looks(edges_s)
        return Looks(edges_s, offered, in_time, answered, sent=offered)
    rows = log.logical

    def count(at_s: Floats) -> Floats:
        return np.histogram(at_s, edges_s)[0].astype(np.float64)

    return Looks(
        edges_s,
        offered=count(rows["arrival_s"]),
        in_time=count(rows["arrival_s"][good_rows(log, rows, targets)]),
        answered=count(rows["finish_s"][rows["outcome"] == COMPLETED]),
        sent=count(log.requests["arrival_s"]),
    )


def judged(looks: Looks) -> dict[str, Any] | None:
    """The block of the burst with the worst end; of those that the service recovered from, the one it took longest."""
    found = bursts(looks.offered, looks.edges_s)
    blocks = [_block(looks, episode) for episode in _episodes(looks, found)]
    return max(blocks, key=_badness, default=None)


def _badness(block: dict[str, Any]) -> tuple[int, float]:
    return FROM_GOOD_TO_BAD.index(block["state"]), block["recovered_after_s"] or 0.0


@dataclass(frozen=True)
class _Episode:
    """A burst, and those that follow before the service is back."""

    trigger: Burst
    end: int
    """The look after the last of them."""
    burst_s: float
    """How long they are, together."""
    normal: float
    """Of the requests before, those answered in time."""
    back: int | None
    """The look from which the service is as it was; None: not in this run."""


def _episodes(looks: Looks, found: Sequence[Burst]) -> list[_Episode]:
    episodes: list[_Episode] = []
    place = 0
    while place < len(found):
        trigger, burst_s, back = found[place], 0.0, None
        since = found[place - 1].last if place else 0
        normal = looks.share("in_time", since, trigger.first)
        while back is None and place < len(found):
            burst = found[place]
            place += 1
            until = found[place].first if place < len(found) else len(looks.offered)
            burst_s += float(looks.edges_s[burst.last] - looks.edges_s[burst.first])
            back = back_at(looks, burst.last, until, normal)
        if trigger.first - since >= STAYS_LOOKS and normal > 0:
            episodes.append(_Episode(trigger, burst.last, burst_s, normal, back))
    return episodes


def back_at(looks: Looks, first: int, last: int, normal: float) -> int | None:
    """The first look of [first, last) from which the share of requests answered in time is normal, and stays so.

    None: it does not, or there are fewer looks than it takes to see it.
    """
    offered = np.maximum(looks.offered[first:last], 1.0)
    # a share of so many requests scatters by chance
    slack = 3 * np.sqrt(normal * (1 - normal) / offered)
    good = looks.in_time[first:last] / offered >= NORMAL_SHARE * normal - slack
    for at in range(len(good) - STAYS_LOOKS + 1):
        if good[at : at + STAYS_LOOKS].all() and looks.share("in_time", first + at, last) >= NORMAL_SHARE * normal:
            return first + at
    return None


def _block(looks: Looks, of: _Episode) -> dict[str, Any]:
    edges_s = looks.edges_s
    tail = (of.end + (len(looks.offered) - of.end) // 2, len(looks.offered))
    state = _state(looks, of, tail)
    empty = looks.total("offered", *tail) == 0
    return {
        "burst": {
            "from_s": float(edges_s[of.trigger.first]),
            "to_s": float(edges_s[of.end]),
            "offered_per_s": of.trigger.offered_per_s,
            "usual_per_s": of.trigger.usual_per_s,
        },
        "goodput_before_share": of.normal,
        "goodput_after_share": None if empty else looks.share("in_time", *tail),
        "load_after_share": None if empty else _load_share(looks, of, tail),
        "attempts_after": None if empty else looks.share("sent", *tail),
        "watched_s": float(edges_s[-1] - edges_s[of.end]),
        "recovered_after_s": None if of.back is None else float(edges_s[of.back] - edges_s[of.end]),
        "state": state,
        "metastable": state == METASTABLE,
    }


def _state(looks: Looks, of: _Episode, tail: tuple[int, int]) -> str:
    """What the service is from the burst's end to the horizon; `tail` is the second half of that."""
    if of.back is not None:
        return RECOVERED
    watched_s = looks.edges_s[-1] - looks.edges_s[of.end]
    seen = watched_s >= WATCH_BURSTS * of.burst_s and tail[1] - tail[0] >= STAYS_LOOKS
    if not seen or looks.total("offered", *tail) < LEAST_PER_LOOK:
        return UNKNOWN
    if _load_share(looks, of, tail) > LOAD_SHARE:
        return OVERLOADED
    return SLOW if _works_it_off(looks, of, tail) else METASTABLE


def _works_it_off(looks: Looks, of: _Episode, tail: tuple[int, int]) -> bool:
    """Whether what is late is only what the burst has left."""
    offered, answered = looks.total("offered", *tail), looks.total("answered", *tail)
    chance = 3 * math.sqrt(offered)
    if answered >= offered + chance:
        return True
    more_attempts = looks.share("sent", *tail) - looks.share("sent", 0, of.trigger.first)
    if answered >= NORMAL_SHARE * offered and more_attempts < 1 - NORMAL_SHARE:
        return True
    middle = (tail[0] + tail[1]) // 2
    earlier, later = looks.share("in_time", tail[0], middle), looks.share("in_time", middle, tail[1])
    return later - earlier >= (1 - NORMAL_SHARE) * of.normal + chance / offered


def _load_share(looks: Looks, of: _Episode, tail: tuple[int, int]) -> float:
    """What is offered in the tail, of the most that was answered in time over a few looks before the burst."""
    edges_s = looks.edges_s
    over = np.ones(STAYS_LOOKS)
    before = slice(0, of.trigger.first)
    counts = np.convolve(looks.in_time[before], over, "valid")
    carried_per_s = float((counts / np.convolve(np.diff(edges_s)[before], over, "valid")).max())
    return looks.total("offered", *tail) / float(edges_s[tail[1]] - edges_s[tail[0]]) / carried_per_s


def look_edges(edges_s: Floats, offered: NDArray[Any]) -> Floats:
    """Edges of bins, as many of which make a look as it takes for enough requests to come."""
    usual = float(np.median(offered)) if len(offered) else 0.0
    bins = max(1, math.ceil(LEAST_PER_LOOK / max(usual, 1e-9))) if usual else max(1, len(offered))
    looks = len(offered) // bins  # what is left over goes to the last one
    return np.append(edges_s[: looks * bins : bins], edges_s[-1]) if looks else edges_s[[0, -1]]
