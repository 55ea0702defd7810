"""Metamorphic relations of whole scenarios: what a change of the scenario must, and must not, change in its run.

The numbers are those of the project's list of relations (docs/reliability.md says which test holds which); those of
the bare model are in `tests/property/test_metamorphic.py`.
"""

from __future__ import annotations

from collections import Counter

from sim import Result
from sim.scenario import Scenario
from tests.swarm.relations.changes import Relation, Told
from tests.swarm.relations.degenerate import DEGENERATE
from tests.swarm.relations.one_server import ONE_SERVER
from tests.swarm.relations.prices import PRICES
from tests.swarm.relations.renamed import NAMES
from tests.swarm.relations.same_run import SAME
from tests.swarm.relations.theorems import THEOREMS
from tests.swarm.relations.timing import TIMING

__all__ = ["FOR_FEW", "RELATIONS", "hold"]

RELATIONS: dict[str, Relation] = SAME | NAMES | PRICES | DEGENERATE
"""Two of them are tried on each scenario."""
FOR_FEW: dict[str, Relation] = THEOREMS | ONE_SERVER | TIMING
"""Tried on each scenario that they apply to."""


def hold(scenario: Scenario, result: Result, told: Told, seed: int | None, counts: Counter[str]) -> None:
    """Try the theorems, which few scenarios are for, and two of the others, by the seed; all of them without one."""
    every = list(RELATIONS.items())
    some = every if seed is None else [every[(seed + place) % len(every)] for place in (0, len(every) // 2)]
    for name, relation in [*some, *FOR_FEW.items()]:
        if relation(scenario, result, told):
            counts[name] += 1
