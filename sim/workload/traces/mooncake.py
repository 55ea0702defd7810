"""Mooncake: requests of a chat service with long shared prefixes, one JSON object a line, times in milliseconds.

`hash_ids` names the blocks of a prompt, the first 512 tokens first; the last block may hold fewer. In the published
conversation trace every request has one id for each of its blocks, and an id always follows the same id.

Source of the format: github.com/kvcache-ai/Mooncake.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from sim.workload.demand import PREFIX_BLOCK_TOKENS
from sim.workload.prefixes import PrefixLists
from sim.workload.rows import Block
from sim.workload.traces.part import Floats, Part, TraceFormat


class Mooncake(TraceFormat):
    """`hash_ids` names the prompt's blocks of 512 tokens, in order: a block that two requests name is cached once."""

    kind: ClassVar[str] = "mooncake"
    containers: ClassVar[tuple[str, ...]] = ("jsonl",)
    columns: ClassVar[tuple[str, ...]] = ("timestamp", "input_length", "output_length")
    optional: ClassVar[tuple[str, ...]] = ("hash_ids",)
    prefix_column: ClassVar[str] = "hash_ids"

    @staticmethod
    def parts(blocks: Iterator[Block]) -> Iterator[Part]:
        for block in blocks:
            prompt = block.numbers("input_length", whole=True)
            yield Part(
                block,
                block.numbers("timestamp") / 1000.0,
                prompt,
                block.numbers("output_length", whole=True, least=1),
                prefixes=_prefixes(block, prompt),
            )


def _prefixes(block: Block, prompt: Floats) -> PrefixLists | None:
    """The ids of each prompt's leading blocks; a prompt has no more blocks than its tokens fill."""
    if Mooncake.prefix_column not in block.columns:
        return None
    lengths, ids = block.id_lists(Mooncake.prefix_column)
    most = np.ceil(prompt / PREFIX_BLOCK_TOKENS)
    if (lengths > most).any():
        row = int(np.argmax(lengths > most))
        said = f"has {lengths[row]:,} ids, but {prompt[row]:,.0f} prompt tokens fill {most[row]:,.0f} blocks of 512"
        block.refuse(row, Mooncake.prefix_column, f"{said} at most")
    return PrefixLists(lengths, ids)
