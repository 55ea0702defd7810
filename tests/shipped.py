"""Runs of the scenarios that ship, for the tests of what is claimed of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from sim import load, simulate


@cache
def told(name: str, *sets: str) -> dict[str, Any]:
    """The summary of a scenario with these changes, run once."""
    return simulate(load(name, sets)).summary()
