"""The analytic twin of a run: what queueing theory says of a scenario, and how far a simulation is from it.

`twin(scenario)` needs no run. Each number says its method, what it assumes, and whether it is exact, an approximation
or a bound; where theory says nothing, it says why.
"""

from __future__ import annotations

from sim.result.twin.block import compared, theory_block
from sim.result.twin.fleet import Twin, twin
from sim.result.twin.told import PoolTwin, Told

__all__ = ["PoolTwin", "Told", "Twin", "compared", "theory_block", "twin"]
