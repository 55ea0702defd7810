"""What every trace format shares: the shape of its class, and what it makes of a block of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sim.workload.prefixes import PrefixLists
from sim.workload.rows import Block

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """The requests of one block, checked value by value (not yet the order of times). Shapes (rows,)."""

    block: Block
    arrival_s: Floats
    prompt_tokens: Floats | None
    output_tokens: Floats | None
    service_s: Floats | None = None
    failed: NDArray[np.bool_] | None = None
    """Rows that are failed requests: counted and left out."""
    prefixes: PrefixLists | None = None
    """Ids as in the file."""

    def only(self, rows: NDArray[np.intp]) -> Part:
        """The same with some of its rows, without the raw block, so that it can be kept."""

        def chosen(column: Floats | None) -> Floats | None:
            return None if column is None else column[rows]

        bare = Block(self.block.file, (), {}, textual=True)
        service_s = chosen(self.service_s)
        tokens = (chosen(self.prompt_tokens), chosen(self.output_tokens))
        prefixes = None if self.prefixes is None else self.prefixes.only(rows)
        return Part(bare, self.arrival_s[rows], *tokens, service_s, prefixes=prefixes)


class TraceFormat(ABC):
    """A way to write requests in a file. A subclass is one member of `sim.workload.traces.AnyFormat`."""

    kind: ClassVar[str]
    """What `format:` calls it."""
    containers: ClassVar[tuple[str, ...]]
    """Of `csv`, `jsonl`, `parquet`."""
    columns: ClassVar[tuple[str, ...]]
    """Columns (or keys) it must have, by which it is recognised; the first one is the time."""
    optional: ClassVar[tuple[str, ...]] = ()
    """Columns that are read if they are there; keys (JSON lines) may be absent row by row."""
    prefix_column: ClassVar[str] = ""
    """The one of the optional columns that names prefix blocks, if there is one."""

    @classmethod
    def missing(cls, columns: tuple[str, ...]) -> str:
        """What the optional columns that are there lack, in words; empty if nothing."""
        return ""

    @staticmethod
    @abstractmethod
    def parts(blocks: Iterator[Block]) -> Iterator[Part]:
        """Turn blocks of raw columns into requests. Raises DataError for the first wrong value."""
