"""Numba's cache: unwritable, damaged, of another version, or someone else's; a run needs none of it."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest
from numba.core import event
from numba.core.caching import IndexDataCacheFile

from sim.model import cache
from tests.faults.cached_function import twice


class Compiled(event.Listener):  # type: ignore[misc]
    """Counts what is compiled."""

    count = 0

    def on_start(self, _: Any) -> None:
        self.count += 1

    def on_end(self, _: Any) -> None:
        pass


def ran(folder: Path) -> tuple[int, int]:
    """What a small compiled function returns, and how often it was compiled for that."""
    config, told = numba.config, Compiled()
    before = config.CACHE_DIR, config.DISABLE_JIT
    config.CACHE_DIR, config.DISABLE_JIT = str(folder), 0
    try:
        made = numba.njit(cache=True)(twice)
        cache.checked(made)
        with event.install_listener("numba:compile", told):
            return made(21), told.count
    finally:
        config.CACHE_DIR, config.DISABLE_JIT = before


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a process leaves for the next."""
    folder = tmp_path_factory.mktemp("kept")
    assert ran(folder) == (42, 1)
    assert ran(folder) == (42, 0)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.nb?")}


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    place = len(data) // 2
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("ending", "damage"),
    [(".nbi", _half), (".nbc", _half), (".nbc", _flipped)],
)
def test_what_is_damaged_is_compiled_again_and_then_sound(
    tmp_path: Path, kept: dict[str, bytes], ending: str, damage: Callable[[bytes], bytes]
) -> None:
    for name, data in kept.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(damage(data) if name.endswith(ending) else data)
    assert ran(tmp_path) == (42, 1)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.nb?")} == set(kept)


def checked(folder: Path) -> Any:
    """The files of one function, without a compiler."""
    return cache.kind(IndexDataCacheFile)(str(folder), "function", "stamp")


@pytest.mark.parametrize("data", [b"", b"x", b"\x80\x04garbage" * 50, pickle.dumps("0.1")])
def test_an_index_that_is_none_holds_nothing(tmp_path: Path, data: bytes) -> None:
    files = checked(tmp_path)
    files.save("key", "code")
    assert checked(tmp_path).load("key") == "code"
    assert checked(tmp_path).load("other") is None
    (tmp_path / "function.nbi").write_bytes(data)
    assert files.load("key") is None
    files.save("key", "again")
    assert files.load("key") == "again"


def test_code_of_another_version_of_the_compiler_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache.versions()
    files = checked(tmp_path)
    files._version = "0.1"
    files.save("key", "code")
    assert checked(tmp_path).load("key") is None
    monkeypatch.setattr(cache.metadata, "version", lambda name: "0.1")
    assert cache.versions() != before, "and its folder has another name"


def test_what_cannot_be_written_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    files = checked(tmp_path / "file")
    files.save("key", "code")  # its folder is a file
    assert files.load("key") is None
    files = checked(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_save_data", full)
    files.save("key", "code")
    assert checked(tmp_path).load("key") is None, "the index is there, the code is not"


# -- where it is ---------------------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whose cache cannot be written, with an empty folder for temporary files."""
    (tmp_path / "file").touch()
    (tmp_path / "temporary").mkdir()
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(cache.getpass, "getuser", lambda: "me")
    cache._last_resort.cache_clear()
    return tmp_path / "temporary"


def test_without_a_cache_it_is_with_temporary_files(nowhere: Path) -> None:
    assert cache.folder("x") == nowhere / "me" / "fleetcast" / "x"
    assert (nowhere / "me").stat().st_mode & 0o077 == 0


def test_a_user_without_a_name_or_a_home_has_one(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object) -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(cache.getpass, "getuser", nobody)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("Could not determine home")))
    assert cache.folder("x") == nowhere / str(os.getuid()) / "fleetcast" / "x"


def test_code_that_others_could_have_put_there_is_not_run(nowhere: Path) -> None:
    (nowhere / "me").mkdir()
    (nowhere / "me").chmod(0o777)
    found = cache.folder("x")
    assert found is not None
    assert found.parent == nowhere
    assert found.name.startswith("fleetcast-")
    assert found.stat().st_mode & 0o077 == 0


def test_where_nothing_can_be_written_there_is_none(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache.tempfile, "tempdir", str(nowhere.parent / "file"))
    assert cache.folder("x") is None
