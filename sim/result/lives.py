"""The stretches of time that replicas' lives are made of, and how many replicas are in one of them at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.result.latency import statistics
from sim.result.log import FAILED, RECLAIMED, WHY, ZONE_OUTAGE

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.result.window import Window

TAKEN = (FAILED, ZONE_OUTAGE, RECLAIMED)
"""Ends that nobody asked for."""

BOOT_STATISTICS = ("mean", "p50", "p99", "max")


@dataclass(frozen=True)
class Stretches:
    """Stretches of time, each of one replica: where they begin and end, shape (n,). One that begins at inf is none."""

    from_s: NDArray[np.float64]
    to_s: NDArray[np.float64]

    def bins_s(self, edges_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Replica-seconds in each bin between `edges_s` (non-decreasing), shape (bins,).

        What is there at a bin's first edge, for the whole bin, and the rest of the bin for each that begins or ends in
        it: small terms only, so a short bin is exact however late in the run it is.
        """
        real = self.to_s > self.from_s
        came, left = (_Changes.of(times_s[real], edges_s) for times_s in (self.from_s, self.to_s))
        there = np.cumsum(came.count - left.count)[: len(edges_s) - 1]
        return there * np.diff(edges_s) + (came.rest_s - left.rest_s)[1 : len(edges_s)]


@dataclass(frozen=True)
class _Changes:
    """Instants by bin: how many, and the seconds left in the bin after each, summed. Bin 0 is before the first edge."""

    count: NDArray[np.int64]
    rest_s: NDArray[np.float64]

    @staticmethod
    def of(times_s: NDArray[np.float64], edges_s: NDArray[np.float64]) -> _Changes:
        close_s = np.append(edges_s, np.inf)
        place = np.searchsorted(edges_s, times_s, side="right")
        inside = place < len(edges_s)
        rest_s = close_s[place[inside]] - times_s[inside]
        bins = len(edges_s) + 1
        count = np.bincount(place, minlength=bins).astype(np.int64)
        return _Changes(count, np.bincount(place[inside], weights=rest_s, minlength=bins).astype(np.float64))


@dataclass(frozen=True)
class Stages:
    """Where the time of some lives goes, from launched to the end of the bill. No instant is in two of these."""

    booting: Stretches
    """Launched and not ready yet (of those that never were, too)."""
    lost_booting: Stretches
    """The same of lives that were taken before they were ready."""
    serving: Stretches
    """Ready and not draining; times down are in it."""
    draining: Stretches
    """From draining to gone; times down are in it."""
    down_serving: Stretches
    down_draining: Stretches
    rounding: Stretches
    """From gone to the end of the bill."""


def stages(log: RunLog, until_s: NDArray[np.float64], chosen: NDArray[np.bool_]) -> Stages:
    """The stages of the chosen lives of a run; `until_s`: the end of each life's bill. Both of shape (spans,)."""
    spans = log.spans[chosen]
    ready_s, gone_s, launched_s = spans["ready_s"], spans["gone_s"], spans["launched_s"]
    draining_s = np.maximum(spans["draining_s"], ready_s)
    taken = np.isinf(ready_s) & np.isin(spans["why"], TAKEN)
    boots_until_s = np.minimum(ready_s, gone_s)
    down = log.down[chosen[log.down["span"]]]
    life = log.spans[down["span"]]
    begins_s, back_s = np.maximum(down["from_s"], life["ready_s"]), np.minimum(down["to_s"], life["gone_s"])
    drains_s = np.maximum(life["draining_s"], life["ready_s"])
    return Stages(
        booting=Stretches(launched_s[~taken], boots_until_s[~taken]),
        lost_booting=Stretches(launched_s[taken], boots_until_s[taken]),
        serving=Stretches(ready_s, np.minimum(draining_s, gone_s)),
        draining=Stretches(draining_s, gone_s),
        down_serving=Stretches(begins_s, np.minimum(back_s, drains_s)),
        down_draining=Stretches(np.maximum(begins_s, drains_s), back_s),
        rounding=Stretches(np.maximum(gone_s, launched_s), until_s[chosen]),
    )


def lives_block(log: RunLog, window: Window, group: int | None) -> dict[str, Any]:
    """The `lives` block of one pool (its index) or of the whole fleet (None): what happened to replicas in the window.

    `boot_s`: from order to ready, of the replicas that became ready in the window; those that were there when the run
    began did not boot.
    """
    spans, downs = log.spans, log.down
    if group is not None:
        downs = downs[spans["pool"][downs["span"]] == group]
        spans = spans[spans["pool"] == group]

    def within(at_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.asarray((at_s >= window.start_s) & (at_s < window.end_s))

    ended = np.bincount(spans["why"][within(spans["gone_s"])], minlength=len(WHY))
    got_ready = within(spans["ready_s"])
    booted = spans[got_ready & (spans["ready_s"] > 0)]
    boot_s = statistics(booted["ready_s"] - booted["ordered_s"])
    return {
        "ordered": int(within(spans["ordered_s"]).sum()),
        "ready": int(got_ready.sum()),
        **{name: int(number) for name, number in list(zip(WHY, ended, strict=True))[1:]},
        "repaired": int(within(downs["from_s"]).sum()),
        "boot_s": {name: boot_s[name] for name in BOOT_STATISTICS},
    }
