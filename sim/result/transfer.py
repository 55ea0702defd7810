"""How much goes over the links between a pool that prefills and the one that decodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sim.result.fleet import ratio
from sim.scenario import Pool

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.result.window import Window


class Handed(NamedTuple):
    """What a pool has handed over."""

    requests: int
    prompt_tokens: int


def handed_over(log: RunLog, window: Window) -> list[Handed]:
    """What each pool has handed over of the attempts that arrive in a window."""
    if log.tally is not None:
        return [Handed(*pool) for pool in log.tally.handed()]
    found = window.rows
    if log.calls is not None:
        first, last = np.searchsorted(log.requests["arrival_s"], (window.start_s, window.end_s)).tolist()
        found = slice(first, len(log.requests) if window.last == len(log.logical) else last)
    rows = log.requests[found]
    sent = rows["handed"] > 0
    by_pool = [sent & (rows["pool"] == place) for place in range(len(log.pools))]
    return [
        Handed(int(np.count_nonzero(own)), int(np.sum(rows["prompt_tokens"], where=own, dtype=np.int64)))
        for own in by_pool
    ]


def transfer_block(pool: Pool, handed: Handed, length_s: float, replicas: float | None) -> dict[str, Any] | None:
    """The `kv_transfer` of a pool: where to, how many requests, how busy a link is; None without.

    `handed` is what it has handed over in a window of `length_s`. A link is busy for the bytes of the KV caches over
    its bandwidth.
    """
    transfer = pool.kv_transfer
    if transfer is None:
        return None
    token_bytes = pool.kv_bytes_per_token
    assert token_bytes is not None
    sent_bytes = token_bytes * float(handed.prompt_tokens)
    links = 1.0 if transfer.shared else replicas or 0.0
    return {
        "to": transfer.to,
        "requests": handed.requests,
        "link_busy_share": ratio(sent_bytes / transfer.bandwidth_bytes_per_s, links * length_s),
    }
