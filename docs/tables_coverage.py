"""How often intervals hold the true value: what `python -m tests.validation.coverage` printed when it was last run.

It takes minutes of both cores, so pages quote the file; `make validate` insists on the bars.
"""

from __future__ import annotations

from pathlib import Path

MEASURED = Path(__file__).with_name("coverage.txt")


def coverage_table() -> str:
    """The table, as it was printed."""
    return MEASURED.read_text(encoding="utf-8").strip()
