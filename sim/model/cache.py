"""Where compiled code is kept between processes, and that what is read from there is what was written.

A cache only saves time: one that cannot be written, is full, damaged or of another version is done without.
"""

from __future__ import annotations

import functools
import getpass
import hashlib
import os
import pickle
import stat
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

_DIGEST_BYTES = hashlib.sha256().digest_size


def folder(name: str) -> Path | None:
    """The folder of this name in the user's cache; else in that for temporary files; None: nothing can be written."""
    wanted = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    base = Path(wanted) if wanted else _home()
    if base is not None and _is_usable(base / "fleetcast" / name):
        return base / "fleetcast" / name
    temporary = _temporary()
    # others can write there too: what they have put in this place is not for us to run
    if temporary is not None and _is_own(temporary / "fleetcast") and _is_usable(temporary / "fleetcast" / name):
        return temporary / "fleetcast" / name
    return _last_resort()


def versions() -> str:
    """What compiled code depends on besides its source."""
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("numba", "llvmlite"))


def checked(jitted: Any) -> None:
    """Have a function's code kept with its digest: damaged code would crash, or count wrongly."""
    cache: Any = getattr(jitted, "_cache", None)
    kept: Any = getattr(cache, "_cache_file", None)
    if kept is not None:
        base: Any = type(kept)
        cache._cache_file = kind(base)(cache.cache_path, cache._impl.filename_base, kept._source_stamp)


@functools.cache
def kind(files: Any) -> Any:
    """Numba's class for the index and data files of one function (given: this module does not load Numba), checked."""

    class Checked(files):  # type: ignore[misc]
        """What is not as it was written is not there; what cannot be written is not kept."""

        def load(self, key: Any) -> Any:
            try:
                return super().load(key)
            except Exception:  # a pickle that is damaged may raise anything
                return None

        def save(self, key: Any, data: Any) -> None:
            try:
                super().save(key, data)
            except OSError:
                return

        def _load_index(self) -> Any:
            try:
                if not _is_sound(Path(self._index_path).read_bytes()):
                    return {}
                return super()._load_index()
            except Exception:
                return {}

        def _save_index(self, overloads: Any) -> None:
            data = pickle.dumps(self._version) + self._dump((self._source_stamp, overloads))
            with self._open_for_write(self._index_path) as file:
                file.write(_with_digest(data))

        def _load_data(self, name: str) -> Any:
            if not _is_sound(Path(self._data_path(name)).read_bytes()):
                raise OSError("damaged")
            return super()._load_data(name)

        def _dump(self, obj: Any) -> Any:
            return _with_digest(super()._dump(obj))

    return Checked


def _with_digest(data: bytes) -> bytes:
    """Readers of pickles stop where one ends, and see nothing of what follows."""
    return data + hashlib.sha256(data).digest()


def _is_sound(data: bytes) -> bool:
    return hashlib.sha256(data[:-_DIGEST_BYTES]).digest() == data[-_DIGEST_BYTES:]


def _home() -> Path | None:
    """The user's cache; None for a user without a home, as in many containers."""
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return None


def _temporary() -> Path | None:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a number without a name
        user = str(getattr(os, "getuid", lambda: 0)())
    try:
        return Path(tempfile.gettempdir()) / user
    except OSError:
        return None


def _is_usable(place: Path) -> bool:
    """Whether the folder is there by now, and files can be made in it."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def _is_own(place: Path) -> bool:
    """Whether the folder and the one around it are this user's, and nobody else may write in them."""
    if not hasattr(os, "getuid"):
        return True
    for each in (place.parent, place):
        try:
            each.mkdir(mode=0o700, exist_ok=True)
            found = each.lstat()
        except OSError:
            return False
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            return False
    return True


@functools.cache
def _last_resort() -> Path | None:
    try:
        return Path(tempfile.mkdtemp(prefix="fleetcast-"))
    except OSError:
        return None
