"""fleetcast: forecast the latency, utilization and cost of a GPU serving fleet before paying for it.

    >>> from sim import load, simulate
    >>> result = simulate(load("mmc"))
    >>> result.summary()["requests"]["rejected"]
    0

Public here, and kept from version to version as the scenario keys are: `load`, `simulate`, `Scenario`, `Result` for one
run; `replicate` for many of one scenario, `compare` for several scenarios on the same random numbers, `grid` and
`sweep` for one scenario along its keys. They are imported when first used, so that `import sim` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sim.version import VERSION

if TYPE_CHECKING:
    from sim.engine import simulate
    from sim.result import Result
    from sim.scenario import Scenario, load
    from sim.study.compared.compare import compare
    from sim.study.replicated.replications import replicate
    from sim.study.swept.sweep import grid, sweep

__all__ = ["Result", "Scenario", "__version__", "compare", "grid", "load", "replicate", "simulate", "sweep"]


__version__ = VERSION

_HOME = {
    "Result": "sim.result",
    "Scenario": "sim.scenario",
    "compare": "sim.study.compared.compare",
    "grid": "sim.study.swept.sweep",
    "load": "sim.scenario",
    "replicate": "sim.study.replicated.replications",
    "simulate": "sim.engine",
    "sweep": "sim.study.swept.sweep",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'sim' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
