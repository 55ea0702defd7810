"""What a workload becomes: columns, one row a request, in arrival order. All randomness of demand ends here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PREFIX_BLOCK_TOKENS = 512
"""Prompt tokens in a prefix block; the last block of a prompt may hold fewer."""


@dataclass(frozen=True)
class Demand:
    """The requests of one run, one row each, in arrival order (ties keep the order of the streams)."""

    arrival_s: NDArray[np.float64]
    """Shape (n,), non-decreasing, in [0, horizon)."""
    stream: NDArray[np.int16]
    """Shape (n,), index into `streams`."""
    prompt_tokens: NDArray[np.int32]
    """Shape (n,), at least 0 (0: nothing to prefill)."""
    output_tokens: NDArray[np.int32]
    """Shape (n,), at least 1."""
    service_s: NDArray[np.float64]
    """Shape (n,): service time on a `slots` replica; 0 where the stream declares no service law."""
    first_service_s: NDArray[np.float64]
    """Shape (n,): the part of `service_s` after which the first token is out; equal to it if the answer comes whole."""
    cached_tokens: NDArray[np.int32]
    """Shape (n,): the part of the prompt found in the prefix cache: in context and memory, not prefilled."""
    ticket: NDArray[np.float64]
    """Shape (n,), uniform in [0, 1): the request's own random number, used by routers that draw lots."""
    prefix0: NDArray[np.int32]
    """Shape (n,): where in `prefixes` the request's list starts; -1 when it has none."""
    prefixes: NDArray[np.int32]
    """Flat: the ids of each request's leading prompt blocks, in order, each list closed by -1.

    Block i of a request holds its prompt tokens from 512 * i to 512 * (i + 1), or to the prompt's end; what lies beyond
    the list is nobody else's. Ids are 0, 1, ... in order of first use. An id stands for its block and all before it:
    always at the same place of a list, after the same ids, with the same number of tokens.
    """
    streams: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What was left out or changed on the way, counted, in plain words."""
    patience_s: NDArray[np.float64] | None = None
    """Shape (n,): how long the request's client waits for its start; inf: for ever. None: all of them do."""
    first_token_timeout_s: NDArray[np.float64] | None = None
    """Shape (n,): how long it waits for the first token, the same."""
    token_timeout_s: NDArray[np.float64] | None = None
    """Shape (n,): how long it waits from one token to the next, the same."""
    total_timeout_s: NDArray[np.float64] | None = None
    """Shape (n,): how long it waits for the whole answer, the same."""

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def prefix_blocks(self) -> int:
        """How many different prefix blocks there are: one more than the largest id; 0 without prefixes."""
        return int(self.prefixes.max(initial=-1)) + 1
