"""The batches of a replica: a stretch for as long as the set of its requests, and who of them prefills, is the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.exchange.trace.window import nanoseconds

if TYPE_CHECKING:
    from sim.exchange.served import Served

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Batches:
    """Stretches in order of time, each array of shape (stretches,); times in nanoseconds."""

    from_ns: Ints
    to_ns: Ints
    requests: Ints
    """That have a seat."""
    prefilling: Ints
    """Of these, those without a first token yet."""
    prompt_tokens: Ints
    """Of the prompts of all of them."""
    prefill_tokens: Ints
    """Of the prompts of those that prefill, without what was cached."""


def batches_of(served: Served, rows: NDArray[np.void], chosen: Ints, cuts: list[int], most_ns: int) -> Batches:
    """The batches of the chosen requests of one replica, cut at `cuts` too (where its state changes).

    `rows`: the request table; `chosen`: places in it, of requests that were served there alone.
    """
    start_ns = nanoseconds(served.start_s[chosen], most_ns)
    end_ns = np.maximum(nanoseconds(served.end_s[chosen], most_ns), start_ns)
    first_ns = np.clip(nanoseconds(served.first_s[chosen], most_ns), start_ns, end_ns)
    edges = np.unique(np.concatenate((start_ns, first_ns, end_ns, np.array(cuts, np.int64))))
    prompt = rows["prompt_tokens"][chosen].astype(np.int64)
    new = np.maximum(prompt - rows["cached_tokens"][chosen], 0)
    one = np.ones(len(chosen), np.int64)

    def level(from_ns: Ints, to_ns: Ints, of: Ints) -> Ints:
        steps = np.zeros(len(edges), np.int64)
        np.add.at(steps, np.searchsorted(edges, from_ns), of)
        np.subtract.at(steps, np.searchsorted(edges, to_ns), of)
        return np.cumsum(steps)[:-1]

    requests = level(start_ns, end_ns, one)
    kept = requests > 0
    columns = (
        edges[:-1],
        edges[1:],
        requests,
        level(start_ns, first_ns, one),
        level(start_ns, end_ns, prompt),
        level(start_ns, first_ns, new),
    )
    return Batches(*(column[kept] for column in columns))
