"""What `sim` offers: every name is there, says what it does, and is what the notebooks use."""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import sys
from pathlib import Path

import pytest

import sim

ROOT = Path(sim.__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
FUNCTIONS = ("compare", "grid", "load", "replicate", "simulate", "sweep")


def for_type_checkers() -> set[str]:
    """The names that `sim/__init__.py` imports for type checkers only."""
    tree = ast.parse(Path(sim.__file__).read_text(encoding="utf-8"))
    under = [node for node in tree.body if isinstance(node, ast.If)]
    return {alias.name for block in under for node in ast.walk(block) if isinstance(node, ast.ImportFrom)
            for alias in node.names}  # fmt: skip


def test_all_of_them_are_named_and_there() -> None:
    names = set(sim.__all__) - {"__version__"}
    assert names == for_type_checkers() == set(sim._HOME)
    assert names == {"Result", "Scenario", *FUNCTIONS}
    assert sim.__all__ == sorted(sim.__all__)
    assert names <= set(dir(sim))
    for name in names:
        found = getattr(sim, name)
        assert found.__name__ == name
        assert found.__module__.startswith("sim.")
        first = str(inspect.getdoc(found)).splitlines()[0]
        assert first.endswith("."), f"{name}: {first}"
        assert f"`{name}`" in str(sim.__doc__)
    with pytest.raises(AttributeError, match="'sim' has no attribute 'sweeps'"):
        _ = sim.sweeps


@pytest.mark.parametrize("name", ["compare", "grid", "replicate", "sweep"])
def test_what_a_docstring_shows_is_so(name: str) -> None:
    function = getattr(sim, name)
    (shown,) = doctest.DocTestFinder(recurse=False).find(
        function, name, module=sys.modules[function.__module__], globs={}
    )
    assert shown.examples
    told: list[str] = []
    doctest.DocTestRunner().run(shown, out=told.append)
    assert not told, "".join(told)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_needs_no_other_names(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    used = {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "sim"
        for alias in node.names
    }
    assert used
    assert used <= {("sim", name) for name in sim.__all__}
