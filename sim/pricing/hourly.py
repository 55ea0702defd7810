"""Figures that may differ by hour of the day: 24 of them, from midnight on; a run begins at midnight, hour 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator

from sim.config.said import said
from sim.pricing.spans import DAY_S, HOUR_S, HOURS


def several_or(plain: str) -> Discriminator:
    """Tells a list (tag `by_hour`) from anything else (the tag given)."""
    return Discriminator(lambda value: "by_hour" if isinstance(value, list | tuple) else plain)


def of_a_day(values: tuple[float, ...]) -> tuple[float, ...]:
    """The values, which must be one for each hour. Raises a complaint otherwise."""
    if len(values) != HOURS:
        raise said(f"must be {HOURS} values, one for each hour of the day; got {len(values)}")
    return values


def mean_between(figure: float | Sequence[float], edges_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of a figure in each bin between `edges_s` (increasing, shape (bins + 1,)), shape (bins,).

    An hourly figure is constant within the hour, so its integral is linear between whole hours and the means are exact.
    """
    if isinstance(figure, float | int):
        return np.full(len(edges_s) - 1, float(figure))
    of_day = np.concatenate(([0.0], np.cumsum(figure))) * HOUR_S
    days, rest_s = np.divmod(edges_s, DAY_S)
    upto = days * of_day[-1] + np.interp(rest_s, np.arange(HOURS + 1) * HOUR_S, of_day)
    length_s = np.diff(edges_s)
    means: NDArray[np.float64] = np.divide(np.diff(upto), length_s, out=np.zeros_like(length_s), where=length_s > 0)
    return means
