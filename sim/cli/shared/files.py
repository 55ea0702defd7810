"""Files that verbs write where they are told to: never over another unless forced, never half."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from gzip import GzipFile
from io import TextIOWrapper
from pathlib import Path
from typing import IO, cast


def check_free(path: Path, force: bool) -> None:
    """Raise `ConfigError` for a place where no file can be written, or where one is already."""
    from sim.config.errors import ConfigError, Problem

    if not path.parent.is_dir():
        raise ConfigError(Problem(f"the folder '{path.parent}' does not exist; make it first", file=str(path)))
    if path.is_dir():
        raise ConfigError(Problem("is a folder; name a file", file=str(path)))
    if path.is_symlink() and not path.exists():
        raise ConfigError(Problem("is a link that leads nowhere; name another file", file=str(path)))
    if path.exists() and not _is_stream(path) and not force:
        raise ConfigError(Problem("is already there; name another file, or say --force", file=str(path)))


def check_folder(path: Path, names: Iterable[str], force: bool) -> None:
    """Raise `ConfigError` for a folder that these files cannot be written to: before the work, not after it."""
    from sim.config.errors import ConfigError, Problem

    if path.is_symlink() and not path.exists():
        raise ConfigError(Problem("is a link that leads nowhere; name another folder", file=str(path)))
    if path.exists() and not path.is_dir():
        raise ConfigError(Problem("is a file; name a folder", file=str(path)))
    if not path.exists():
        check_free(path, force)
    for name in names if path.exists() else ():
        check_free(path / name, force)


def check_svg(path: Path) -> None:
    """Raise `ConfigError` for a picture that is named as another kind of file."""
    from sim.config.errors import ConfigError, Problem

    if path.suffix.lower() != ".svg":
        raise ConfigError(Problem("pictures are written as SVG; name it so that it ends in .svg", file=str(path)))


def check_ending(path: Path, ending: str) -> None:
    """Raise `ConfigError` for a file that is named as another kind."""
    from sim.config.errors import ConfigError, Problem

    if path.suffix.lower() != ending:
        raise ConfigError(Problem(f"name it so that it ends in {ending}", file=str(path)))


def write_whole(path: Path, text: str) -> None:
    """The file with this content, or as it was."""
    write_lines(path, [text])


def write_together(folder: Path, contents: Mapping[str, str | bytes], gone: Iterable[str] = ()) -> None:
    """All these files in a folder, which is made where there is none, or nothing new in it; `gone`: not there after.

    Everything is written under other names first: a full disk changes nothing that is there.
    """
    is_new = not folder.exists()
    folder.mkdir(exist_ok=True)
    places = {name: os.path.realpath(folder / name) for name in contents}
    parts = {name: _beside(Path(place)) for name, place in places.items()}
    try:
        for name, content in contents.items():
            parts[name].write_bytes(content.encode() if isinstance(content, str) else content)
        for name, place in places.items():
            parts[name].replace(place)
        for name in gone:
            (folder / name).unlink(missing_ok=True)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
        if is_new and not any(folder.iterdir()):
            folder.rmdir()


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """The file with these lines, or as it was; how many they are. Lines bring their own ends.

    A file whose name ends in .gz is compressed: the same lines, the same bytes. A link stays, and what it leads to is
    written.
    """
    if _is_stream(path):
        return _written(path, lines, path.suffix == ".gz")
    target = Path(os.path.realpath(path))
    beside = _beside(target)
    try:
        count = _written(beside, lines, path.suffix == ".gz")
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return count


def _is_stream(path: Path) -> bool:
    """Whether it takes what it is given, as `/dev/stdout` and pipes do: there is nothing to be replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _written(path: Path, lines: Iterable[str], compressed: bool) -> int:
    count = 0
    with _opened(path, compressed) as file:
        for count, line in enumerate(lines, start=1):  # noqa: B007
            file.write(line)
    return count


@contextmanager
def _opened(path: Path, compressed: bool) -> Iterator[IO[str]]:
    """A file for text, compressed or not. The header of a compressed one tells neither its name nor the time."""
    with ExitStack() as opened:
        raw = opened.enter_context(path.open("wb"))
        inner = raw if not compressed else opened.enter_context(GzipFile("", "wb", 6, raw, mtime=0))
        yield opened.enter_context(TextIOWrapper(cast("IO[bytes]", inner), encoding="utf-8", newline=""))
