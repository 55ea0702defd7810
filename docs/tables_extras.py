"""The table of `install.md`: what each extra of the package is for."""

from __future__ import annotations

import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
ABOUT = {
    "cluster": "runs on a Dask cluster (`--cluster`)",
    "ui": "the page with sliders (`fleetcast ui`)",
    "fuzz": "fuzzing the readers under the guidance of coverage (`make fuzz`)",
    "dev": "tests, linters, the pages of this site; `cluster` and `ui` too",
}


def extras() -> str:
    """Every extra, its reason and its packages."""
    found = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    rows = [f"| `fleetcast[{name}]` | {ABOUT[name]} | {', '.join(map(_name, of))} |" for name, of in found.items()]
    return "\n".join(["| extra | for | brings |", "| --- | --- | --- |", *rows])


def _name(requirement: str) -> str:
    """A requirement without its version."""
    return f"`{requirement.partition('>')[0]}`"
