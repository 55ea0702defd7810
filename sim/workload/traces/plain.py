"""The plain trace, CSV or Parquet: arrival_s, then prompt_tokens and output_tokens, or service_s, or all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from sim.workload.rows import Block
from sim.workload.traces.part import Part, TraceFormat


class Plain(TraceFormat):
    """Times are seconds from the start of the run. The rows of a finished run can be replayed this way."""

    kind: ClassVar[str] = "plain"
    containers: ClassVar[tuple[str, ...]] = ("csv", "parquet")
    columns: ClassVar[tuple[str, ...]] = ("arrival_s",)
    optional: ClassVar[tuple[str, ...]] = ("prompt_tokens", "output_tokens", "service_s")

    @classmethod
    def missing(cls, columns: tuple[str, ...]) -> str:
        pair = sum(name in columns for name in ("prompt_tokens", "output_tokens"))
        enough = pair == 2 or (pair == 0 and "service_s" in columns)
        return "" if enough else "needs the columns prompt_tokens and output_tokens, or service_s, or all three"

    @staticmethod
    def parts(blocks: Iterator[Block]) -> Iterator[Part]:
        for block in blocks:
            has = block.columns.__contains__
            yield Part(
                block,
                block.numbers("arrival_s"),
                block.numbers("prompt_tokens", whole=True) if has("prompt_tokens") else None,
                block.numbers("output_tokens", whole=True, least=1) if has("output_tokens") else None,
                service_s=block.numbers("service_s") if has("service_s") else None,
            )
