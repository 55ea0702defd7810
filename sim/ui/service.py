"""What the page can ask, whoever brings the question: opening, looking, saving, jobs. Owns queues and caches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

from sim.config import catalogue
from sim.config.errors import ConfigError, Problem
from sim.ui.crew.crew import Call, Crew, TooLongError
from sim.ui.crew.jobs import Jobs
from sim.ui.crew.worker import Setup
from sim.ui.desk import plots
from sim.ui.desk.knobs import LOAD, check, sizes
from sim.ui.desk.source import Files
from sim.ui.kept import Kept
from sim.ui.shelf import Shelf
from sim.ui.wire.asked import Look, Source, State
from sim.ui.wire.limits import Limits
from sim.ui.wire.told import About, Opened
from sim.version import VERSION

__all__ = ["BusyError", "LongError", "OvertakenError", "Service"]

_GLANCE_S = 0.25
Work = Callable[[object, int, State, Opened, list[int]], Coroutine[Any, Any, dict[str, Any]]]
"""What is worked out for a state: its mark, the question's number, the state, its scenario, the sizes of the curve."""


class BusyError(Exception):
    """There is as much to do as there may be; come back later."""


class OvertakenError(Exception):
    """The same page has asked something else since."""


class LongError(Exception):
    """Too long to wait for: to be asked as a job."""

    def __init__(self, expected_requests: float = 0.0) -> None:
        super().__init__()
        self.expected_requests = expected_requests


@dataclass(frozen=True)
class _Place:
    """Where a state stands on its curve."""

    key: str
    """The slider that the curve is over."""
    own: int
    """The fleet size of the state itself."""
    rest: tuple[object, ...]
    """The same for all states of one curve."""


class Service:
    """Everything behind the routes."""

    def __init__(self, files: Files, limits: Limits, first: State | None = None) -> None:
        self.files, self.limits, self.first = files, limits, first
        self.shelf = None if files.outputs is None else Shelf(files.outputs, limits.stored)
        self.crew = Crew(limits.live_workers, Setup(files, limits))
        self.jobs = Jobs(Setup(files, limits, nice=10), limits)
        self._opened: Kept[Opened] = Kept(64)
        self._points: Kept[dict[str, Any]] = Kept(4096)
        self._slow: Kept[float] = Kept(64)
        """Scenarios that took too long, with the load at which they did."""
        self._looks: dict[object, str] = {}
        """Looks that are under way, with their clients."""
        self._calls: dict[object, list[Call]] = {}

    def close(self) -> None:
        """End all processes."""
        self.crew.close()
        self.jobs.close()

    def about(self) -> About:
        """What there is to open."""
        stored = [] if self.shelf is None else [each.told for each in self.shelf.all().values()]
        names = [{"name": name} for name in catalogue.names(catalogue.SCENARIOS)]
        given = self.files.given or ""
        return About(version=VERSION, scenarios=names, given=given, stored=stored, first=self.first)

    async def open(self, source: Source, admitted: bool = False) -> Opened:
        """A scenario and its knobs. Raises `ConfigError`, `DataError`, `BusyError` unless it is a part of a look."""
        key = (source.kind, source.value, self.files.version(source))
        found = self._opened.get(key)
        if found is None:
            if not admitted:
                self._admit()
            found = Opened.model_validate(await self._waited("open", source))
            self._opened.put(key, found)
        return found

    async def scenario(self, state: State) -> str:
        """The state as a scenario file."""
        self._admit()
        return str(await self._waited("scenario", state))

    async def curve(self, look: Look) -> dict[str, Any]:
        """The curve of a state alone, as `CurveTold`: what follows a slider first. Raises as `look` does."""
        return await self._looked(look, self._curve)

    async def look(self, look: Look) -> dict[str, Any]:
        """The charts of a state, as `LookTold`. Raises as `open` does, and `LongError`, `OvertakenError`."""
        return await self._looked(look, self._charts)

    async def _looked(self, look: Look, work: Work) -> dict[str, Any]:
        state = State(source=look.source, moved=look.moved, pool=look.pool)
        mark, requests = object(), 0.0
        self._overtake(look.client)
        self._admit()
        self._looks[mark], self._calls[mark] = look.client, []
        try:
            opened, wanted = await self.sizes(state, admitted=True)
            slow = self._slow.get(state.source.value)
            requests = opened.expected_requests * _load(state)
            if requests > self.limits.live_requests or (slow is not None and _load(state) >= slow / 2):
                raise LongError(requests)
            return await self._in_time(mark, work(mark, look.number, state, opened, wanted), state)
        except (CancelledError, asyncio.CancelledError):
            raise OvertakenError from None
        except (TooLongError, LongError):
            raise LongError(requests) from None
        finally:
            for call in self._calls.pop(mark):
                call.drop()
            del self._looks[mark]

    async def _in_time(self, mark: object, work: Coroutine[Any, Any, dict[str, Any]], state: State) -> dict[str, Any]:
        """What it comes to. Raises `LongError` if it is worked at too long for a page that waits; compiling apart."""
        task, spent_s = asyncio.ensure_future(work), 0.0
        while not task.done():
            await asyncio.wait([task], timeout=_GLANCE_S)
            at_work = any(call.future.running() for call in self._calls[mark])
            spent_s += _GLANCE_S if at_work and not self.crew.compiling else 0.0
            if spent_s >= self.limits.live_s and not task.done():
                task.cancel()
                self._slow.put(state.source.value, _load(state))
                raise LongError
        return task.result()

    async def sizes(self, state: State, admitted: bool = False) -> tuple[Opened, list[int]]:
        """The scenario of a state, and the fleet sizes of its curve."""
        opened = await self.open(state.source, admitted)
        pool = next((each for each in opened.pools if state.pool in (None, each.name)), None)
        if pool is None:
            known = ", ".join(each.name for each in opened.pools)
            raise ConfigError(Problem(f"no such pool; there are: {known[:300]}", "pool"))
        check(opened.knobs, state.moved)
        knob = next((each for each in opened.knobs if each.key == pool.size_key), None)
        if knob is None:
            return opened, []
        return opened, sizes(knob, float(state.moved.get(knob.key, knob.own)), self.limits.sizes)

    async def _curve(
        self, mark: object, number: int, state: State, opened: Opened, wanted: list[int]
    ) -> dict[str, Any]:
        place = self._place(state, opened)
        points = await self._sized(mark, state, place, wanted)
        plot = plots.curve(points, place.own, opened.metric, _size_word(place.key))
        return {"number": number, "points": points, "plot": plot}

    async def _charts(
        self, mark: object, number: int, state: State, opened: Opened, wanted: list[int]
    ) -> dict[str, Any]:
        place = self._place(state, opened)
        own = self._call(mark, "present", state)
        points = await self._sized(mark, state, place, [size for size in wanted if size != place.own])
        present = await asyncio.wrap_future(own.future)
        self._points.put((place.rest, place.own), present["point"])
        everything = sorted([*points, present["point"]], key=lambda point: int(point["replicas"]))
        return told(present, everything, number, _size_word(place.key))

    async def _sized(self, mark: object, state: State, place: _Place, wanted: list[int]) -> list[dict[str, Any]]:
        """The points of a curve; those that are known are not made again."""
        known = {size: found for size in wanted if (found := self._points.get((place.rest, size))) is not None}
        calls = {size: self._call(mark, "size", state, size) for size in wanted if size not in known}
        for size, call in calls.items():
            known[size] = self._points.put((place.rest, size), await asyncio.wrap_future(call.future))
        return [known[size] for size in sorted(known)]

    def _place(self, state: State, opened: Opened) -> _Place:
        key = next(each.size_key for each in opened.pools if state.pool in (None, each.name))
        now = state.moved.get(key)
        own = int(now if isinstance(now, int | float) else _own(opened, key))
        return _Place(key, own, (state.key(key), self.files.version(state.source)))

    def _call(self, mark: object, name: str, *arguments: Any) -> Call:
        call = self.crew.give(name, *arguments, most_s=self.limits.live_s)
        self._calls[mark].append(call)
        return call

    async def _waited(self, name: str, *arguments: Any) -> Any:
        mark = object()
        self._looks[mark], self._calls[mark] = "", []
        try:
            return await asyncio.wrap_future(self._call(mark, name, *arguments).future)
        finally:
            for call in self._calls.pop(mark):
                call.drop()
            del self._looks[mark]

    def _admit(self) -> None:
        if len(self._looks) >= self.limits.looks:
            raise BusyError

    def _overtake(self, client: str) -> None:
        """Drop what the same page has asked before."""
        for mark, whose in self._looks.items():
            if client and whose == client:
                for call in self._calls[mark]:
                    call.drop()


def told(present: dict[str, Any], points: list[dict[str, Any]], number: int, size: str) -> dict[str, Any]:
    """An answer as `LookTold`."""
    own = present["point"]
    curve = plots.curve(points, own["replicas"], present["metric"], size)
    rest = {name: present[name] for name in ("command", "verdict", "mood", "tiles", "notes")}
    return {"number": number, **rest, "points": points, "plots": {"curve": curve, **present["plots"]}}


def _size_word(size_key: str) -> str:
    return "replicas" if size_key.endswith(".replicas") else "most replicas"


def _own(opened: Opened, key: str) -> float:
    return next((float(knob.own) for knob in opened.knobs if knob.key == key), 0.0)


def _load(state: State) -> float:
    return float(state.moved.get(LOAD, 1.0))
