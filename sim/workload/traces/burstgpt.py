"""BurstGPT: campus use of ChatGPT and GPT-4 over months, one CSV row a request.

Source of the format: github.com/HPMLL/BurstGPT. Versions 1.0 and 1.1 lack the columns Session ID and Elapsed time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from sim.workload.rows import Block
from sim.workload.traces.part import Part, TraceFormat


class BurstGpt(TraceFormat):
    """Times are seconds since midnight of the first day. A response of 0 tokens is a failed request: left out."""

    kind: ClassVar[str] = "burstgpt"
    containers: ClassVar[tuple[str, ...]] = ("csv",)
    columns: ClassVar[tuple[str, ...]] = ("Timestamp", "Request tokens", "Response tokens")

    @staticmethod
    def parts(blocks: Iterator[Block]) -> Iterator[Part]:
        for block in blocks:
            output = block.numbers("Response tokens", whole=True)
            yield Part(
                block,
                block.numbers("Timestamp"),
                block.numbers("Request tokens", whole=True),
                output,
                failed=output == 0,
            )
