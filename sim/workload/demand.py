"""What a workload becomes: columns, one row a request, in arrival order. All randomness of demand ends here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.workload.links import Links

KV_BLOCK_TOKENS = 16
"""Tokens of a block of KV memory, as vLLM has them."""
PREFIX_BLOCK_TOKENS = 512
"""Prompt tokens in a prefix block; the last block of a prompt may hold fewer."""


@dataclass(frozen=True)
class Demand:
    """The requests of one run, one row each, in arrival order (ties keep the order of the streams).

    Behind those that arrive by themselves stand those that follow others (`links`), whose arrival is not known yet.
    """

    arrival_s: NDArray[np.float64]
    """Shape (n,), non-decreasing, in [0, horizon); infinite for those that follow others."""
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

    Of a trace, block i holds the prompt tokens from 512 * i to 512 * (i + 1), or to the prompt's end; of a session, the
    blocks are what each turn has added. What lies beyond the list is nobody else's. Ids are 0, 1, ... in order of first
    use. An id stands for its block and all before it: always at the same place of a list, after the same ids, with the
    same number of tokens. Where the answer becomes a block of later prompts, -2 - its id closes the list instead.
    """
    prefix_sizes: NDArray[np.int32]
    """Shape (ids,): the tokens of each id."""
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

    links: Links | None = None
    """Who follows whom; None if every request arrives by itself."""
    more: Callable[[int], Demand] | None = None
    """Closed populations: chunk k = 1, 2, ... of further requests, all of whom follow others; None without such.

    Its rows are numbered from 0, as many for each user; `links.heads` follow the `links.tails` of what came before.
    """

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def prefix_blocks(self) -> int:
        """How many different prefix blocks there are: one more than the largest id; 0 without prefixes."""
        return len(self.prefix_sizes)
