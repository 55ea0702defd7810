"""The reference values beside the checkout, if they are there: exact answers of queues, traces worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[3] / "shared"
VECTORS = SHARED / "reference" / "queue_vectors.json"
ABSENT = "no ../shared/reference/queue_vectors.json beside the checkout"


def section(name: str) -> list[dict[str, Any]]:
    """One section of the file; empty when there is no file."""
    if not VECTORS.exists():
        return []
    read: list[dict[str, Any]] = json.loads(VECTORS.read_text())[name]
    return read


def vectors() -> list[dict[str, Any]]:
    """The queues with an exact answer."""
    return section("cases")
