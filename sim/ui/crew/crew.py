"""The processes that work for the page: calls are given to whoever is free, ended when they take too long or nobody
wants them any more, and a process that ends is replaced.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from sim.config.errors import ConfigError, DataError, Problem
from sim.ui.crew.worker import READY, Setup, main

__all__ = ["BugError", "Call", "Crew", "TooLongError"]

START_S = 900.0
"""Compiling the engine takes half a minute where that has not been done before, on a busy machine minutes."""
_GLANCE_S = 0.05
_GRACE_S = 1.0
"""Work that nobody wants any more is let finish so long: a process takes longer to replace."""
PRELOAD = "sim.ui.crew.worker"


class BugError(Exception):
    """Our own mistake in a worker, with its traceback."""


class TooLongError(ConfigError):
    """It was ended for having taken too long."""


@dataclass(eq=False)
class Call:
    """One thing to be worked out."""

    name: str
    arguments: tuple[Any, ...]
    most_s: float
    told: Callable[[Any], None] | None = None
    future: Future[Any] = field(default_factory=Future)
    unwanted_at: float | None = None

    def cancel(self, grace_s: float = 0.0) -> None:
        """Nobody wants it any more: if it has begun, its process is ended, unless it is done so soon."""
        if self.unwanted_at is None:
            self.unwanted_at = time.monotonic() + grace_s
        self.future.cancel()

    def drop(self) -> None:
        """As `cancel`, of short work."""
        self.cancel(_GRACE_S)


class Crew:
    """So many processes, each with a thread here that gives it calls, first come, first served."""

    def __init__(self, size: int, setup: Setup) -> None:
        self.setup = setup
        self._waiting: deque[Call] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.ready = threading.Event()
        """At least one process can work."""
        self._members = [_Member(self, setup) for _ in range(size)]
        for member in self._members:
            member.start()

    def give(self, name: str, *arguments: Any, most_s: float, told: Callable[[Any], None] | None = None) -> Call:
        """Have something worked out; its future has the value, or raises `ConfigError`, `DataError`, `BugError`."""
        call = Call(name, arguments, most_s, told)
        with self._changed:
            if self._closed:
                call.future.set_exception(ConfigError("the server is stopping"))
            else:
                self._waiting.append(call)
                self._changed.notify()
        return call

    def close(self) -> None:
        """End all processes; what is waiting is not done."""
        with self._changed:
            self._closed = True
            waiting, self._waiting = list(self._waiting), deque()
            self._changed.notify_all()
        for call in waiting:
            call.cancel()
        for member in self._members:
            member.end()

    def processes(self) -> list[int]:
        """The ids of the processes that are alive."""
        return [pid for member in self._members if (pid := member.pid) is not None]

    @property
    def compiling(self) -> bool:
        """Whether one of them compiles the engine, as happens once on a machine."""
        return not self.ready.is_set() or any(member.compiling for member in self._members)

    def next(self) -> Call | None:
        """The next call that somebody wants; None: there will be none."""
        with self._changed:
            while not self._closed:
                while self._waiting:
                    call = self._waiting.popleft()
                    if call.future.set_running_or_notify_cancel():
                        return call
                self._changed.wait()
        return None


class _Member(threading.Thread):
    """The thread of one process."""

    def __init__(self, crew: Crew, setup: Setup) -> None:
        super().__init__(daemon=True, name="fleetcast-ui-worker")
        self.crew, self.setup = crew, setup
        self.pipe: Connection | None = None
        self.process: Any = None
        self.closing = self.compiling = False

    @property
    def pid(self) -> int | None:
        """Of its process, if that is alive."""
        process = self.process
        return process.pid if process is not None and process.is_alive() else None

    def run(self) -> None:
        """Give the process calls, one after another."""
        failed = self._began()
        while (call := self.crew.next()) is not None:
            if self.process is not None and not self.process.is_alive():  # it ended while it had nothing to do
                self._kill()
            failed = self._began() if self.process is None else failed
            if self.process is None:
                call.future.set_exception(BugError(failed))
                continue
            try:
                self._do(call)
            except BaseException as error:
                self._kill()
                with suppress(Exception):
                    call.future.set_exception(error)
        self._kill()

    def end(self) -> None:
        """End the process, whatever it does."""
        self.closing = True
        process = self.process
        if process is not None:
            with suppress(ValueError, AttributeError):
                process.kill()

    def _began(self) -> str:
        """Start the process; why it could not, if so."""
        context: Any = multiprocessing.get_context(_method())
        if _method() == "forkserver":
            context.set_forkserver_preload([PRELOAD])
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=main, args=(theirs, self.setup), daemon=True)
        self.process.start()
        theirs.close()
        try:
            if self.pipe.poll(START_S) and self.pipe.recv() == READY:
                self.crew.ready.set()
                return ""
        except (EOFError, OSError):
            pass
        self._kill()
        return "a worker process ended as soon as it was started"

    def _do(self, call: Call) -> None:
        assert self.pipe is not None
        ends = time.monotonic() + call.most_s
        self.pipe.send((call.name, call.arguments))
        while True:
            now = time.monotonic()
            unwanted = call.unwanted_at is not None and now >= call.unwanted_at
            if self.closing or (unwanted and not self.compiling):
                self._kill()
                call.future.set_exception(CancelledError())
                return
            left = ends - now
            if left <= 0:
                self._kill()
                told = f"took longer than {call.most_s:g} s and was ended; lower the load or the horizon"
                call.future.set_exception(TooLongError(Problem(told, "horizon")))
                return
            if not self.pipe.poll(min(left, _GLANCE_S)):
                continue
            try:
                kind, value = self.pipe.recv()
            except (EOFError, OSError):
                self._kill()
                told = "ended the process that worked at it, most likely for want of memory; lower the load"
                call.future.set_exception(ConfigError(Problem(told, "horizon")))
                return
            if kind == "compiling":  # once on a machine: no time of the run's
                self.compiling = value
                ends = time.monotonic() + (START_S if value else call.most_s)
                continue
            if kind == "told":
                if call.told is not None:
                    call.told(value)
                continue
            self._tell(call, kind, value)
            return

    def _tell(self, call: Call, kind: str, value: Any) -> None:
        if kind == "done":
            call.future.set_result(value)
        elif kind == "wrong":
            assert isinstance(value, ConfigError | DataError)
            call.future.set_exception(value)
        else:
            call.future.set_exception(BugError(value))

    def _kill(self) -> None:
        self.compiling = False
        process, self.process = self.process, None
        if self.pipe is not None:
            self.pipe.close()
            self.pipe = None
        if process is not None:
            process.kill()
            process.join(5)


def _method() -> str:
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
