"""By what the GPUs of a pool were paid, or could have been: the layers of a load-duration curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.pricing.contracts import SavingsPlan
from sim.result.money.flow import Array

if TYPE_CHECKING:
    from sim.result.money.bill import Bill

MOST_STEPS = 400
"""Of a curve: more are averaged over equal shares of the time."""


@dataclass(frozen=True)
class Layers:
    """Paid GPUs, the time with most of them first."""

    shares: Array
    """Edges of the steps as shares of the time, from 0 to 1, shape (n + 1,)."""
    gpus: dict[str, Array]
    """By what pays for them, from the bottom up, shape (n,) each: `owned`, `capacity_block`, `reserved`,
    `savings_plan`, `on_demand`, `spot`; and `unused`, which is paid for and not there. Only what there is."""


def paid_layers(bill: Bill, pool: str) -> Layers | None:
    """What paid for the GPUs of a pool. None for a window or a pool without any."""
    usage = bill.usage
    rows = np.array([make.pool == pool for make in usage.makes], np.bool_)
    left = usage.gpus[rows].copy()
    found: dict[str, Array] = {}
    unused = np.zeros(left.shape[1])
    for one in bill.covered:
        kind, own = one.contract.kind, one.gpus[rows]
        found[kind] = found.get(kind, 0.0) + own.sum(axis=0)
        left -= own
        if one.contract.covers(pool) and not isinstance(one.contract, SavingsPlan):
            pools = [name for name in bill.pools if one.contract.covers(name)]
            # what several pools leave unused is nobody's alone: the picture of each has its even part
            unused += one.unused_gpus / len(pools)
    spot = np.array([make.terms.market == "spot" for make in usage.makes], np.bool_)[rows]
    found |= {"on_demand": left[~spot].sum(axis=0), "spot": left[spot].sum(axis=0), "unused": unused}
    length_s = np.diff(np.clip(usage.edges_s, bill.window_s[0], bill.window_s[1]))
    return _sorted(found, length_s)


def laddered(gpus: Array, length_s: Array, reserved_gpus: float, interruptible_share: float) -> Layers | None:
    """The layers of the ladder for a demand: so many reserved, on spot what may be, the rest on demand."""
    used = np.minimum(gpus, reserved_gpus)
    spot = np.minimum(gpus - used, interruptible_share * gpus)
    on_demand = gpus - used - spot
    found = {"reserved": used, "on_demand": on_demand, "spot": spot, "unused": reserved_gpus - used}
    return _sorted(found, length_s)


def _sorted(gpus: dict[str, Array], length_s: Array) -> Layers | None:
    """Layers by falling use; equal steps that follow one another are one."""
    there = length_s > 0
    if not there.any():
        return None
    table = np.round(np.array([values[there] for values in gpus.values()]), 6)
    use = table[[name != "unused" for name in gpus]].sum(axis=0)
    order = np.lexsort((*table, -use))
    table, length_s = table[:, order], length_s[there][order]
    first = np.flatnonzero(np.concatenate(([True], np.any(np.diff(table, axis=1) != 0, axis=0))))
    lasted_s, table = np.add.reduceat(length_s, first), table[:, first]
    upto = np.concatenate(([0.0], np.cumsum(lasted_s))) / lasted_s.sum()
    if len(lasted_s) > MOST_STEPS:
        amounts = np.concatenate((np.zeros((len(table), 1)), np.cumsum(table * np.diff(upto), axis=1)), axis=1)
        edges = np.linspace(0.0, 1.0, MOST_STEPS + 1)
        table = np.array([np.diff(np.interp(edges, upto, row)) for row in amounts]) * MOST_STEPS
        upto = edges
    kept = {name: values for name, values in zip(gpus, table, strict=True) if values.any()}
    return Layers(upto, kept) if kept else None
