"""Files that verbs write where they are told to: never over another unless forced, never half."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from gzip import GzipFile
from io import TextIOWrapper
from pathlib import Path
from typing import IO, cast

from sim.config.errors import naming

Content = str | bytes


def check_free(path: Path, force: bool) -> None:
    """Raise `ConfigError` for a place where no file can be written, or where one is already."""
    from sim.config.errors import ConfigError, Problem

    if not path.parent.is_dir():
        raise ConfigError(Problem(f"the folder '{path.parent}' does not exist; make it first", file=str(path)))
    _check_writable(path.parent)
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
    else:
        _check_writable(path)
    for name in names if path.exists() else ():
        check_free(path / name, force)


def _check_writable(folder: Path) -> None:
    from sim.config.errors import ConfigError, Problem

    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(Problem("cannot be written to; name another place", file=str(folder)))


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


def write_whole(path: Path, content: Content) -> None:
    """The file with this content, or as it was; a stream, such as `/dev/stdout`, is given it."""
    if _is_stream(path):
        path.write_bytes(_bytes(content))
    else:
        write_files({path: content})


def write_files(contents: Mapping[Path, Content], gone: Iterable[Path] = ()) -> None:
    """All these files with their content, or all as they were; `gone`: others that are no longer there then.

    The disk has all of them before the first takes its name.
    """
    from sim.result.save import uninterrupted

    wanted = {_led_to(path): content for path, content in contents.items()}
    beside = {path: _beside(path) for path in wanted}
    try:
        for path, content in wanted.items():
            with naming(path):
                beside[path].write_bytes(_bytes(content))
        with uninterrupted():
            for path, part in beside.items():
                with naming(path):
                    part.replace(path)
            for path in gone:
                path.unlink(missing_ok=True)
    finally:
        for part in beside.values():
            part.unlink(missing_ok=True)


def write_folder(folder: Path, contents: Mapping[str, Content], gone: Iterable[str] = ()) -> None:
    """The folder with all these files in it, or as it was; a new one comes whole or not at all.

    `gone`: files of other names that an older one may have, and this has not.
    """
    from sim.result.save import whole_or_absent

    if folder.exists():
        write_files({folder / name: content for name, content in contents.items()}, [folder / name for name in gone])
        return
    with naming(folder), whole_or_absent(folder, replace=False) as draft:
        write_files({draft / name: content for name, content in contents.items()})


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """The file with these lines, or as it was; how many they are. Lines bring their own ends.

    A file whose name ends in .gz is compressed: the same lines, the same bytes. A link stays, and what it leads to is
    written.
    """
    if _is_stream(path):
        return _written(path, lines, path.suffix == ".gz")
    path = _led_to(path)
    beside = _beside(path)
    try:
        with naming(path):
            count = _written(beside, lines, path.suffix == ".gz")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return count


def _bytes(content: Content) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _is_stream(path: Path) -> bool:
    """Whether it takes what it is given, as `/dev/stdout` and pipes do: there is nothing to be replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _written(path: Path, lines: Iterable[str], compressed: bool) -> int:
    count = 0
    with _opened(path, compressed) as file:
        for count, line in enumerate(lines, start=1):  # noqa: B007
            file.write(line)
    return count


def _led_to(path: Path) -> Path:
    """The file itself, where the path is a link to one: the link is somebody's arrangement, and stays."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _beside(path: Path) -> Path:
    """A name nobody else has: in containers, process numbers repeat."""
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}.part")


@contextmanager
def _opened(path: Path, compressed: bool) -> Iterator[IO[str]]:
    """A file for text, compressed or not. The header of a compressed one tells neither its name nor the time."""
    with ExitStack() as opened:
        raw = opened.enter_context(path.open("wb"))
        inner = raw if not compressed else opened.enter_context(GzipFile("", "wb", 6, raw, mtime=0))
        yield opened.enter_context(TextIOWrapper(cast("IO[bytes]", inner), encoding="utf-8", newline=""))
