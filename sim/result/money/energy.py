"""What owned GPUs draw: by the hour, from how loaded the replicas on them are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.pricing.hourly import mean_between
from sim.pricing.power import Electricity
from sim.pricing.spans import HOUR_S
from sim.result.fleet import integrals_at
from sim.result.money.flow import Array, Flow, share_of

if TYPE_CHECKING:
    from sim.result.log import RunLog

JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class Drawn:
    """Energy of some GPUs, cooling included."""

    kwh: Flow
    usd: Flow
    co2_kg: Flow | None
    """None where the grid's carbon is not said."""


def bins_s(log: RunLog) -> Array:
    """The bins in which load is known: those of the samples, cut at whole hours, where tariffs change."""
    end_s = float(log.edges_s[-1])
    hours_s = np.arange(1, int(end_s // HOUR_S) + 1) * HOUR_S
    edges_s = np.unique(np.concatenate((log.samples["at_s"], hours_s, (0.0, end_s))))
    return edges_s[edges_s <= end_s]


def running(log: RunLog, place: int, gpus: Flow, power: Electricity, edges_s: Array) -> Drawn:
    """Energy of GPUs that replicas of a pool are on: idle power, and more the more these have to do."""
    used = {name: np.diff(column) for name, column in integrals_at(log.samples, edges_s, [place]).items()}
    busy = share_of(used["busy_s"], used["ready_s"])
    # how full the batch is while there is one: seats taken of the seats of busy replicas
    batch = np.clip(share_of(share_of(used["running_s"], used["seats_s"]), busy), 0.0, 1.0)
    return _drawn(gpus, power.watts.drawn(busy, batch), power, edges_s)


def parked(gpus: Flow, power: Electricity, edges_s: Array) -> Drawn:
    """Energy of GPUs that no replica has."""
    return _drawn(gpus, np.full(len(edges_s) - 1, power.watts.off_w), power, edges_s)


def _drawn(gpu_s: Flow, watts: Array, power: Electricity, edges_s: Array) -> Drawn:
    kwh = gpu_s.bins(edges_s) * watts * (power.pue / JOULES_PER_KWH)
    co2 = power.co2_g_per_kwh
    return Drawn(
        kwh=Flow.of_parts(edges_s, kwh),
        usd=Flow.of_parts(edges_s, kwh * mean_between(power.tariff, edges_s)),
        co2_kg=None if co2 is None else Flow.of_parts(edges_s, kwh * mean_between(co2, edges_s) / 1000),
    )
