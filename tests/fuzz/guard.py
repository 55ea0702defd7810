"""What a reader must not do: take long, take much memory, touch other files, start programs, talk to a network.

Python tells all of this itself (audit events), so nothing has to be replaced for it.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

SECONDS = 1.0
"""Of processor time, so that a busy machine is no finding."""
BYTES = 500_000_000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NEVER = (
    *("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"),
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn"),
    *("webbrowser.open", "ctypes.dlopen", "pickle.find_class", "marshal.loads"),
)
_CHANGING = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink", "shutil.rmtree")
_PROJECT = Path(__file__).resolve().parents[2]
_SOURCES = os.path.join(_PROJECT, "sim", "")
_MACHINE = ("/proc/", "/sys/", "/etc/", "/dev/null", "/dev/urandom")
"""What libraries ask of the machine (processors, time zones)."""


class FindingError(AssertionError):
    """A reader has done what no reader may."""


@dataclass
class Watch:
    """What happens while a reader is at work."""

    folder: str
    anywhere: bool
    """Whether it may read files that its input names: a user's own scenario names the user's own files."""
    seen: list[str] = field(default_factory=list)


_watches: list[Watch] = []
_hooked: list[bool] = []


@contextmanager
def guarded(folder: Path, anywhere: bool = False) -> Iterator[None]:
    """Raise `FindingError` for what is done in here and may not be. Files may be read and written in the folder."""
    if not _hooked:
        sys.addaudithook(_told)
        _hooked.append(True)
    watch = Watch(os.path.realpath(folder), anywhere)
    most_kb, began_s = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    before = signal.signal(signal.SIGVTALRM, _too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, 3 * SECONDS)
    _watches.append(watch)
    gc.freeze()  # else the garbage collector walks all that a whole suite holds, on the reader's time
    try:
        yield
    finally:
        gc.unfreeze()
        _watches.remove(watch)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    took_s = time.process_time() - began_s
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most_kb) * 1024
    if watch.seen:
        raise FindingError("; ".join(dict.fromkeys(watch.seen)))
    if took_s > SECONDS:
        raise FindingError(f"took {took_s:.2f} s of processor time")
    if grown > BYTES:
        raise FindingError(f"took {grown / 1e6:.0f} MB")


def _too_slow(*_: Any) -> None:
    raise FindingError(f"takes more than {3 * SECONDS:g} s of processor time")


def _told(event: str, args: tuple[Any, ...]) -> None:
    if not _watches:
        return
    watch = _watches[-1]
    wrong = None
    if event == "open":
        wrong = _opened(watch, *args)
    elif event in _NEVER:
        # a library that is loaded for the first time is no doing of the input
        wrong = None if event in ("ctypes.dlopen", "marshal.loads") and _importing() else f"{event}{args!r:.200}"
    elif event in _CHANGING:
        wrong = None if _inside(watch, args[0], *args[1:]) else f"{event}{args!r:.200}"
    elif event in ("compile", "exec") and _by_us():
        wrong = f"{event} of text"
    if wrong:
        watch.seen.append(wrong)
        raise FindingError(wrong)


def _opened(watch: Watch, path: Any, mode: Any, flags: Any) -> str | None:
    if not isinstance(path, str | bytes):  # a number that is open already
        return None
    if isinstance(flags, int) and flags & _WRITING and path not in ("/dev/null", b"/dev/null"):
        return None if _inside(watch, path) or _importing() else f"writes {path!r:.200}"
    if watch.anywhere or _inside(watch, path) or _importing():
        return None
    text = os.path.realpath(os.fsdecode(path))
    return None if text.startswith(_readable()) else f"reads {path!r:.200}"


def _inside(watch: Watch, path: Any, *more: Any) -> bool:
    if not isinstance(path, str | bytes | os.PathLike):
        return True
    text = os.fsdecode(path)
    if more and isinstance(more[-1], int) and more[-1] >= 0 and not os.path.isabs(text):  # of an open folder
        text = os.path.join(os.readlink(f"/proc/self/fd/{more[-1]}"), text)
    text = os.path.realpath(text)
    return text == watch.folder or text.startswith(watch.folder + os.sep)


@cache
def _readable() -> tuple[str, ...]:
    paths = {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")} | {
        path for path in sys.path if path
    }
    ours = (_PROJECT / "configs", _PROJECT / "workloads", *map(os.path.realpath, paths))
    return (*map(str, ours), "/usr/", *_MACHINE)


def _importing() -> bool:
    """Whether a module is being loaded right now."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _by_us() -> bool:
    """Whether it is the project's own code that asks for it."""
    return sys._getframe(2).f_code.co_filename.startswith(_SOURCES)
