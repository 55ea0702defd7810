"""Every number of a summary has its row in `docs/results.md`, also those that only some scenarios have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sim import load
from sim.study.replicated.replications import replicate

PAGE = Path(__file__).parents[2] / "docs/results.md"
RICH = {
    "chatgpt-plus": ["horizon=5m"],  # classes, clients that retry, revenue
    "enterprise-api": ["horizon=90s", "warmup=30s"],  # tenants, several pools
    "startup-commitment": ["horizon=2d", "assert=[usd_per_day < 1]"],  # contracts, assertions
    "chat-h100-disaggregated": ["horizon=90s", "warmup=30s"],  # pools that hand over
}


def paths(summary: dict[str, Any]) -> Iterator[str]:
    """Blocks, and what stands in them."""
    for key, value in summary.items():
        yield from (f"{key}.{inner}" for inner in value) if isinstance(value, dict) else (key,)


@pytest.mark.parametrize("name", RICH)
def test_every_key_of_a_summary_is_told(name: str) -> None:
    rows = set(re.findall(r"^\| `([\w.]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    summary = replicate(load(name, RICH[name]), 2).summary()
    untold = [path for path in paths(summary) if not {path, path.partition(".")[0]} & rows]
    assert untold == []
    assert len(rows) > 90
