"""Which tests run which statements: one pass over the suite, in which every statement leaves a mark."""

from __future__ import annotations

import ast
import functools
import gc
import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _pytest import fixtures

from tests.mutation.campaign import in_order
from tests.mutation.living import Living


class Map:
    """Makes the map: a line a test, with the statements that it runs and the processor time that it takes.

    A test that takes more than `longest_s` of it in plain Python is broken off, and judges nothing.
    """

    def __init__(self, trees: dict[Path, ast.Module], out: Path, longest_s: float) -> None:
        self.trees, self.out, self.longest_s = trees, out, longest_s
        self._failed = False
        self._marks = Marks(bytearray())
        self._fixtures: dict[int, Part] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._marks = Marks(Living(self.trees).probe())
        caches = self._watch_caches()
        signal.signal(signal.SIGPROF, _too_long)
        with self.out.open("w") as lines:
            for item, following in in_order(session.items):
                for cache in caches:
                    cache.cache_clear()
                self._failed = False
                part = self._marks.during(functools.partial(self._run, item, following))
                for shared in self._fixtures_of(item):
                    part = part.with_shared(shared)
                found = {"test": item.nodeid, "s": round(part.took_s, 4), "passed": not self._failed}
                print(json.dumps(found | {"hit": sorted(part.hit)}), file=lines, flush=True)
        return True

    def _run(self, item: Any, following: Any) -> None:
        signal.setitimer(signal.ITIMER_PROF, self.longest_s)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        signal.setitimer(signal.ITIMER_PROF, 0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        if fixturedef.scope == "function":
            return None
        found: list[Any] = []
        part = self._marks.during(lambda: found.append(fixtures.pytest_fixture_setup(fixturedef, request)))
        self._fixtures[id(fixturedef)] = part.with_shared(self._fixtures.get(id(fixturedef), part))
        return found[0]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed |= report.failed or report.skipped

    def _fixtures_of(self, item: Any) -> Iterator[Part]:
        for definitions in item._fixtureinfo.name2fixturedefs.values():
            for definition in definitions:
                if id(definition) in self._fixtures:
                    yield self._fixtures[id(definition)]

    def _watch_caches(self) -> list[Any]:
        """What tests keep counts for each that asks for it. Returns what the model keeps, to be emptied each time."""
        kept = [each for each in gc.get_objects() if isinstance(each, functools._lru_cache_wrapper)]
        for module in [module for name, module in sys.modules.items() if name.startswith("tests.")]:
            for name, value in list(vars(module).items()):
                if any(value is each for each in kept) and value.__module__.startswith("tests."):
                    setattr(module, name, self._marks.remembering(value))
        return [each for each in kept if (each.__module__ or "").startswith(("sim.model", "sim.fleet", "sim.result"))]


@dataclass(frozen=True)
class Part:
    """What a part of a test runs, and how long it takes."""

    hit: frozenset[int]
    took_s: float

    def with_shared(self, other: Part) -> Part:
        """With what it has of another, which may have been made for an earlier test."""
        return Part(self.hit | other.hit, self.took_s + other.took_s)


class Marks:
    """The marks that statements leave, and who runs them."""

    def __init__(self, marks: bytearray) -> None:
        self._marks = marks
        self._borrowed_s = 0.0

    def during(self, action: Callable[[], object]) -> Part:
        """Do something, and see what it runs; whatever goes on around it has run that, too."""
        before, before_s = self._seen(), self._borrowed_s
        self._marks[:] = bytes(len(self._marks))
        begun_s = time.process_time()
        try:
            action()
        finally:
            took_s = time.process_time() - begun_s + self._borrowed_s - before_s
            hit = self._seen()
            self._mark(before)
        return Part(frozenset(hit), took_s)

    def remembering(self, kept: Any) -> Callable[..., Any]:
        """A cached function that marks what it ran even when it only looks up what it found then."""
        parts: dict[Any, Part] = {}

        def called(*args: Any, **options: Any) -> Any:
            found: list[Any] = []
            misses = kept.cache_info().misses
            part = self.during(lambda: found.append(kept(*args, **options)))
            key = (args, *sorted(options.items()))
            if kept.cache_info().misses > misses:
                parts[key] = part
            else:
                self._mark(parts[key].hit)
                self._borrowed_s += parts[key].took_s
            return found[0]

        return called

    def _seen(self) -> list[int]:
        return np.flatnonzero(np.frombuffer(self._marks, np.uint8)).tolist()

    def _mark(self, places: Iterable[int]) -> None:
        for place in places:
            self._marks[place] = 1


def _too_long(*_: object) -> None:
    pytest.fail("takes too long")
