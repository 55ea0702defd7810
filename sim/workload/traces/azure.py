"""The Azure LLM inference traces of 2023 and 2024: one CSV row a request, stamped with the wall clock.

Source of the format: github.com/Azure/AzurePublicDataset.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sim.config.units import shown
from sim.workload.rows import Block
from sim.workload.traces.part import Part, TraceFormat

_YEARS = (1971, 2200)
_SHORTEST_STAMP = len("2023-11-16 18:17")


class Azure(TraceFormat):
    """Time 0 is the first row's. Stamps have up to nine decimals, with or without a zone (then: UTC)."""

    kind: ClassVar[str] = "azure"
    containers: ClassVar[tuple[str, ...]] = ("csv",)
    columns: ClassVar[tuple[str, ...]] = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")

    @staticmethod
    def parts(blocks: Iterator[Block]) -> Iterator[Part]:
        origin_ns: int | None = None
        for block in blocks:
            stamp_ns = _nanoseconds(block, "TIMESTAMP")
            origin_ns = int(stamp_ns[0]) if origin_ns is None else origin_ns
            yield Part(
                block,
                (stamp_ns - origin_ns) / 1e9,
                block.numbers("ContextTokens", whole=True),
                block.numbers("GeneratedTokens", whole=True, least=1),
            )


def _nanoseconds(block: Block, column: str) -> NDArray[np.int64]:
    import pandas as pd

    texts = block.columns[column]
    stamps = pd.to_datetime(pd.Series(texts, dtype=object), format="ISO8601", utc=True, errors="coerce")
    short = np.fromiter((len(text) < _SHORTEST_STAMP for text in texts), bool, len(texts))
    wrong = short | ~stamps.dt.year.between(*_YEARS).to_numpy()  # no time at all has no year
    if wrong.any():
        row = int(np.argmax(wrong))
        text = str(texts[row])
        said = f"must be a time such as 2023-11-16 18:17:03.9799600, got {shown(text)}" if text.strip() else "is empty"
        block.refuse(row, column, said)
    return stamps.dt.as_unit("ns").to_numpy(dtype="datetime64[ns]").astype(np.int64)
