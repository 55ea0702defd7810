"""A journal: one checksummed line a run, added as runs end.

A line that was being written when all ended is no line.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sim.config.errors import DataError, Problem, naming
from sim.study.store.kept import Kept, from_text

_HEAD = b'{"crc32":"%08x","run":'
_HEAD_LENGTH = len(_HEAD % 0)


def line_of(run: Kept) -> bytes:
    """A run as a line."""
    text = run.text.encode()
    return _HEAD % zlib.crc32(text) + text + b"}\n"


def runs_in(path: Path) -> list[Kept]:
    """The runs of a journal. Raises `DataError` for a damaged line that is not the last."""
    return [run for run, _ in _lines(path)]


class Journal:
    """A journal that is being added to; what was torn at its end is cut off first."""

    def __init__(self, path: Path) -> None:
        whole = max((end for _, end in _lines(path)), default=0) if path.exists() else 0
        self.path = path
        self.file: BinaryIO = path.open("ab")
        if self.file.tell() > whole:
            self.file.truncate(whole)
        self.count = 0

    def add(self, run: Kept) -> None:
        """Write a run down; it is there even if this process is killed right after."""
        with naming(self.path):
            self.file.write(line_of(run))
            self.file.flush()
        self.count += 1

    def close(self) -> None:
        """Have it on the disk, and close it."""
        with naming(self.path), self.file:
            self.file.flush()
            os.fsync(self.file.fileno())


def _lines(path: Path) -> Iterator[tuple[Kept, int]]:
    """The runs, and where their lines end."""
    with path.open("rb") as file:
        end, torn = 0, 0
        for number, line in enumerate(file, start=1):
            if torn:
                told = f"line {torn} is damaged; delete this file, and run the same command: its runs are made again"
                raise DataError(Problem(told, file=str(path)))
            run = _run(line)
            if run is None:
                torn = number
                continue
            end += len(line)
            yield run, end


def _run(line: bytes) -> Kept | None:
    """The run of a line; None: it is not as it was written."""
    text = line[_HEAD_LENGTH:-2]
    if line != _HEAD % zlib.crc32(text) + text + b"}\n":
        return None
    try:
        return from_text(text.decode())
    except ValueError:
        return None
