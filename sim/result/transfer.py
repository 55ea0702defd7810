"""How much goes over the links between a pool that prefills and the one that decodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.result.fleet import ratio
from sim.scenario import Pool


def transfer_block(
    pool: Pool, place: int, rows: NDArray[np.void], length_s: float, replicas: float | None
) -> dict[str, Any] | None:
    """The `kv_transfer` of the pool with index `place`: where to, how many requests, how busy a link is; None without.

    `rows` are the requests that arrived in a window of `length_s`. A link is busy for the bytes of their KV caches over
    its bandwidth.
    """
    transfer = pool.kv_transfer
    if transfer is None:
        return None
    sent = (rows["pool"] == place) & (rows["handed"] > 0)
    token_bytes = pool.kv_bytes_per_token
    assert token_bytes is not None
    sent_bytes = token_bytes * float(np.sum(rows["prompt_tokens"], where=sent, dtype=np.int64))
    links = 1.0 if transfer.shared else replicas or 0.0
    return {
        "to": transfer.to,
        "requests": int(np.count_nonzero(sent)),
        "link_busy_share": ratio(sent_bytes / transfer.bandwidth_bytes_per_s, links * length_s),
    }
