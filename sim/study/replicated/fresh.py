"""Seeds for runs whose numbers are shown: never those that a search has looked at.

What a search picks is picked partly for its luck with the runs it saw, so these flatter it. Numbers that are told of a
choice come from runs with random numbers of their own, whose seed follows from the scenario's: anybody gets them again
with `fleetcast run FILE --set seed=... --replications N`.
"""

from __future__ import annotations

FRESH = 1_000_000_007
"""Steps between the seeds: a prime, so that no small number of steps leads from one usual seed to another."""
_SEEDS = 2**63


def fresh_seed(seed: int, nth: int = 1) -> int:
    """The seed of the runs that verify what runs with this one have found; `nth`: of another verification."""
    return (seed + nth * FRESH) % _SEEDS
