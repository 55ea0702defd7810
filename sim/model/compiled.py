"""The one door to Numba: transitions are written once, run as plain Python or compiled, with the same bits either way.

A function marked `@compiled` stays the plain function until `compile_all` is called; then the module that defines it
holds the compiled one instead. Small runs never pay for a compiler, and `NUMBA_DISABLE_JIT=1` keeps everything plain.
For this to work, transitions call one another through their modules (`queues.push_back(...)`, not an imported name).
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sim.model import cache

OPTIONS: dict[str, Any] = {"_nrt": False, "no_cfunc_wrapper": True, "nogil": True}
"""No transition allocates, so none needs reference counts: together with inlining this is worth a factor of four.
No C code calls one: leaving out the door for it saves a sixth of the time that compiling takes. None touches Python's
objects, so other threads may run meanwhile."""

F = TypeVar("F", bound=Callable[..., Any])

_marked: list[tuple[Callable[..., Any], bool]] = []


def compiled(function: F) -> F:
    """Mark a transition: plain now, compiled by `compile_all` (no exceptions, no randomness, no I/O inside).

    Its code is put into each caller's. Numbers that it is called with should have one width everywhere (`0 + int(...)`
    widens one that a table keeps in 32 bits), or it is compiled once for each.
    """
    _marked.append((function, True))
    return function


def compiled_apart(function: F) -> F:
    """Mark a transition that is large and rarely called: callers call it, and the compiler sees its code once."""
    _marked.append((function, False))
    return function


def disabled() -> bool:
    """True when the user forbids compiling."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


@dataclass
class Build:
    """What is compiled in this process, and for which runs."""

    extras: bool = False
    """With what few runs need: clients that act, links between pools, orders of queues, routers with a memory."""
    done: bool = False


_build = Build()


def widen() -> None:
    """From now on compile with extras: a run needs them. Without, code is compiled in a third of the time."""
    if not _build.extras:
        _build.extras = True
        if _build.done:
            _build.done = False
            compile_all()


def compile_all() -> None:
    """Put compiled functions in the place of the plain ones, in their modules, once a process.

    Compiling itself happens at the first call of each; results are kept on disk under a name that changes with any
    source file of the model, because Numba's own check sees only the file of the outermost function. Without extras the
    constant EXTRAS of a module is false, and what depends on it is not even looked at.
    """
    if disabled() or _build.done:
        return
    _build.done = True
    import numba

    config: Any = numba.config
    before, folder = config.CACHE_DIR, cache_folder()
    config.CACHE_DIR = str(folder or "")
    options = {**OPTIONS, "cache": folder is not None}
    try:
        for function, inline in _marked:
            module = sys.modules[function.__module__]
            if hasattr(module, "EXTRAS"):
                setattr(module, "EXTRAS", _build.extras)  # noqa: B010
            jitted = numba.njit(forceinline=inline, **options)(function)
            cache.checked(jitted)
            setattr(module, function.__name__, jitted)
    finally:
        config.CACHE_DIR = before


def watch_compiling(told: Callable[[bool], None]) -> None:
    """Have `told` called when compiling begins (True) and ends (False); loading what is on disk is no compiling."""
    if disabled():
        return
    from numba.core import event

    class Watch(event.Listener):
        """Counts compilers within compilers."""

        depth = 0

        def on_start(self, _: Any) -> None:
            self.depth += 1
            if self.depth == 1:
                told(True)

        def on_end(self, _: Any) -> None:
            self.depth -= 1
            if not self.depth:
                told(False)

    register: Any = event.register
    register("numba:compile", Watch())


def cache_folder() -> Path | None:
    """The folder of this version's compiled code, with or without extras; None where none can be had."""
    return cache.folder(_source_digest() + ("-extras" if _build.extras else ""))


def cached_on_disk() -> bool:
    """True when an earlier process left compiled code for exactly these sources."""
    folder = cache_folder()
    return folder is not None and any(folder.rglob("*.nbi"))


@functools.cache
def _source_digest() -> str:
    """Changes with any source file that has a marked function in it, and with the compiler."""
    digest = hashlib.sha256(cache.versions().encode())
    for path in sorted({Path(sys.modules[function.__module__].__file__ or "") for function, _ in _marked}):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]
