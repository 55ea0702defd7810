"""Mooncake: requests of a chat service with long shared prefixes, one JSON object a line, times in milliseconds.

Source of the format: github.com/kvcache-ai/Mooncake.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from sim.workload.rows import Block
from sim.workload.traces.part import Part, TraceFormat


class Mooncake(TraceFormat):
    """Keys besides these (`hash_ids`) are not used."""

    kind: ClassVar[str] = "mooncake"
    containers: ClassVar[tuple[str, ...]] = ("jsonl",)
    columns: ClassVar[tuple[str, ...]] = ("timestamp", "input_length", "output_length")

    @staticmethod
    def parts(blocks: Iterator[Block]) -> Iterator[Part]:
        for block in blocks:
            yield Part(
                block,
                block.numbers("timestamp") / 1000.0,
                block.numbers("input_length", whole=True),
                block.numbers("output_length", whole=True, least=1),
            )
