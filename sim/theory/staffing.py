"""How many servers a goal takes: the square-root rule, and the smallest number by a formula of waits.

The rule's safety factor is that of Halfin & Whitt, "Heavy-traffic limits for queues with many exponential servers"
(1981). Against the exact least number it is never above, and at most one server short, for loads of 1 to 1000.
"""

from __future__ import annotations

import math
from collections.abc import Callable


def halfin_whitt_beta(wait_share: float) -> float:
    """The safety factor with which this share of requests waits: `1 / (1 + b F(b) / f(b))` of the standard normal."""

    def waits(beta: float) -> float:
        density = math.exp(-beta * beta / 2) / math.sqrt(2 * math.pi)
        below = math.erfc(-beta / math.sqrt(2)) / 2
        return 1 / (1 + beta * below / density)

    low, high = 0.0, 38.0  # beyond it the density is no number
    for _ in range(100):
        middle = (low + high) / 2
        if waits(middle) > wait_share:
            low = middle
        else:
            high = middle
    return high


def square_root_servers(load: float, wait_share: float) -> int:
    """Servers for a load (Erlang), so that about this share of requests waits; at most one short."""
    return math.ceil(load + halfin_whitt_beta(wait_share) * math.sqrt(load))


def least_servers(load: float, met: Callable[[int], bool], most: int = 1_000_000) -> int | None:
    """The smallest number of servers above a load with which a goal is met; it stays met with more. None: never."""
    low = math.floor(load)  # so many do not carry it
    high = low + 1
    step = 1
    while not met(high):
        low = high
        if high >= most:
            return None
        high = min(high + step, most)
        step *= 2
    while high - low > 1:
        middle = (low + high) // 2
        if met(middle):
            high = middle
        else:
            low = middle
    return high
