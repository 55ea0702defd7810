"""The one door to Numba: transitions are written once, run as plain Python or compiled, with the same bits either way.

A function marked `@compiled` stays the plain function until `compile_all` is called; then the module that defines it
holds the compiled one instead. Small runs never pay for a compiler, and `NUMBA_DISABLE_JIT=1` keeps everything plain.
For this to work, transitions call one another through their modules (`queues.push_back(...)`, not an imported name).
"""

from __future__ import annotations

import functools
import getpass
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

OPTIONS: dict[str, Any] = {"cache": True, "_nrt": False, "no_cfunc_wrapper": True}
"""No transition allocates, so none needs reference counts: together with inlining this is worth a factor of four.
No C code calls one: leaving out the door for it saves a sixth of the time that compiling takes."""

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


@functools.cache
def compile_all() -> None:
    """Put compiled functions in the place of the plain ones, in their modules, once a process.

    Compiling itself happens at the first call of each; results are kept on disk under a name that changes with any
    source file of the model, because Numba's own check sees only the file of the outermost function.
    """
    if disabled():
        return
    import numba

    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder())
    try:
        for function, inline in _marked:
            jitted = numba.njit(forceinline=inline, **OPTIONS)(function)
            setattr(sys.modules[function.__module__], function.__name__, jitted)
    finally:
        config.CACHE_DIR = before


@functools.cache
def cache_folder() -> Path:
    """The folder of this version's compiled code; one for temporary files when the user's cache cannot be written."""
    wanted = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    for base in (Path(wanted) if wanted else Path.home() / ".cache", Path(tempfile.gettempdir()) / getpass.getuser()):
        folder = base / "fleetcast" / _source_digest()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return Path(tempfile.mkdtemp(prefix="fleetcast-"))


def cached_on_disk() -> bool:
    """True when an earlier process left compiled code for exactly these sources."""
    return any(cache_folder().rglob("*.nbi"))


def _source_digest() -> str:
    """Changes with any source file that has a marked function in it."""
    digest = hashlib.sha256()
    for path in sorted({Path(sys.modules[function.__module__].__file__ or "") for function, _ in _marked}):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]
