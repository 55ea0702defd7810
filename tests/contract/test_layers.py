"""Imports point down only, and each heavy dependency has its doors. Read from the source, so nothing need run."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SIM = Path(__file__).parents[2] / "sim"

# From the top down; parts on one line do not know each other. `fleet` may fill the log that `result` owns.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"ui"},
    {"report", "exchange"},
    {"study"},
    {"engine"},
    {"fleet"},
    {"result"},
    {"scenario"},
    {"autoscaling", "workload", "model", "hardware"},
    {"pricing"},
    {"theory", "statistics", "forecast"},
    {"config"},
    {"version"},
]
LEVEL = {part: len(LAYERS) - index for index, parts in enumerate(LAYERS) for part in parts}

# Modules that may import a heavy dependency at all, and those that may do so when they are themselves imported.
DOORS = {
    "simpy": ("engine", "fleet"),
    "numba": ("model.compiled",),
    "click": ("cli",),
    "rich": ("cli",),
    "jinja2": ("report",),
    "distributed": ("study.executors.cluster",),
    "yaml": ("config",),
    "fastapi": ("ui",),
    "starlette": ("ui",),
    "uvicorn": ("cli.ui", "ui.heads"),
}
NEVER_AT_IMPORT = {
    "pandas",
    "plotly",
    "scipy",
    "pyarrow",
    "numba",
    "statsmodels",
    "optuna",
    "matplotlib",
    "distributed",
    "jinja2",
    "rich",
    "uvicorn",
}


@dataclass(frozen=True)
class Import:
    module: str
    """Importing module, dotted, below `sim`; empty for `sim` itself."""
    target: str
    line: int
    at_import: bool
    """Runs when the module is imported: neither inside a function nor for type checkers only."""


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(SIM).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def imports_of(file: Path) -> Iterator[Import]:
    """Every import in a file, with whether it runs at import time."""

    def walk(node: ast.AST, at_import: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(module_name(file), alias.name, child.lineno, at_import)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{file}:{child.lineno}: imports are absolute here"
                for alias in child.names:
                    # `from sim.config import catalogue` names a module, `from sim.scenario import load` does not:
                    # either way the first two parts say which part of sim is meant.
                    yield Import(module_name(file), f"{child.module}.{alias.name}", child.lineno, at_import)
            else:
                late = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
                yield from walk(child, at_import and not late and not typing)

    yield from walk(ast.parse(file.read_text(encoding="utf-8")), True)


FILES = sorted(SIM.rglob("*.py"))
IMPORTS = [found for file in FILES for found in imports_of(file)]


def part_of(dotted: str) -> str:
    return dotted.partition(".")[0]


def test_every_part_has_a_layer() -> None:
    parts = {part_of(module_name(file)) for file in FILES} - {""}
    assert parts <= LEVEL.keys()


def test_imports_point_down_only() -> None:
    wrong = []
    for found in IMPORTS:
        here = part_of(found.module)
        if part_of(found.target) != "sim" or not here:
            continue
        there = part_of(found.target.removeprefix("sim."))
        if there in ("sim", "__version__", "", here):
            continue
        assert there in LEVEL, f"sim/{found.module}:{found.line} imports {found.target}, which has no layer"
        if LEVEL[there] >= LEVEL[here]:
            wrong.append(f"{found.module}:{found.line} imports {found.target}")
    assert not wrong, wrong


@pytest.mark.parametrize("library", sorted(DOORS))
def test_each_heavy_dependency_has_its_doors(library: str) -> None:
    outside = [
        f"{found.module}:{found.line}"
        for found in IMPORTS
        if part_of(found.target) == library
        and not any(found.module == door or found.module.startswith(f"{door}.") for door in DOORS[library])
    ]
    assert not outside, outside


def test_heavy_dependencies_are_imported_late() -> None:
    early = [
        f"{found.module}:{found.line} {found.target}"
        for found in IMPORTS
        if found.at_import and part_of(found.target) in NEVER_AT_IMPORT and found.module != "model.compiled"
    ]
    assert not early, early


def test_nothing_prints_or_exits_outside_the_cli() -> None:
    wrong = []
    for file in FILES:
        if part_of(module_name(file)) in ("cli", "__main__"):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "print",
                "exit",
                "quit",
                "sys.exit",
                "os._exit",
            ):
                wrong.append(f"{file.relative_to(SIM)}:{node.lineno}")
    assert not wrong, wrong


def test_every_module_says_what_it_owns() -> None:
    silent = [
        str(file.relative_to(SIM))
        for file in FILES
        if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert not silent, silent


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("sim", "numpy pydantic simpy yaml click"),
        ("sim.cli", "numpy pydantic simpy yaml pandas rich"),
        ("sim.scenario", "pandas plotly pyarrow numba scipy simpy rich"),
    ],
)
def test_importing_a_module_stays_light(module: str, unwanted: str) -> None:
    code = f"import sys, {module}; print(*[name for name in '{unwanted}'.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SIM.parent)
    assert done.stdout.split() == []
