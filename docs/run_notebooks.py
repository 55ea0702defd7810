"""Run the notebooks and keep what they show: outputs as text and small pictures, nothing of the machine.

python docs/run_notebooks.py            run them and store their outputs
python docs/run_notebooks.py --check    change nothing; fail where a stored text is not what a run shows
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
NOTEBOOKS = DOCS / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
SECONDS = 300
"""That a cell may take: the first one may have to compile the engine."""


def executed(path: Path) -> Any:
    """A notebook as a fresh run has it, in a folder of its own, with nothing in it that differs between machines."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        client.execute()
    return cleaned(notebook)


def cleaned(notebook: Any) -> Any:
    """Numbered cells, the plainest form of every output, no times and no versions."""
    notebook.metadata = METADATA
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", {}
        if cell.cell_type == "code":
            cell.outputs = [_plain(output) for output in cell.outputs]
    return notebook


def _plain(output: Any) -> Any:
    if "data" in output:
        output["data"] = {kind: data for kind, data in output["data"].items() if kind in ("text/plain", "image/png")}
        output["metadata"] = {}
    return output


def texts(notebook: Any) -> list[str]:
    """What its code cells show as text, cell by cell."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        "".join(output.get("text") or output["data"].get("text/plain", "") for output in cell.outputs) for cell in cells
    ]


def main() -> int:
    """Run all of them; 1 where something stored is out of date and nothing may be changed."""
    import nbformat

    stale = 0
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        before, now = nbformat.read(path, as_version=4), executed(path)
        if "--check" not in sys.argv:
            nbformat.write(now, path)
        elif texts(before) != texts(now):
            print(f"{path.name}: does not show what a run shows now")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
