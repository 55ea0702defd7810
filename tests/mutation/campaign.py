"""pytest as a judge of many mutants: tests are collected once, and each mutant has a process forked from there.

It is judged by the tests that run its statement (see mapping), the quickest first, and is caught by the first that
fails, or does not end.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import math
import os
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.living import Living
from tests.mutation.operators import Change

MEMORY_BYTES = 6 << 30
"""What a mutant may take beside what there is: some would fill the machine."""

ALARMS = (signal.SIGPROF, signal.SIGALRM)


@dataclass(frozen=True)
class Mutant:
    """One of them, by the file's path from the root and its number there."""

    file: str
    number: int
    change: Change
    made: bool = True
    """False: nothing is changed, and no test should fail."""

    @property
    def name(self) -> str:
        return f"{self.file}#{self.number}"


class Profile:
    """Hypothesis as the suite has it, but that a case fails is enough: no smaller one is looked for.

    Of a test with more than `most_cases`, every second one is taken, or third, and so on.
    """

    def __init__(self, most_cases: int) -> None:
        self.most_cases = most_cases

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self) -> None:
        from hypothesis import HealthCheck, Phase, settings

        phases = (Phase.explicit, Phase.generate)
        everything = list(HealthCheck)
        settings.register_profile(
            "mutation", derandomize=True, deadline=None, suppress_health_check=everything, phases=phases
        )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        cases: dict[str, list[pytest.Item]] = {}
        for item in items:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
        items[:] = [item for own in cases.values() for item in own[:: math.ceil(len(own) / self.most_cases)]]


class Judge:
    """Judges mutants one after the other. `told` hears of each: status, by which test, after how many seconds."""

    def __init__(
        self,
        root: Path,
        trees: dict[Path, ast.Module],
        mutants: list[Mutant],
        tests: Callable[[Mutant], list[tuple[str, float]]],
        told: Callable[[Mutant, dict[str, Any]], None],
    ) -> None:
        self.root, self.trees, self.mutants, self.tests, self.told = root, trees, mutants, tests, told
        self._diary = -1

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        living = Living(self.trees)
        gc.collect()
        gc.freeze()
        for mutant in self.mutants:
            chosen = [(items[name], took_s) for name, took_s in self.tests(mutant) if name in items]
            begun = time.perf_counter()
            found = self._judge(living, mutant, chosen) if chosen else {"status": "no test"}
            self.told(mutant, {**found, "tests": len(chosen), "s": round(time.perf_counter() - begun, 2)})
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._diary >= 0 and report.failed:
            os._exit(1)

    def _judge(self, living: Living, mutant: Mutant, chosen: list[tuple[Any, float]]) -> dict[str, Any]:
        folder = tempfile.mkdtemp(prefix="mutant-")
        diary = Path(folder, "diary")
        child = os.fork()
        if child == 0:
            self._diary = os.open(diary, os.O_CREAT | os.O_WRONLY)
            with contextlib.suppress(BaseException):
                self._be(living, mutant, chosen, folder)
            os._exit(3)
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what it has started
        last = diary.read_text().rpartition("\n")[2] if diary.exists() else ""
        shutil.rmtree(folder, ignore_errors=True)
        if os.WIFSIGNALED(status):
            return {"status": "hangs" if os.WTERMSIG(status) in ALARMS else "dies", "by": last}
        code = os.WEXITSTATUS(status)
        return {"status": {0: "survives", 1: "caught", 2: "cannot be made"}.get(code, "breaks pytest"), "by": last}

    def _be(self, living: Living, mutant: Mutant, chosen: list[tuple[Any, float]], folder: str) -> None:
        """The life of the process that is the mutant."""
        os.setsid()
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        tempfile.tempdir = folder
        os.environ["TMPDIR"] = folder
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (_memory_bytes() + MEMORY_BYTES, most))
        for alarm in ALARMS:
            signal.signal(alarm, signal.SIG_DFL)
        if mutant.made and not living.change(self.root / mutant.file, mutant.change):
            os._exit(2)
        took = {item.nodeid: took_s for item, took_s in chosen}
        for item, following in in_order([item for item, _ in chosen]):
            os.write(self._diary, b"\n" + item.nodeid.encode())
            signal.setitimer(signal.ITIMER_PROF, 5 + 10 * took[item.nodeid])
            signal.setitimer(signal.ITIMER_REAL, 120 + 50 * took[item.nodeid])
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        os._exit(0)


def in_order(items: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(items, [*items[1:], None], strict=True)


def _memory_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
