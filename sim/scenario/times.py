"""Rates and shares that a pool may give as a number, as a law, or by hour of the day, and what is drawn of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import numpy as np
from pydantic import AfterValidator, Tag

from sim.config.units import RATE, PositiveBandwidth, Share
from sim.pricing.hourly import of_a_day, several_or
from sim.pricing.spans import HOUR_S, HOURS
from sim.workload.distributions import bandwidths
from sim.workload.durations import law_or
from sim.workload.law import Distribution

_NEVER_DAYS = 1e9
"""Beyond every run; there, an hour later is soon the same number."""


_Hazard = Annotated[float, RATE.between(0, 1)]
"""Once a second: a fleet that loses its replicas faster than that answers nobody, and takes for ever to simulate."""


if TYPE_CHECKING:
    AnyBandwidth: TypeAlias = float | Distribution[float]
    HourlyShare: TypeAlias = float | tuple[float, ...]
    HourlyRate: TypeAlias = float | tuple[float, ...]
else:
    AnyBandwidth = Annotated[
        Annotated[PositiveBandwidth, Tag("bandwidth")] | Annotated[bandwidths(), Tag("law")], law_or("bandwidth")
    ]
    HourlyShare = Annotated[
        Annotated[Share, Tag("share")] | Annotated[tuple[Share, ...], AfterValidator(of_a_day), Tag("by_hour")],
        several_or("share"),
    ]
    HourlyRate = Annotated[
        Annotated[_Hazard, Tag("rate")] | Annotated[tuple[_Hazard, ...], AfterValidator(of_a_day), Tag("by_hour")],
        several_or("rate"),
    ]


def drawn(law: float | Distribution[float], rng: np.random.Generator) -> float:
    """One draw, in base units; a number is itself and takes nothing from `rng`."""
    return float(law.draw(rng, 1)[0]) if isinstance(law, Distribution) else float(law)


def mean(law: float | Distribution[float]) -> float:
    """The mean, in base units."""
    return law.mean_value if isinstance(law, Distribution) else float(law)


def at_hour(values: float | Sequence[float], at_s: float) -> float:
    """The value at a time of the run, which begins at midnight (hour 0)."""
    return values if isinstance(values, int | float) else values[int(at_s // HOUR_S) % HOURS]


def event_s(rate_per_s: float | Sequence[float], from_s: float, exponential: float) -> float:
    """When the next event of a Poisson process comes, its rate constant or by hour of the day; infinite if never.

    `exponential` is a draw of mean 1: the event comes when the integral of the rate has reached it, which is exact.
    """
    if isinstance(rate_per_s, int | float):
        return from_s + exponential / rate_per_s if rate_per_s > 0 else math.inf
    a_day = math.fsum(rate_per_s) * HOUR_S
    if a_day == 0.0:
        return math.inf
    days, left = divmod(exponential, a_day)
    if days > _NEVER_DAYS:
        return math.inf
    at_s = from_s + days * HOURS * HOUR_S
    while True:
        hour = at_s // HOUR_S
        rate, end_s = rate_per_s[int(hour) % HOURS], (hour + 1) * HOUR_S
        if rate * (end_s - at_s) >= left and rate > 0:
            return at_s + left / rate
        left -= rate * (end_s - at_s)
        at_s = end_s
