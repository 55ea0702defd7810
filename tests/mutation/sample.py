"""Mutants of the model, the fleet and the results, a sample of them or all: `make mutate-sample`.

A sample has of every file its share, one mutant at least, and is drawn by a seed: a larger one of the same seed
contains it. What has been judged is kept in the folder, and not judged again while sources and tests stay as they are.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import math
import os
import random
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.mutation import operators
from tests.mutation.campaign import Judge, Mutant, Profile
from tests.mutation.living import Living
from tests.mutation.mapping import Map
from tests.mutation.patches import ROOT

PARTS = ("sim/model", "sim/fleet", "sim/result")
LEFT_OUT = ("sim/model/compiled.py",)
"""The door to Numba: mutants are judged in plain Python."""

SUITE = ("tests/unit", "tests/property", "tests/contract", "tests/validation", "tests/e2e")
"""Tests that judge. What they do in processes of their own is not seen: a mutant is in one only."""

CAUGHT = ("caught", "hangs", "dies", "breaks pytest")


def files() -> list[str]:
    """What is mutated, by path from the root."""
    found = (path.relative_to(ROOT).as_posix() for part in PARTS for path in (ROOT / part).rglob("*.py"))
    return sorted(name for name in found if name not in LEFT_OUT)


def trees() -> dict[Path, ast.Module]:
    """These files as syntax trees."""
    return {ROOT / name: ast.parse((ROOT / name).read_text()) for name in files()}


def drawn(size: int | None, seed: int, changes: dict[str, list[operators.Change]]) -> list[Mutant]:
    """The sample, in an order that is a draw, too: the first of them are a smaller sample. None: all."""
    total = sum(len(each) for each in changes.values())
    chosen = []
    for name, own in changes.items():
        order = list(range(len(own)))
        random.Random(f"{seed} {name}").shuffle(order)
        share = len(own) if size is None else min(len(own), max(1, round(size * len(own) / total)))
        chosen += [Mutant(name, number, own[number]) for number in order[:share]]
    random.Random(seed).shuffle(chosen)
    return chosen


class Folder:
    """What is known so far: the map, and the judgements."""

    def __init__(self, path: Path, budget_s: float) -> None:
        self.path = path
        self.budget_s = budget_s
        self.map = path / "map.jsonl"
        self.judged = path / "judged.jsonl"
        self._tests: dict[int, list[tuple[float, str]]] = {}

    def judgements(self) -> dict[str, dict[str, Any]]:
        if not self.judged.exists():
            return {}
        return {found["mutant"]: found for found in map(json.loads, self.judged.read_text().splitlines())}

    def keep(self, mutant: Mutant, found: dict[str, Any]) -> None:
        where = {"mutant": mutant.name, "line": mutant.change.line, "in": mutant.change.unit}
        line = {**where, "change": mutant.change.tells, **found, "budget_s": self.budget_s}
        with self.judged.open("a") as lines:
            print(json.dumps(line), file=lines)

    def read_map(self) -> None:
        """Which tests run each statement, the quickest first."""
        for found in map(json.loads, self.map.read_text().splitlines()):
            if found["passed"]:
                for mark in found["hit"]:
                    self._tests.setdefault(mark, []).append((found["s"], found["test"]))
        for tests in self._tests.values():
            tests.sort()

    def tests(self, mark: int) -> list[tuple[str, float]]:
        chosen, total_s = [], 0.0
        for took_s, name in self._tests.get(mark, ()):
            if chosen and total_s + took_s > self.budget_s:
                break
            chosen.append((name, took_s))
            total_s += took_s
        return chosen


def digest() -> str:
    """Changes with whatever a judgement depends on."""
    found = hashlib.sha256()
    for folder in ("sim", "tests", "configs", "workloads"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc" and "mutation" not in path.parts:
                found.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return found.hexdigest()[:16]


def pytest_with(plugin: object, asked: argparse.Namespace) -> None:
    """One session over the suite, in which the plugin runs what it wants."""
    options = ["-o", "addopts=", "-m", "not slow and not bench", "-s", "--hypothesis-profile=mutation"]
    without = [f"-pno:{name}" for name in ("terminal", "cacheprovider", "faulthandler", "xdist", "benchmark")]
    code = pytest.main([*options, *without, *asked.suite], plugins=[Profile(asked.cases), plugin])
    assert code in (0, 1, 5), f"pytest could not collect the suite: {code}"


def score(found: list[dict[str, Any]]) -> str:
    """Caught of judged, with the 95 % interval of Wilson."""
    made = [each for each in found if each["status"] != "cannot be made"]
    n, caught = len(made), sum(each["status"] in CAUGHT for each in made)
    if not n:
        return "nothing judged"
    p, z = caught / n, 1.96
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return f"{caught} of {n} caught: {p:.1%} (95 % interval {middle - half:.1%} to {middle + half:.1%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="400", help="mutants, or `all`")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of tests for one mutant, quickest first")
    parser.add_argument("--cases", type=int, default=8, help="of a test with more cases, so many judge")
    parser.add_argument("--longest", type=float, default=10.0, help="seconds of a test that may judge")
    parser.add_argument("--survivors", action="store_true", help="judge again those that have survived")
    parser.add_argument("--only", nargs="+", default=[], help="judge these, sample or not: FILE#NUMBER")
    parser.add_argument("--unchanged", action="store_true", help="judge copies without a change: none may be caught")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/mutation")
    parser.add_argument("--suite", nargs="+", default=list(SUITE))
    asked = parser.parse_args()
    assert os.environ.get("NUMBA_DISABLE_JIT") == "1", "mutants are judged in plain Python: set NUMBA_DISABLE_JIT=1"
    folder = Folder(asked.folder / digest(), asked.budget)
    folder.path.mkdir(parents=True, exist_ok=True)
    if not folder.map.exists():
        print("which tests run what: one pass over the suite")
        child = os.fork()
        if child == 0:
            part = folder.path / "map.part"
            pytest_with(Map(trees(), part, asked.longest), asked)
            part.rename(folder.map)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0, "the pass over the suite failed"
    folder.read_map()
    parsed = trees()
    changes = {name: operators.changes(parsed[ROOT / name]) for name in files()}
    mutants = drawn(None if asked.size == "all" or asked.only else int(asked.size), asked.seed, changes)
    if asked.only:
        mutants = [mutant for mutant in mutants if mutant.name in asked.only]
    judge(folder, parsed, mutants, asked)


def judge(folder: Folder, parsed: dict[Path, ast.Module], mutants: list[Mutant], asked: argparse.Namespace) -> None:
    """Judge what has not been judged, and say how it went."""
    done = folder.judgements()
    todo = [mutant for mutant in mutants if mutant.name not in done]
    if asked.survivors:
        todo = [each for each in mutants if done.get(each.name, {}).get("status") in ("survives", "no test")]
    if asked.unchanged:
        todo = [replace(mutant, made=False) for mutant in mutants]
    first_marks = {path.relative_to(ROOT).as_posix(): at for path, at in Living(parsed).first_marks().items()}

    def tests(mutant: Mutant) -> list[tuple[str, float]]:
        return folder.tests(first_marks[mutant.file] + mutant.change.statement)

    def told(mutant: Mutant, found: dict[str, Any]) -> None:
        if mutant.made:
            folder.keep(mutant, found)
        line = f"{found['status']:<15} {found['s']:6.1f} s  {mutant.name}"
        if found["status"] not in CAUGHT:
            line += f"  line {mutant.change.line}: {mutant.change.tells}"
        print(line, flush=True)

    pytest_with(Judge(ROOT, parsed, todo, tests, told), asked)
    done = folder.judgements()
    sample = [done[mutant.name] for mutant in mutants if mutant.name in done]
    for part in PARTS:
        print(f"{part:<11} {score([each for each in sample if each['mutant'].startswith(part)])}")
    print(f"{'together':<11} {score(sample)}; {len(sample)} of the sample of {len(mutants)} judged")
    print(dict(Counter(each["status"] for each in sample)))


if __name__ == "__main__":
    sys.exit(main())
