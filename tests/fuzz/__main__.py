"""`python -m tests.fuzz`: so many inputs over all readers, each in a process of its own, and what came of it.

Needs atheris (`pip install -e '.[fuzz]'`, Linux, Python up to what its wheels are built for).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_COVERAGE = re.compile(rb"#\d+\s+\w+\s+cov: (\d+)")


def main() -> int:
    asked = _asked()
    try:
        import atheris
    except ImportError:
        print("atheris is not installed: pip install -e '.[fuzz]'", file=sys.stderr)
        return 2
    os.environ |= {"NUMBA_DISABLE_JIT": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}  # compiled branches cannot be seen
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as scratch:
        with atheris.instrument_imports(include=["sim"]), contextlib.redirect_stderr(io.StringIO()):
            from tests.fuzz.child import loaded
            from tests.fuzz.readers import READERS, by_name

            readers = [by_name(name) for name in asked.target] or list(READERS)
            loaded(readers, Path(scratch))
        return _all(asked, readers, Path(scratch))


def _all(asked: argparse.Namespace, readers: Sequence[Any], scratch: Path) -> int:
    whole = sum(reader.share for reader in readers)
    rows, began_s = [], time.monotonic()
    for reader in readers:
        inputs = max(round(asked.inputs * reader.share / whole), 1)
        rows.append(_fuzzed(reader, inputs, asked.seed, scratch, asked.findings))
        _say(rows[-1])
    findings = sum(row.get("findings", 0) + (row["exit"] != 0) for row in rows)
    inputs, seconds = sum(row.get("inputs", 0) for row in rows), time.monotonic() - began_s
    print(f"{inputs:,} inputs over {len(rows)} readers in {seconds:,.0f} s: {findings:,} findings")
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))
    return 1 if findings else 0


def _asked() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m tests.fuzz")
    options.add_argument("--target", action="append", default=[], help="a reader (repeatable; default: all)")
    options.add_argument("--inputs", type=int, default=100_000, help="over all of them, by their shares")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="where inputs with a finding go")
    options.add_argument("--json", type=Path, help="write the table here too")
    return options.parse_args()


def _fuzzed(reader: Any, inputs: int, seed: int, scratch: Path, findings: Path) -> dict[str, Any]:
    """One reader, in a process of its own: what it takes and how it ends is its own."""
    from tests.fuzz.child import fuzz

    corpus = scratch / re.sub(r"\W+", "-", reader.name).strip("-")
    report, log = corpus.with_name(f"{corpus.name}.json"), corpus.with_name(f"{corpus.name}.log")
    child = os.fork()
    if child == 0:
        with log.open("wb") as told:
            os.dup2(told.fileno(), 2)
            os.dup2(told.fileno(), 1)
        fuzz(reader, inputs, seed, corpus, findings / corpus.name)
    _, status = os.waitpid(child, 0)
    told = log.read_bytes()
    row: dict[str, Any] = {"reader": reader.name, "exit": os.waitstatus_to_exitcode(status)}
    if report.exists():
        row |= json.loads(report.read_text())
    else:
        row["found"] = [f"the process ended with {row['exit']}: {told[-2000:].decode(errors='replace')}"]
    covered = _COVERAGE.findall(told)
    kept = len(list(corpus.iterdir()))
    shutil.rmtree(corpus)
    return {**row, "coverage": int(covered[-1]) if covered else None, "kept": kept}


def _say(row: dict[str, Any]) -> None:
    told = {
        name: row.get(name, 0) for name in ("inputs", "answered", "refused", "findings", "seconds", "coverage", "kept")
    }
    print(
        "{reader:28} {inputs:>8,} inputs  {answered:>7,} answered  {refused:>8,} refused  {findings:>4} findings  "
        "{seconds:>7} s  {coverage} branches  {kept} kept".format(reader=row["reader"], **told),
        flush=True,
    )
    for line in row["found"]:
        print(f"  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
