"""SIGTERM and Ctrl-C: the command is told once, as `KeyboardInterrupt`, where an exception can come out."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

LOST_IN = ("llvmlite", "weakref")
"""LLVM calls Python back while it compiles. What is raised in there is printed and lost, and the compiler breaks. So it
is lost in what Python calls when an object goes: weak references, and `__del__`."""
AGAIN_S = 0.02
"""A signal that comes there is tried again so soon."""


class Interrupted(KeyboardInterrupt):
    """What is raised.

    A class of its own: where C code runs Python code (as some imports do), Python notes a plain `KeyboardInterrupt`
    that passes, and kills itself by SIGINT at its end, whatever was made of it.
    """


class Stopping:
    """While this is open, either signal ends what runs, so that what is half-written is taken away.

    Signals that the process was started to ignore stay ignored (`nohup`, a job in the background).
    """

    def __init__(self) -> None:
        self.number = 0
        """The signal that came last; 0: none has."""
        self._before: dict[int, Any] = {}

    @property
    def code(self) -> int:
        """What the command exits with: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + (self.number or signal.SIGINT)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                    self._before[number] = signal.signal(number, self._came)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if signal.SIGALRM in self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _came(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._raise(number, frame)

    def _raise(self, _: int, frame: FrameType | None) -> None:
        if _is_lost(frame) and hasattr(signal, "setitimer"):
            if signal.SIGALRM not in self._before:
                self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._raise)
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        else:
            raise Interrupted


def _is_lost(frame: FrameType | None) -> bool:
    """Whether such a function is at work, at the top or further down."""
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in LOST_IN or frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
