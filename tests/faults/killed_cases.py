"""Every verb that writes, on something small: what is there before, the command, what is there after."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from sys import executable
from typing import Any

import yaml

from tests import benchmark_files as made
from tests.studies import REPLICAS
from tests.unit.test_measured_files import GOOD

ROOT = Path(__file__).parents[2]
LINE: dict[str, Any] = {
    "name": "line",
    "seed": 3,
    "horizon": "40s",
    "warmup": "10s",
    "workload": {"arrivals": {"kind": "poisson", "rate": 5}, "service": {"kind": "exponential", "mean": "1s"}},
    "pools": {
        "main": {
            "gpu": "l4",
            "replica": {"kind": "slots"},
            "queue": {"kind": "central"},
            "autoscaler": {"kind": "fixed", "replicas": 8},
        }
    },
    "slo": [{"metric": "queue_wait", "under": "500ms", "share": 0.9}],
    "starts": "2026-01-01",
}
SCALED = {
    **LINE,
    "tune": {"search_runs": 2, "fresh_runs": 2, "finalists": 2},
    "pools": {
        "main": {
            **LINE["pools"]["main"],
            "boot": "10s",
            "autoscaler": {
                "kind": "hpa",
                "min_replicas": 4,
                "max_replicas": 20,
                "metrics": [{"metric": "num_requests_running", "target": "500m"}],
                "behavior": {},
            },
        }
    },
}
LOG = "arrival_s,prompt_tokens,output_tokens\n" + "".join(f"{5 * k},{k + 9},{k % 7 + 1}\n" for k in range(400))
SLOWER = {**made.VLLM, "request_rate": 30.0, "mean_tpot_ms": 14.0, "mean_ttft_ms": 60.0, "request_throughput": 28.0}
BEFORE: Mapping[str, str] = {
    "line.yaml": yaml.safe_dump(LINE),
    "scaled.yaml": yaml.safe_dump(SCALED),
    "log.csv": LOG,
    "measured.yaml": GOOD,
    "light.json": json.dumps(made.VLLM),
    "heavy.json": json.dumps(SLOWER),
}
ONE = ("--replications", "1")
SWEEP = ("sweep", "line.yaml", "--over", f"{REPLICAS}=7,8", "--replications", "6")


@dataclass(frozen=True)
class Case:
    """A command, and what it makes."""

    name: str
    words: tuple[str, ...]
    makes: tuple[str, ...] = ("out",)
    first: tuple[tuple[str, ...], ...] = ()
    """Commands that are let alone, before."""
    compiles: bool = False
    """With Numba, whose cache is empty; else in plain Python."""
    is_long: bool = False
    """It takes a minute, and is killed only every third time that its turn comes."""


_PLACE = ("--out", "out")
_PAIR = ("--model", "llama-3-8b", "--gpu", "h100-sxm")
CASES = (
    Case("run", ("run", "line.yaml", "--replications", "3", *_PLACE)),
    Case("run again", ("run", "line.yaml", *ONE, "--force", *_PLACE), first=(("run", "line.yaml", *ONE, *_PLACE),)),
    Case("run, rows as they end", ("run", "line.yaml", *ONE, "--stream", "--requests", *_PLACE)),
    Case("run, compiled", ("run", "line.yaml", *ONE, "--calendar", "compiled", *_PLACE), compiles=True, is_long=True),
    Case("compare", ("compare", "line.yaml", "--with", f"{REPLICAS}=9", "--replications", "3", *_PLACE)),
    Case("sweep", (*SWEEP, "--study", "study", *_PLACE), ("study", "out")),
    Case("sweep, two processes", (*SWEEP, "--study", "study", "--workers", "2"), ("study",)),
    Case(
        "merge",
        ("merge", "a", "b", "--out", "study"),
        ("study",),
        first=((*SWEEP, "--study", "a", "--shard", "1/2"), (*SWEEP, "--study", "b", "--shard", "2/2")),
    ),
    Case("tune", ("tune", "scaled.yaml", "--budget", "12 runs", "--workers", "1", "--study", "study", *_PLACE)),
    Case(
        "plan",
        ("plan", "line.yaml", "--no-drills", "--no-sensitivity", "--workers", "1", "--study", "study", *_PLACE),
    ),
    Case("validate", ("validate", "measured.yaml", *_PLACE)),
    Case(
        "calibrate",
        ("calibrate", "light.json", "heavy.json", *_PAIR, "--out", "out.yaml", "--plot", "out.svg"),
        ("out.yaml", "out.svg"),
        is_long=True,
    ),
    Case("report", ("report", "run", "--pictures", "out"), first=(("run", "line.yaml", *ONE, "--out", "run"),)),
    Case("export focus", ("export", "focus", "line.yaml", "--out", "out.csv"), ("out.csv",)),
    Case("export trace", ("export", "trace", "line.yaml", "--out", "out.json.gz"), ("out.json.gz",)),
    Case(
        "export metrics",
        ("export", "metrics", "chat-h100", "--set", "horizon=10s", "--set", "warmup=0s", "--out", "out.txt"),
        ("out.txt",),
    ),
    Case("import", ("import", "log", "log.csv", "--out", "out.yaml", "--history", "out.csv"), ("out.yaml", "out.csv")),
    Case("init", ("init", "out.yaml"), ("out.yaml",)),
)


def prepared(case: Case, folder: Path) -> None:
    """The folder in which the command is to be called."""
    folder.mkdir()
    for name, text in BEFORE.items():
        (folder / name).write_text(text)
    for words in case.first:
        code = started(case, folder, words).wait()
        assert code == 0, (case.name, words, code)


def started(case: Case, folder: Path, words: tuple[str, ...] | None = None) -> Popen[str]:
    """The command, on its way, in a session of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(folder / "cache")}
    environment["NUMBA_DISABLE_JIT"] = "0" if case.compiles else "1"
    begin = partial(Popen, cwd=folder, env=environment, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, text=True)
    return begin([executable, "-m", "sim", *(words or case.words)], start_new_session=True)


def found_in(folder: Path, case: Case) -> dict[str, bytes]:
    """What the command has made: every file's bytes, by its path; what tells when it was made is left out."""
    found = {}
    for name in case.makes:
        path = folder / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path] if path.exists() else []:
            if file.is_file():
                found[str(file.relative_to(folder))] = _timeless(file)
    return found


def _timeless(file: Path) -> bytes:
    if file.name not in ("manifest.json", "summary.json"):
        return file.read_bytes()
    found = json.loads(file.read_bytes())
    if file.name == "manifest.json":
        found["created"] = found["files"]["summary.json"] = None
    else:
        found["run"] |= dict.fromkeys(("wall_s", "engine_s", "requests_per_engine_s"))
    return json.dumps(found).encode()


def litter(folder: Path) -> list[str]:
    """What nobody asked for."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(".*"))
