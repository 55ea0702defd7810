"""A bound on how long a user's own code may take, where the system can keep one: in a main thread, not on Windows."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN_S = 1.0
"""Code that catches whatever is raised in it is told again so often."""


class TooLong(BaseException):  # no Exception: code that catches those is to end, too
    """Raised in what has taken too long."""


@contextmanager
def bounded(most_s: float) -> Iterator[None]:
    """Raise `TooLong` in what is inside when it takes longer than this; elsewhere than above, it may take for ever."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: object) -> None:
        raise TooLong

    handler = signal.signal(signal.SIGALRM, ring)
    before_s, every_s = signal.setitimer(signal.ITIMER_REAL, most_s, AGAIN_S)
    began_s = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if before_s:  # somebody else's alarm goes on
            left_s = max(before_s - (time.monotonic() - began_s), 1e-3)
            signal.setitimer(signal.ITIMER_REAL, left_s, every_s)
