"""What a replica's time costs: the terms of each make of a pool, and how paid time is rounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sim.pricing import SpotProcess
    from sim.scenario import Pool

_ALMOST = 1e-9
"""Of a granule: a life of 15 s that adds up to 15.000000001 s is not billed as 16."""


@dataclass(frozen=True)
class Terms:
    """What one make of a pool's replicas is paid by, if no contract covers it."""

    gpus_per_replica: int
    usd_per_replica_hour: float
    """The mean, where the price moves."""
    granularity_s: float = 0.0
    """A life is billed in multiples of this; 0: to the instant."""
    minimum_s: float = 0.0
    """And for at least as long as this."""
    offer: str = "on_demand"
    market: str = "on_demand"
    region: str = ""
    gpu: str = ""
    """The GPU's name; empty where the pool names none."""
    priced: bool = True
    """Whether any price is known."""
    moves: SpotProcess | None = None
    """How its price moves; None: it does not."""


def terms(pool: Pool) -> tuple[Terms, ...]:
    """The terms of a pool's replicas by their `make`: its offers in order, then the same for each later version."""
    counted = pool.billing
    found = []
    for version in pool.versions:
        for offer in pool.offers:
            make = version.as_offered(offer)
            spot = make.listed.spot if make.listed is not None and offer.market == "spot" else None
            found.append(
                Terms(
                    make.gpus_per_replica,
                    make.usd_per_replica_hour,
                    counted.granularity_s,
                    counted.minimum_s,
                    offer.name,
                    offer.market,
                    offer.region,
                    make.gpu.name if make.gpu is not None else "",
                    make.priced,
                    None if spot is None or isinstance(spot, float | int) else spot,
                )
            )
    return tuple(found)


def billed_s(lasted_s: NDArray[np.float64], granularity_s: float, minimum_s: float) -> NDArray[np.float64]:
    """Seconds billed for lives of these lengths, same shape: at least the minimum, rounded up to the granularity.

    Never less than what was used; a life without an end (inf) has none on the bill either.
    """
    billed = np.maximum(lasted_s, minimum_s)
    if granularity_s > 0:
        billed = np.ceil(billed / granularity_s - _ALMOST) * granularity_s
    return np.maximum(billed, lasted_s)


def paid_until_s(spans: NDArray[np.void], pools: dict[int, Pool]) -> NDArray[np.float64]:
    """When the paid time of each life ends, shape (spans,): when it is gone, or a little later by the rounding.

    `pools`: place -> pool; lives of other pools just until they are gone. A life that was never launched is not paid.
    """
    until_s: NDArray[np.float64] = spans["gone_s"].copy()
    for place, pool in pools.items():
        for make, term in enumerate(terms(pool)):
            ended = (spans["pool"] == place) & (spans["make"] == make)
            ended &= np.isfinite(spans["gone_s"]) & np.isfinite(spans["launched_s"])
            launched_s = spans["launched_s"][ended]
            lasted_s = spans["gone_s"][ended] - launched_s
            rounded_s = launched_s + billed_s(lasted_s, term.granularity_s, term.minimum_s)
            until_s[ended] = np.maximum(until_s[ended], rounded_s)
    return until_s
