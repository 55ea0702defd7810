"""Every place in the project that reads what is outside of it, found in its source: none may lack a reader here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.reader import Reader, may

SOURCES = Path(__file__).resolve().parents[2] / "sim"
_READING = frozenset(
    (
        *("open", "read_text", "read_bytes", "loads", "reader", "DictReader", "urlopen", "decompressobj"),
        *("import_module", "ParquetFile", "read_schema", "read_metadata", "read_table", "validate_json"),
        "model_validate_json",
    )
)
_NOT = frozenset(("webbrowser.open", "os.open", "self.open", "service.open", "search.open"))
"""Calls of these names that read no file."""

_SENT, _WRITTEN, _SHIPS = "what its own other process has sent", "what it writes", "a file that ships with it"
OWN = {
    "sim:__getattr__": "its own module",
    "sim.autoscaling.external:_found": "code that a scenario names, on purpose: tests/unit/test_external_policies.py",
    "sim.cli:_Verbs.get_command": "its own module",
    "sim.cli.examples:command": _SHIPS,
    "sim.cli.export.focus:_tell": _WRITTEN,
    "sim.cli.init:command": "looks for its own name in a file, to replace it or not",
    "sim.cli.shared.files:_opened": _WRITTEN,
    "sim.exchange.traffic.server:_refusal": "the words of a refusal: tests/fuzz/test_readers.py",
    "sim.model.cache:kind.Checked._load_data": "Numba's cache, if its digest is right: tests/faults/test_cache.py",
    "sim.model.cache:kind.Checked._load_index": "Numba's cache, if its digest is right: tests/faults/test_cache.py",
    "sim.model.compiled:_source_digest": "its own source, for the name of Numba's cache",
    "sim.report.drawing.palette:palettes": _SHIPS,
    "sim.report.page.render:_resource": _SHIPS,
    "sim.result.files:_write_csv": _WRITTEN,
    "sim.result.save:_fingerprint": _WRITTEN,
    "sim.result.save:_is_ours": "looks for its own name in a file, to replace the folder or not",
    "sim.scenario:_digest": _WRITTEN,
    "sim.study.executors.local:Local.as_ended": _SENT,
    "sim.study.executors.worker:_answer": _SENT,
    "sim.study.executors.worker:serve": _SENT,
    "sim.study.planned.dossier:plain": _WRITTEN,
    "sim.study.store.folder:put": _WRITTEN,
    "sim.study.store.inputs:sha256_of": "bytes for a checksum",
    "sim.ui.app:_pages": _SHIPS,
    "sim.ui.crew.worker:_bound_memory": "Linux's own account of the process",
}
"""Places that read nothing that a user or a stranger has written, with what it is."""


def sites() -> dict[str, str]:
    """Functions with such a call, as `module:qualified.name`, and the first of their calls."""
    found: dict[str, str] = {}
    for path in sorted(SOURCES.rglob("*.py")):
        module = ".".join(path.relative_to(SOURCES.parent).with_suffix("").parts).removesuffix(".__init__")
        for name, call in _calls(ast.parse(path.read_text(encoding="utf-8")), ""):
            found.setdefault(f"{module}:{name or '<module>'}", call)
    return found


def _calls(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _calls(child, f"{name}.{child.name}".lstrip("."))
            continue
        if isinstance(child, ast.Call):
            told = ast.unparse(child.func)
            last = told.rpartition(".")[2]
            if told not in _NOT and (last in _READING or told == "yaml.parse"):
                yield name, told
        yield from _calls(child, name)


def entered(readers: tuple[Reader, ...], folder: Path) -> set[str]:
    """The functions of the project that are called while readers answer what they answer."""
    seen: set[Any] = set()

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            seen.add(frame.f_code)

    for reader in readers:
        for data in reader.seeds()[:5]:
            (folder / reader.file).write_bytes(data)
            sys.setprofile(watch)
            try:
                may(reader.read, folder / reader.file)
            finally:
                sys.setprofile(None)
    found = set()
    for code in seen:
        path = Path(code.co_filename)
        if path.is_relative_to(SOURCES):
            module = ".".join(path.relative_to(SOURCES.parent).with_suffix("").parts).removesuffix(".__init__")
            found.add(f"{module}:{code.co_qualname.replace('.<locals>', '')}")
    return found
