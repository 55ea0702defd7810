"""The waste ledger: where the paid time of a fleet went. Every paid second is in exactly one entry.

- `useful`: the work that was done: what the requests would take of replicas that are full all the time. A replica that
  batches works on almost without a pause and is seldom full; the rest of its time could have served more;
- `wasted`: the same of work done for attempts whose clients had gone, or sent them again: given up, timed out, failed;
- `cold_start`: launched and not ready yet;
- `floor`: spare time that the policy's minimum alone keeps there (all of it in a fixed fleet);
- `cool_down`: spare time of replicas above what load alone asked for at the policy's last decision: its stabilisation
  windows, rate limits and cooldowns keep them;
- `headroom`: the other spare time: the policy wants it for the load;
- `drain`: from draining to gone, work on a replica that takes no more of it;
- `failed`: down and repaired in place, or taken before it was ever ready;
- `rounding`: billed after the replica was gone, by the granularity and the minimum of the bill;
- `unused`: paid under a contract, and no replica had it; what is charged because too little was spent, too;
- `egress`: no time, but what sending the answers cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.result.lives import Stages, Stretches, stages
from sim.result.money import billing
from sim.result.work import work_done_s, work_wasted_s

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.result.money.bill import Bill
    from sim.result.window import Window
    from sim.scenario import Pool

ENTRIES = (
    "useful",
    "wasted",
    "cold_start",
    "headroom",
    "cool_down",
    "floor",
    "drain",
    "failed",
    "rounding",
    "unused",
    "egress",
)
_READY = ("useful", "wasted", "floor", "cool_down", "headroom")
"""What the ready time is split into."""
_NOISE = 1e-9
"""Relative: less idle time than this beside the ready time is a rounding error of sums."""


def ledger(log: RunLog, pools: Mapping[int, Pool], window: Window, bill: Bill) -> dict[str, dict[str, Any]]:
    """The `ledger` block of a set of pools (place -> pool): `gpu_hours` and `usd`, each by entry.

    The entries add up to `cost.total_usd`, and to `replicas.gpu_hours` with those that nobody used. USD are None where
    a price is not known. An hour costs as much as the hours of its make do on average, contracts and energy included.
    """
    gpu_hours, usd = np.zeros(len(ENTRIES)), np.zeros(len(ENTRIES))
    for place, pool in pools.items():
        name = log.pools[place]
        for number, (term, spent_s) in enumerate(_spent(log, place, pool, window)):
            gpu_hours += spent_s / 3600 * term.gpus_per_replica
            if spent_s.sum() > 0:
                usd += spent_s / spent_s.sum() * bill.of_make(name, number)
        gpu_hours[ENTRIES.index("unused")] += bill.unused_gpu_hours(name)
        usd[ENTRIES.index("unused")] += bill.of_what(name, "unused", "shortfall", "energy")
        usd[ENTRIES.index("egress")] += bill.of_what(name, "egress")
    priced = bill.unknown.isdisjoint(log.pools[place] for place in pools)
    return {
        "gpu_hours": dict(zip(ENTRIES, gpu_hours.tolist(), strict=True)),
        "usd": dict(zip(ENTRIES, usd.tolist(), strict=True)) if priced else dict.fromkeys(ENTRIES),
    }


def _spent(log: RunLog, place: int, pool: Pool, window: Window) -> list[tuple[billing.Terms, NDArray[np.float64]]]:
    """By make of a pool: its terms, and its paid replica-seconds by entry, shape (entries,).

    The work done is known of the pool, not of its makes: each has its part of the pool's ready time, and so have those
    that drain.
    """
    own = log.spans["pool"] == place
    until_s = billing.paid_until_s(log.spans, {place: pool})
    edges_s, proposed = _seen(log, place, window)
    done_s, wasted_s = np.diff(work_done_s(log, place, edges_s)), np.diff(work_wasted_s(log, place, edges_s))
    if log.work[place].s_per_service_s > 0:
        wasted_s = np.clip(wasted_s, 0.0, done_s)  # slots: what they are taken for, all of it
        done_s = done_s - wasted_s
    makes = [stages(log, until_s, own & (log.spans["make"] == make)) for make in range(len(billing.terms(pool)))]
    ready_s = [_less(seen.serving, seen.down_serving, edges_s) for seen in makes]
    drain_s = np.sum([_less(seen.draining, seen.down_draining, edges_s) for seen in makes], axis=0)
    floor = pool.autoscaler.floor_replicas
    serving_s = np.sum(ready_s, axis=0)
    part = np.divide(serving_s, serving_s + drain_s, out=np.zeros_like(serving_s), where=serving_s > 0)
    done_s, wasted_s = _fitted(done_s * part, np.maximum(wasted_s * part, 0.0), serving_s)
    shares = _shares(serving_s, done_s, wasted_s, proposed, floor, np.diff(edges_s))
    spent = []
    for term, seen, made_s in zip(billing.terms(pool), makes, ready_s, strict=True):
        entries = {name: float(share @ made_s) for name, share in shares.items()} | _outside(seen, edges_s[[0, -1]])
        spent.append((term, np.array([entries.get(name, 0.0) for name in ENTRIES])))
    return spent


def _fitted(
    done_s: NDArray[np.float64], wasted_s: NDArray[np.float64], ready_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Work done and wasted in each bin, no more together than there was time: work is told by formula, time is not."""
    both_s = done_s + wasted_s
    fits = np.divide(ready_s, both_s, out=np.ones_like(both_s), where=(both_s > ready_s) & (wasted_s > 0))
    return np.minimum(done_s * fits, ready_s), wasted_s * fits


def _seen(log: RunLog, place: int, window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The window cut at every sample and decision of a pool.

    Edges, shape (bins + 1,); by bin, what the policy's last decision proposed (inf before the first: then nothing is
    too much).
    """
    sampled_s = log.samples["at_s"][log.samples["pool"] == place]
    decided = [row for row in log.decisions if row.pool == log.pools[place]]
    decided_s = np.array([row.at_s for row in decided])
    at_s = np.unique(np.concatenate((sampled_s, decided_s)))
    inside = at_s[(at_s > window.start_s) & (at_s < window.end_s)]
    edges_s = np.concatenate(([window.start_s], inside, [window.end_s]))
    proposed = np.array([np.inf, *(row.wanted if row.proposed is None else row.proposed for row in decided)])
    last = np.searchsorted(decided_s, edges_s[:-1], side="right")
    return edges_s, proposed[last]


def _shares(
    ready_s: NDArray[np.float64],
    done_s: NDArray[np.float64],
    wasted_s: NDArray[np.float64],
    proposed: NDArray[np.float64],
    floor: int,
    length_s: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """What the ready time of each bin went to, as shares of it; all arguments but `floor` by bin, in (replica-)seconds.

    Idle time is split in order: what the minimum keeps there, then what is above the proposal, then the rest.
    """
    full = ready_s - (done_s + wasted_s) <= _NOISE * ready_s
    useful_s = np.maximum(np.where(full, ready_s - wasted_s, done_s), 0.0)
    idle_s = np.where(full, 0.0, ready_s - useful_s - wasted_s)
    floor_s = np.minimum(idle_s, np.maximum(floor * length_s - useful_s - wasted_s, 0.0))
    floor_s = np.where(idle_s - floor_s <= _NOISE * ready_s, idle_s, floor_s)
    rest_s = idle_s - floor_s
    # where the proposal is below the minimum, all that the minimum does not keep is above it: no need to say so
    wanted_s = np.where(np.isinf(proposed), ready_s, proposed * length_s)
    cool_down_s = np.minimum(rest_s, np.maximum(ready_s - wanted_s, 0.0))
    parts = (useful_s, wasted_s, floor_s, cool_down_s, rest_s - cool_down_s)
    shares = [np.divide(part_s, ready_s, out=np.zeros_like(ready_s), where=ready_s > 0) for part_s in parts]
    return dict(zip(_READY, shares, strict=True))


def _outside(seen: Stages, whole_s: NDArray[np.float64]) -> dict[str, float]:
    """Replica-seconds of the window that are paid and not ready, by entry."""

    def of(*parts: Stretches) -> float:
        return float(sum(part.bins_s(whole_s)[0] for part in parts))

    return {
        "cold_start": of(seen.booting),
        "drain": float(_less(seen.draining, seen.down_draining, whole_s)[0]),
        "failed": of(seen.lost_booting, seen.down_serving, seen.down_draining),
        "rounding": of(seen.rounding),
    }


def _less(all_: Stretches, without: Stretches, edges_s: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(all_.bins_s(edges_s) - without.bins_s(edges_s), 0.0)


def waste(block: dict[str, Any]) -> dict[str, float]:
    """The shares of a block's paid GPU-hours by entry; empty where nothing was paid."""
    hours: dict[str, float] = block["ledger"]["gpu_hours"]
    total = sum(hours.values())
    return {name: part / total for name, part in hours.items()} if total > 0 else {}


def changes(block: dict[str, Any]) -> bool:
    """Whether a block is of a fleet that changed, or may have: one with more to tell than work and idle time."""
    still = ("useful", "wasted", "floor", "unused", "egress")
    return any(share > _NOISE for name, share in waste(block).items() if name not in still)


def worth_telling(block: dict[str, Any]) -> bool:
    """Whether a block's ledger says more than its utilization: the fleet changed, worked or was paid for nobody."""
    return changes(block) or any(waste(block).get(name, 0.0) > _NOISE for name in ("wasted", "unused"))
