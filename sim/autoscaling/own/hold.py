"""Holding back removals: replicas go only when fewer have been wanted for a while."""

from __future__ import annotations

Held = tuple[float, int]
"""Since when fewer than the current replicas are wanted, in seconds, and the most that were wanted since."""


def hold_down(wanted: int, current: int, at_s: float, delay_s: float, held: Held | None) -> tuple[int, Held | None]:
    """How many replicas to keep, and what to remember.

    Fewer than `current` only after `delay_s` in which fewer were wanted all the time: then the most of that time. A
    wish for `current` or more starts the time again, and so does a removal.
    """
    if wanted >= current:
        return wanted, None
    since_s, most = held or (at_s, wanted)
    most = max(most, wanted)
    if at_s - since_s < delay_s:
        return current, (since_s, most)
    return most, None
