"""Requests as tracks of their own: waiting, prefill, decoding. For small traces only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.exchange.trace import events
from sim.exchange.trace.window import Window, nanoseconds
from sim.model.tables import OUTCOMES

if TYPE_CHECKING:
    from sim.exchange.served import Served
    from sim.result.log import RunLog

SHARE = 0.01
"""With more of them in a trace than this share of its events, requests have no tracks: each would make eight."""


def request_events(served: Served, log: RunLog, pool: int, window: Window, most_ns: int) -> Iterator[str]:
    """Each request of a pool, from arrival to end, and in it its stretches."""
    for row in np.flatnonzero(served.pool == pool).tolist():
        times_s = (served.arrival_s[row], served.start_s[row], served.first_s[row], served.client_end_s[row])
        came, start, first, end = (int(nanoseconds(float(each), most_ns)) for each in times_s)
        start, first = min(start, end), min(first, end)
        whole = events.within(window, came, end)
        if whole is None:
            continue
        name = f"request {row}"
        yield events.nested("b", name, pool + 1, row, whole[0], _args(served, log, row))
        for stretch, from_ns, to_ns in (("waiting", came, start), ("prefill", start, first), ("decode", first, end)):
            part = events.within(window, from_ns, to_ns)
            if part is not None:
                yield events.nested("b", stretch, pool + 1, row, part[0])
                yield events.nested("e", stretch, pool + 1, row, part[1])
        yield events.nested("e", name, pool + 1, row, whole[1])


def _args(served: Served, log: RunLog, row: int) -> dict[str, Any]:
    found, life = log.requests[row], int(served.life[row])
    return {
        "stream": log.streams[int(found["stream"])],
        "replica": served.lives[life].name if life >= 0 else None,
        "outcome": OUTCOMES[int(found["outcome"])],
        "prompt_tokens": int(found["prompt_tokens"]),
        "output_tokens": int(found["output_tokens"]),
    }
