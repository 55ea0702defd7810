"""The notebooks run, and show what is stored in them; nothing of a machine is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))


def test_notebooks_show_what_a_run_shows() -> None:
    pytest.importorskip("nbclient", reason="notebooks need the dev extra: pip install -e '.[dev]'")
    pytest.importorskip("ipykernel", reason="notebooks need the dev extra: pip install -e '.[dev]'")
    assert len(NOTEBOOKS) == 2
    done = subprocess.run(
        [sys.executable, "docs/run_notebooks.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_small_and_name_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text) < 100_000
    assert re.search(r"/(tmp|work|root|usr|var|home)/|localhost", text) is None
    notebook = json.loads(text)
    assert notebook["metadata"]["language_info"] == {"name": "python"}
    cells = notebook["cells"]
    assert [cell["id"] for cell in cells] == [f"cell-{number}" for number in range(len(cells))]
    assert not any(cell["metadata"] for cell in cells)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    kinds = {kind for cell in code for output in cell["outputs"] for kind in output.get("data", {})}
    assert kinds == {"text/plain", "image/png"}
    assert not any(
        output["output_type"] == "error" or output.get("name") == "stderr"
        for cell in code
        for output in cell["outputs"]
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_links_of_notebooks_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+?)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
