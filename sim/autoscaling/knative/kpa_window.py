"""Averages over windows of one-second buckets, as Knative's autoscaler keeps them. Recording gives a new window.

Source: pkg/autoscaler/aggregation/bucketing.go, knative/serving@98e5ef90.
"""

from __future__ import annotations

import math
from typing import NamedTuple

_LEAST_COEFFICIENT = 0.2
_WEIGHT_LEFT = 1.0 - 0.9999
"""Share of the weight that a weighted average may leave to the time before its window."""


class Window(NamedTuple):
    """The values of consecutive seconds, the newest last; never more of them than the window is long."""

    last: int
    """The second of the newest value."""
    values: tuple[float, ...]
    """From the first write on (at most a window ago) to `last`; seconds between writes hold 0."""


EMPTY = Window(-(10**12), ())


def recorded(window: Window, length: int, first: int, last: int, value: float) -> Window:
    """The window with `value` in each second from `first` to `last`, added to what those seconds hold.

    A silence of a whole window forgets everything; a shorter one leaves zeros. What is as old as the window is ignored.
    """
    gap = first - window.last - 1
    if gap < 0:
        for second in range(first, last + 1):
            window = _added(window, length, second, value)
        return window
    new = (value,) * min(last - first + 1, length)
    if gap + 1 >= length:
        return Window(last, new)
    return Window(last, (window.values + (0.0,) * gap + new)[-length:])


def _added(window: Window, length: int, second: int, value: float) -> Window:
    """One value in one second, whichever it is."""
    if second > window.last:
        return recorded(window, length, second, second, value)
    back = window.last - second
    if back >= length:
        return window
    values = window.values
    values = (0.0,) * (back + 1 - len(values)) + values  # an earlier first write than the one so far
    at = len(values) - 1 - back
    return Window(window.last, (*values[:at], values[at] + value, *values[at + 1 :]))


def is_empty(window: Window, length: int, second: int) -> bool:
    """Whether there is nothing to go by: no write yet, or none for longer than the window."""
    return second - window.last > length


def average(window: Window, length: int, second: int) -> float:
    """The mean of the buckets as seen at `second`, cut to six decimals.

    A part of a window divides by its own length; silent seconds at its end count neither above nor below the line;
    silence of a whole window gives 0.
    """
    silent = max(0, second - window.last)
    count = min(len(window.values), length - silent)
    if count <= 0:
        return 0.0
    values = window.values if count == len(window.values) else window.values[-count:]
    return math.floor(sum(values) / count * 1e6) / 1e6


def coefficient(buckets: int) -> float:
    """The weight of the newest of so many buckets in the weighted average; each older one weighs (1 - this) less."""
    return max(1.0 - math.pow(_WEIGHT_LEFT, 1.0 / buckets), _LEAST_COEFFICIENT)


def weighted_average(window: Window, length: int, second: int) -> float:
    """The exponentially weighted mean of the buckets as seen at `second`; missing and silent seconds count as 0."""
    silent = max(0, second - window.last)
    count = min(len(window.values), length - silent)
    if count <= 0:
        return 0.0
    share = coefficient(length)
    weight = share * (1.0 - share) ** silent
    total = 0.0
    for value in reversed(window.values[-count:]):
        total += weight * value
        weight *= 1.0 - share
    return total
