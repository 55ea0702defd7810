"""I1: the same scenario and seed give the same bytes: again, in another process, compiled or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sim import load, simulate
from tests import digest

ROOT = Path(__file__).parents[2]


def elsewhere(*arguments: str, **environment: str) -> Any:
    """What another process prints for `python -m tests.digest`."""
    command = [sys.executable, "-m", "tests.digest", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def here() -> dict[str, list[str]]:
    return digest.of_scenarios()


def test_the_scenarios_have_something_to_disagree_about() -> None:
    line, chat = (simulate(load({"name": name, "seed": 7, **keys})) for name, keys in digest.SCENARIOS.items())
    assert line.summary()["requests"]["rejected"] > 50
    assert chat.log.preemptions > 20


def test_again_in_the_same_process(here: dict[str, list[str]]) -> None:
    assert digest.of_scenarios() == here


def test_both_calendars(here: dict[str, list[str]]) -> None:
    for name, (simpy, compiled, _) in here.items():
        assert simpy == compiled, name


def test_a_fingerprint_sees_a_difference(here: dict[str, list[str]]) -> None:
    other = digest.of_scenarios(replication=1)
    for name, digests in here.items():
        assert not set(digests) & set(other[name]), name


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_in_another_process(here: dict[str, list[str]], hash_seed: str) -> None:
    assert elsewhere("scenarios", PYTHONHASHSEED=hash_seed)["digests"] == here


def test_compiled_and_plain_transitions_give_the_same_bits() -> None:
    compiled = elsewhere("transitions", "40", NUMBA_DISABLE_JIT="0")
    plain = elsewhere("transitions", "40", NUMBA_DISABLE_JIT="1")
    assert compiled["compiled"]
    assert not plain["compiled"]
    assert compiled["digests"] == plain["digests"]
    assert len(set(compiled["digests"])) == 40


def test_scenarios_without_a_compiler(here: dict[str, list[str]]) -> None:
    assert elsewhere("scenarios", NUMBA_DISABLE_JIT="1") == {"compiled": False, "digests": here}


def test_a_sample_of_the_suite_without_a_compiler() -> None:
    """Exact times and the naive oracle, in a process that may not compile."""
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider"]
    tests = [
        "tests/validation/test_sample_paths.py",
        "tests/property/test_oracle.py::test_the_comparison_covers_preemption",
    ]
    done = subprocess.run(
        [*command, *tests],
        cwd=ROOT,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
