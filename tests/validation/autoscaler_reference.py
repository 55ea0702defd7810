"""The reference vectors of autoscalers beside the checkout, if they are there."""

from __future__ import annotations

import json
from typing import Any

from tests.validation.reference import SHARED


def vectors(name: str, function: str = "") -> list[dict[str, Any]]:
    """The vectors of a file whose function's name begins so; empty when there is no file."""
    path = SHARED / "reference" / name
    if not path.exists():
        return []
    read: list[dict[str, Any]] = json.loads(path.read_text())["vectors"]
    return [vector for vector in read if vector["function"].startswith(function)]
