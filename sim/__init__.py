"""fleetcast: forecast the latency, utilization and cost of a GPU serving fleet before paying for it.

    >>> from sim import load, simulate
    >>> result = simulate(load("mmc"))
    >>> result.summary()["requests"]["rejected"]
    0

Four names are public here: `load`, `simulate`, `Scenario`, `Result`. They are imported when first used, so that
`import sim` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sim.version import VERSION

if TYPE_CHECKING:
    from sim.engine import simulate
    from sim.result import Result
    from sim.scenario import Scenario, load

__all__ = ["Result", "Scenario", "__version__", "load", "simulate"]


__version__ = VERSION

_HOME = {"Result": "sim.result", "Scenario": "sim.scenario", "load": "sim.scenario", "simulate": "sim.engine"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'sim' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
