"""Which software made a result."""

from __future__ import annotations

import platform
from importlib import metadata

from sim.version import VERSION


def version() -> str:
    """The version of fleetcast."""
    return VERSION


def software() -> dict[str, str]:
    """The versions that decide a run's numbers."""
    found = {"fleetcast": version(), "python": platform.python_version()}
    return found | {name: _installed(name) for name in ("numpy", "numba", "simpy", "pyarrow")}


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"
