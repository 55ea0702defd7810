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


def deciding() -> dict[str, str]:
    """Those without which a run would not be the same to the last bit."""
    found = software()
    major, minor, *_ = found["python"].split(".")
    return {name: found[name] for name in ("fleetcast", "numpy", "numba")} | {"python": f"{major}.{minor}"}


def _installed(name: str) -> str:
    try:
        return metadata.version(name) or "unknown"  # its files may be damaged
    except metadata.PackageNotFoundError:
        return "unknown"
