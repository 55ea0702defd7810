"""What a process of a local pool does, and how the pool sees it."""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import Any

READY = b""
"""The first message of a worker: it has started."""
_PATIENCE_S = 2.0


class Worker:
    """One process, seen from the pool."""

    def __init__(self, context: SpawnContext | ForkServerContext, preload: str = "") -> None:
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, preload), daemon=True)
        with _no_interrupt():
            self.process.start()
        theirs.close()  # so that its end is seen here when it dies
        self.is_ready = False
        self.began_s = time.monotonic()
        self.place: int | None = None
        """The task that it works at."""

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a task."""
        return self.is_ready and self.place is None

    def give(self, place: int, packed: bytes) -> None:
        """Let it do a task (a pair of function and argument, pickled)."""
        self.place = place
        try:
            self.pipe.send_bytes(packed)
        except OSError:
            return  # it has died: the pool sees that where it listens

    def heard(self) -> bytes | None:
        """Its next message; None: it has died."""
        try:
            return self.pipe.recv_bytes()
        except (EOFError, OSError):
            return None

    def dismiss(self) -> None:
        """End it: at once if it is at work, else as soon as it sees that nobody asks any more."""
        self.pipe.close()
        if not self.is_idle:
            self.process.terminate()
        self.process.join(_PATIENCE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Put off Ctrl-C while a process is made, which then never sees one: the pool ends it."""
    mask = getattr(signal, "pthread_sigmask", None)
    if mask is None:
        yield
        return
    before = mask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        mask(signal.SIG_SETMASK, before)


def serve(pipe: Connection, preload: str = "") -> None:
    """Do what comes through the pipe until it is closed; `preload`: a module that the work needs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if preload:
        importlib.import_module(preload)
    try:
        pipe.send_bytes(READY)
        while True:
            pipe.send_bytes(_answer(pipe.recv_bytes()))
    except (EOFError, OSError):
        return  # nobody asks any more


def _answer(packed: bytes) -> bytes:
    """What the work comes to, pickled: whether it went well, and the value or the error."""
    told: Any
    try:
        work: Callable[[Any], Any]
        work, task = pickle.loads(packed)
        told = (True, work(task))
    except Exception as error:
        error.add_note("in another process:\n" + traceback.format_exc())
        told = (False, error)
    try:
        return pickle.dumps(told)
    except Exception as error:
        return pickle.dumps((False, RuntimeError(f"{told[1]!r} cannot be handed over: {error}")))


def _end_with_parent() -> None:
    """However the pool's process ends, its workers do not outlive it."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
