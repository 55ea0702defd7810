"""`python -m tests.fuzz`: so many inputs over all readers, each in a process of its own, and a table of what came of it.

Needs atheris (`pip install -e '.[fuzz]'`, Linux, Python up to what its wheels are built for).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.fuzz.reader import Reader
from tests.fuzz.readers import READERS, by_name

_COVERAGE = re.compile(rb"#\d+\s+\w+\s+cov: (\d+)")


def main() -> int:
    asked = _asked()
    readers = [by_name(name) for name in asked.target] or list(READERS)
    if asked.list:
        for reader in readers:
            print(f"{reader.name:28} {reader.shape:6} {reader.share:g}")
        return 0
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("atheris is not installed: pip install -e '.[fuzz]'", file=sys.stderr)
        return 2
    whole = sum(reader.share for reader in readers)
    rows, began_s = [], time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        for reader in readers:
            inputs = max(round(asked.inputs * reader.share / whole), 1)
            rows.append(_fuzzed(reader, inputs, asked.seed, Path(scratch), asked.findings))
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
    options.add_argument("--list", action="store_true")
    return options.parse_args()


def _fuzzed(reader: Reader, inputs: int, seed: int, scratch: Path, findings: Path) -> dict[str, Any]:
    corpus = scratch / re.sub(r"\W+", "-", reader.name).strip("-")
    command = [sys.executable, "-m", "tests.fuzz.child", reader.name, str(inputs), str(seed), str(corpus)]
    # compiled code takes no branch that can be seen
    plain = {**os.environ, "NUMBA_DISABLE_JIT": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run([*command, str(findings / corpus.name)], capture_output=True, env=plain, check=False)
    report = corpus.with_name(f"{corpus.name}.json")
    row: dict[str, Any] = {"reader": reader.name, "exit": done.returncode}
    if report.exists():
        row |= json.loads(report.read_text())
    else:
        row["found"] = [f"the process ended with {done.returncode}: {done.stderr[-2000:].decode(errors='replace')}"]
    covered = _COVERAGE.findall(done.stderr)
    return {**row, "coverage": int(covered[-1]) if covered else None, "kept": len(list(corpus.iterdir()))}


def _say(row: dict[str, Any]) -> None:
    told = {name: row.get(name, 0) for name in ("inputs", "answered", "refused", "findings", "seconds", "coverage", "kept")}
    print(
        "{reader:28} {inputs:>8,} inputs  {answered:>7,} answered  {refused:>8,} refused  {findings:>4} findings  "
        "{seconds:>7} s  {coverage} branches  {kept} kept".format(reader=row["reader"], **told),
        flush=True,
    )
    for line in row["found"]:
        print(f"  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
