"""Locks on a folder or a file, which end with the process that has them, however it ends. No file is left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path


class Lock:
    """A lock that is not held yet. Where the system knows none (or the file system), it is always got."""

    def __init__(self, handle: int | None) -> None:
        self._handle = handle

    def alone(self) -> bool:
        """Hold it against all others; whether that could be. If not, it may not be held with others any more."""
        return self._got("LOCK_EX")

    def together(self) -> bool:
        """Hold it with others who do the same; whether that could be."""
        return self._got("LOCK_SH")

    def _got(self, how: str) -> bool:
        if self._handle is None:
            return True
        import fcntl

        try:
            fcntl.flock(self._handle, getattr(fcntl, how) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True


def of(folder: Path) -> AbstractContextManager[Lock]:
    """The lock of a folder."""
    return _opened(folder, os.O_RDONLY)


def of_file(path: Path) -> AbstractContextManager[Lock]:
    """The lock of a file, which is made if it is not there."""
    return _opened(path, os.O_RDWR | os.O_CREAT)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[Lock]:
    try:
        import fcntl  # noqa: F401
    except ImportError:
        yield Lock(None)
        return
    handle = os.open(path, flags, 0o666)
    try:
        yield Lock(handle)
    finally:
        os.close(handle)
