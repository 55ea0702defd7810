"""Branch coverage by package, from the JSON report of coverage on standard input; the last step of `make coverage`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any


def by_package(told: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """The packages of `sim/`, with how many branches are taken of how many; the whole last."""
    taken: Counter[str] = Counter()
    there: Counter[str] = Counter()
    for name, file in told["files"].items():
        parts = PurePath(name).parts
        for package in ("/".join(parts[:2]) if len(parts) > 2 else parts[0] + "/*.py", "all"):
            taken[package] += file["summary"]["covered_branches"]
            there[package] += file["summary"]["num_branches"]
    names = [*sorted(name for name in there if name != "all"), "all"]
    return [(name, taken[name], there[name]) for name in names if there[name]]


if __name__ == "__main__":
    for package, taken, there in by_package(json.load(sys.stdin)):
        print(f"{package:<20} {taken:>6} of {there:>6} branches  {100 * taken / there:5.1f} %")
