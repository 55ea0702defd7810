"""How often intervals hold the true value: measured on demand (some minutes), not with every build of the pages.

`python docs/tables_coverage.py` runs the studies and keeps their table in docs/coverage.txt.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
COVERAGE = DOCS / "coverage.txt"


def measure() -> None:
    """Run the studies and keep the table; the same seeds, so the same figures on any machine."""
    command = [sys.executable, "-m", "tests.validation.coverage"]
    done = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    COVERAGE.write_text(done.stdout, encoding="utf-8")


def coverage() -> str:
    """The table as it was last measured, as Markdown."""
    return COVERAGE.read_text(encoding="utf-8").strip()


if __name__ == "__main__":
    measure()
