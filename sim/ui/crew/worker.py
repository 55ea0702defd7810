"""A process that works for the page: it takes calls through a pipe, under a limit of memory, and answers.

It answers `("done", value)`, `("wrong", error)` for what the user can mend, `("bug", traceback)` for what we must, and
on the way `("told", progress)` and `("compiling", whether)`: that happens once on a machine, and is nobody's fault.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import Any

from sim.config.errors import ConfigError, DataError, Problem
from sim.engine import warm_up
from sim.model import compiled
from sim.ui.desk.desk import Desk
from sim.ui.desk.source import Files
from sim.ui.wire.limits import Limits

__all__ = ["CALLS", "JOBS", "READY", "Setup", "main"]

READY = ("ready", None)
CALLS = ("open", "present", "size", "scenario")
JOBS = ("look", "compare")
"""Calls that tell how far they are."""


@dataclass(frozen=True)
class Setup:
    """What a worker needs to know before it is asked."""

    files: Files
    limits: Limits
    nice: int = 0


def main(pipe: Connection, setup: Setup) -> None:
    """Answer calls until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if setup.nice:
        os.nice(setup.nice)
    warm_up("compiled", None)
    _bound_memory(setup.limits.worker_bytes)
    desk = Desk(setup.files, setup.limits)
    with suppress(EOFError, OSError):  # nobody asks any more
        pipe.send(READY)
        compiled.watch_compiling(lambda whether: pipe.send(("compiling", whether)))
        while True:
            name, arguments = pipe.recv()
            pipe.send(_answer(desk, name, arguments, pipe))


def _answer(desk: Desk, name: str, arguments: tuple[Any, ...], pipe: Connection) -> tuple[str, Any]:
    assert name in CALLS or name in JOBS, name
    call: Callable[..., Any] = getattr(desk, name)
    more = (lambda told: pipe.send(("told", told)),) if name in JOBS else ()
    try:
        return "done", call(*arguments, *more)
    except (ConfigError, DataError) as error:
        return "wrong", error
    except MemoryError:
        most = f"{desk.limits.worker_bytes / 2**30:.3g} GiB"
        told = f"takes more memory than this page gives a run ({most}); lower the load or the horizon"
        return "wrong", ConfigError(Problem(told, "horizon"))
    except Exception:
        return "bug", traceback.format_exc()


def _bound_memory(more_bytes: int) -> None:
    """Let this process have so much more memory than it has now; what wants more gets a MemoryError."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            has_bytes = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (has_bytes + more_bytes, resource.RLIM_INFINITY))
    except (ImportError, OSError, ValueError):
        return  # not Linux: the limit of requests has to do


def _end_with_parent() -> None:
    """However the server ends, its workers do not outlive it."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)
