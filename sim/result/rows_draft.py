"""Rows of requests that are written while their run goes on, beside where its folder will be."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import REQUEST
from sim.result.files import ROW_GROUP, RequestsFile
from sim.result.frames import RowNames, row_columns
from sim.result.save import make_parents, remove_if_empty


class RowsDraft:
    """A `requests.parquet` to be: the same bytes as one that is written after the run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open = ExitStack()
        self._waiting = np.empty(ROW_GROUP, REQUEST)
        self._count = 0
        """Rows that wait for the rest of their group."""
        self._written = 0

    def begin(self, names: RowNames) -> Callable[[NDArray[Any], float], None]:
        """What is to be given the rows, as they end, in arrival order."""
        self.names = names
        self._file = self._open.enter_context(RequestsFile(self.path, names))
        return self._add

    def close(self) -> Path:
        """All rows have been given: the file is whole. Returns where it is."""
        if self._count or not self._written:
            self._write()
        self._open.close()
        return self.path

    def abandon(self) -> None:
        """Leave nothing behind, unless the file has been moved to its folder."""
        self._open.close()
        self.path.unlink(missing_ok=True)

    def _add(self, rows: NDArray[Any], _: float) -> None:
        while len(rows):
            taken = min(len(rows), ROW_GROUP - self._count)
            self._waiting[self._count : self._count + taken] = rows[:taken]
            self._count += taken
            rows = rows[taken:]
            if self._count == ROW_GROUP:
                self._write()

    def _write(self) -> None:
        self._file.write(row_columns(self.names, self._waiting[: self._count], self._written))
        self._written += self._count
        self._count = 0


@contextmanager
def rows_draft(folder: Path) -> Iterator[RowsDraft]:
    """A file beside a run's folder to be, gone at the end unless `Result.save` has moved it there."""
    folder = folder.absolute()
    made: list[Path] = []
    make_parents(folder.parent, made)
    draft = RowsDraft(folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}.requests"))
    try:
        yield draft
    finally:
        draft.abandon()
        for parent in reversed(made):
            remove_if_empty(parent)
