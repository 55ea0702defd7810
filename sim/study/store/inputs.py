"""What runs depend on beside the text of their scenario: the data files that it names, and the libraries."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sim.result.provenance import deciding
from sim.scenario import RULES, Scenario


def libraries() -> dict[str, str]:
    """The versions, other than fleetcast's own, that decide the numbers of a run."""
    return {name: version for name, version in deciding().items() if name != "fleetcast"}


def data_of(scenarios: Iterable[Scenario]) -> dict[str, str]:
    """SHA-256 of each data file that the scenarios name, by its path; empty for one that cannot be read."""
    paths = {path for scenario in scenarios for path in _named(scenario.model_dump(mode="json", exclude_none=True))}
    return {path: sha256_of(path) for path in sorted(paths)}


def sha256_of(path: str) -> str:
    """Of a file, in hexadecimal; empty for one that cannot be read: a run tells what is wrong with it."""
    if not os.path.isfile(path):  # a device has no end
        return ""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


def changed(data: Mapping[str, str], known: Mapping[str, str]) -> str | None:
    """The first file that is no more as it was; None: all are. `known`: what some of them are now."""
    for path, digest in data.items():
        now = known[path] if path in known else sha256_of(path)
        if now != digest:
            return path
    return None


def _named(value: Any) -> Iterator[str]:
    """The paths below the keys that name data files."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in RULES.data_path_keys and isinstance(item, str):
                yield item
            else:
                yield from _named(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _named(item)
