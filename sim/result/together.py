"""What several runs of one scenario say together, as the result of the first of them carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Together:
    """Made by a study; here it is only told, shown and saved."""

    summary: dict[str, Any]
    """As a run's own, its numbers replaced by estimates; with `replications`, `intervals` and `refused`."""
    files: Mapping[str, str]
    """What stands in the folder beside the files of the first run: name -> text."""
