"""How fast the service spends what an objective allows it to miss. Owns the block `error_budget` of a summary.

An objective of 99 % allows one request in a hundred to miss: that is its error budget, here of the measured window.
The burn rate is the share of misses over the share that is allowed: at 1 the budget lasts just as long as its window.
Alerts are those of Beyer et al., "The Site Reliability Workbook" (O'Reilly 2018), chapter 5, for budgets of 30 days:
a page when 14.4 times the rate has been seen over an hour and over its last 5 minutes (2 % of the budget), or 6 times
over 6 hours and 30 minutes (5 %); a ticket at 1 times over 3 days and 6 hours (10 %).

A run is often shorter than these windows. Then all windows are shorter by one factor, which makes the longest window of
a page as long as the run, and tickets are left out; the rates are kept. Windows are of whole bins of the timeline, as
many as it takes, and look back as far as there is something measured, as those of a service that has just begun.

Requests count when they come, whenever it is seen that they miss; one that is not served is a miss.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.result.groups import limited_to, meant
from sim.result.latency import metric_s, within
from sim.result.window import Window, measured_window

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.scenario import Scenario, Target

Floats = NDArray[np.float64]

HOUR_S = 3600.0
ALERTS = (
    ("page", 14.4, HOUR_S, HOUR_S / 12),
    ("page", 6.0, 6 * HOUR_S, HOUR_S / 2),
    ("ticket", 1.0, 72 * HOUR_S, 6 * HOUR_S),
)
"""What it does, the burn rate, and the long and the short window over which it must hold."""
FULL_S = 6 * HOUR_S
"""Runs of at least this have the windows of the book."""
WORST_S = 300.0
WORST_SHARE = 0.1
"""The worst stretch is 5 minutes, or a tenth of a short run."""


@dataclass(frozen=True)
class Spending:
    """What an objective came to over time: counts by bin, shape (bins,) each, between edges, shape (bins + 1,)."""

    edges_s: Floats
    came: Floats
    """Requests that the objective is about, by when they come."""
    missed: Floats
    """Of those, the ones that are not within it."""
    allowed_share: float
    """Of the requests, those that may miss."""

    @property
    def allowed(self) -> float:
        """Requests that may miss in the whole window: the budget."""
        return self.allowed_share * float(self.came.sum())

    def spent_share(self) -> Floats:
        """Of the budget of the whole window, what is spent at the end of each bin, shape (bins,)."""
        spent = np.cumsum(self.missed)
        return np.asarray(spent / self.allowed if self.allowed > 0 else np.where(spent > 0, np.inf, 0.0))

    def burn(self, length_s: float) -> Floats:
        """The burn rate over the last `length_s` before the end of each bin, shape (bins,); NaN where nothing came."""
        from_s = self.edges_s[1:] - length_s * (1 - 1e-9)
        first = np.maximum(np.searchsorted(self.edges_s, from_s, side="right") - 1, 0)
        came, missed = (np.concatenate(([0.0], np.cumsum(part))) for part in (self.came, self.missed))
        last = np.arange(1, len(self.edges_s))
        seen, lost = came[last] - came[first], missed[last] - missed[first]
        share = np.divide(lost, seen, out=np.full(len(seen), np.nan), where=seen > 0)
        return np.asarray(share / self.allowed_share)


def error_budget_block(scenario: Scenario, log: RunLog) -> list[dict[str, Any]]:
    """By objective that allows misses at all, in the scenario's order: what was spent of its budget, and how fast.

    `metric`, `under_s`, `share` (and `class`, `tenant`) as in `slo`; `requests` it is about; `allowed` and `missed` of
    them; `spent_share` (1: all of the budget); `exhausted_at_s` (None: never); `worst`: the stretch with most misses
    (`from_s`, `to_s`, `requests`, `missed`, `burn_rate`); `alerts` (see `alerts`). None where no request came.
    """
    window = measured_window(scenario, log)
    found = []
    for place, target in enumerate(scenario.slo):
        if target.share < 1:
            found.append(_entry(target, spending(scenario, log, place, window), window.length_s))
    return found


def spending(scenario: Scenario, log: RunLog, place: int, window: Window | None = None) -> Spending:
    """What the objective at a place of the scenario's came to over the time of the window."""
    window = measured_window(scenario, log) if window is None else window
    target = scenario.slo[place]
    edges_s = np.append(window.start_s, log.edges_s[log.edges_s > window.start_s])
    if log.tally is not None:
        came, met = log.tally.budget(place, edges_s)
    else:
        rows = log.logical[window.rows]
        good = within(rows, metric_s(rows, target.metric), target.metric, target.under_s)
        limit = meant(log, target).mask(rows)
        # the last bin is closed: without a horizon the last arrival is at its end
        came, met = (
            np.histogram(rows["arrival_s"] if mask is None else rows["arrival_s"][mask], edges_s)[0].astype(np.float64)
            for mask in (limit, good if limit is None else good & limit)
        )
    return Spending(edges_s, came, came - met, 1 - target.share)


def scale_of(length_s: float) -> float:
    """What the windows of the book are multiplied with for a run of this length."""
    return min(1.0, length_s / FULL_S)


def _entry(target: Target, spent: Spending, length_s: float) -> dict[str, Any]:
    requests, missed = float(spent.came.sum()), float(spent.missed.sum())
    limits = {name: limit for name, limit in zip(("class", "tenant"), limited_to(target), strict=True) if limit}
    shares = spent.spent_share()
    over = np.flatnonzero(shares > 1 + 1e-12)
    return {
        "metric": target.metric,
        **limits,
        "under_s": target.under_s,
        "share": target.share,
        "requests": round(requests),
        "allowed": spent.allowed,
        "missed": round(missed),
        "spent_share": float(shares[-1]) if requests else None,
        "exhausted_at_s": float(spent.edges_s[over[0] + 1]) if len(over) else None,
        "worst": _worst(spent, length_s) if missed else None,
        "alerts": list(alerts(spent, length_s)),
    }


def _worst(spent: Spending, length_s: float) -> dict[str, Any]:
    """The stretch of whole bins with most misses, at least as long as the worst is to be; the first of several."""
    long_s = min(WORST_S, WORST_SHARE * length_s)
    edges_s, missed = spent.edges_s, np.concatenate(([0.0], np.cumsum(spent.missed)))
    last = np.minimum(np.searchsorted(edges_s, edges_s[:-1] + long_s * (1 - 1e-9)), len(edges_s) - 1)
    whole = edges_s[last] - edges_s[:-1] >= long_s * (1 - 1e-9)  # what the end cuts short is no stretch of its own
    lost = np.where(whole, missed[last] - missed[:-1], -1.0)
    first = int(np.argmax(lost))
    came = float(spent.came[first : last[first]].sum())
    return {
        "from_s": float(edges_s[first]),
        "to_s": float(edges_s[last[first]]),
        "requests": round(came),
        "missed": round(float(lost[first])),
        "burn_rate": float(lost[first]) / came / spent.allowed_share if came else None,
    }


def alerts(spent: Spending, length_s: float) -> Iterator[dict[str, Any]]:
    """What each alert would have done: `kind`, `burn_rate`, `long_s`, `short_s`, `fired` (times), `first_at_s`,
    `firing_s` (together), and the most that it can see, `most_burn_rate`: everything missed.
    """
    scale = scale_of(length_s)
    for kind, rate, long_s, short_s in ALERTS:
        if kind == "ticket" and length_s < long_s:
            continue
        long_s, short_s = scale * long_s, scale * short_s
        firing = fires(spent, rate, long_s, short_s)
        starts = np.flatnonzero(firing & ~np.concatenate(([False], firing[:-1])))
        yield {
            "kind": kind,
            "burn_rate": rate,
            "long_s": long_s,
            "short_s": short_s,
            "fired": len(starts),
            "first_at_s": float(spent.edges_s[starts[0] + 1]) if len(starts) else None,
            "firing_s": math.fsum(np.diff(spent.edges_s)[firing].tolist()),
            "most_burn_rate": 1 / spent.allowed_share,
        }


def fires(spent: Spending, rate: float, long_s: float, short_s: float) -> NDArray[np.bool_]:
    """Whether an alert fires at the end of each bin, shape (bins,): both windows are at its rate or above."""
    with np.errstate(invalid="ignore"):
        firing = (spent.burn(long_s) >= rate) & (spent.burn(short_s) >= rate)
    # before there is as much as the short window looks at nobody is woken
    return np.asarray(firing & (spent.edges_s[1:] - spent.edges_s[0] >= short_s * (1 - 1e-9)))
