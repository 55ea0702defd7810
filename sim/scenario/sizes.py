"""How many parts a scenario may have: what is checked one against another must not take longer than a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any

from sim.config.said import Problems

__all__ = ["MOST", "too_many"]

MOST: Mapping[tuple[str, ...], int] = {
    ("pools",): 200,
    ("workload", "streams"): 1_000,
    ("classes",): 500,
    ("tenants",): 2_000,
    ("routes",): 1_000,
    ("slo",): 500,
    ("assert",): 500,
    ("slowness",): 500,
    ("revenue",): 500,
    ("contracts",): 500,
}
"""The most entries under each of these keys."""


def too_many(given: Mapping[Any, Any]) -> Problems:
    """The keys of a scenario that hold more than they may."""
    found: Problems = []
    for keys, most in MOST.items():
        value: Any = given
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, Sized) and not isinstance(value, str) and len(value) > most:
            found.append((keys, f"holds {len(value):,} entries; at most {most:,} are simulated together"))
    return found
