"""The tables of a tally: what its loop goes by, and the sums that it fills."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.result import cells
from sim.statistics.histogram import BUCKETS

WAIT, TTFT, TPOT, E2E = range(4)
"""Places of the metrics, as in `sim.result.latency.METRICS`."""

POOL = np.dtype(
    [
        ("batching", "i8"),
        ("next", "i8"),  # the pool that decodes what this one has prefilled; -1: itself
        ("max_batched_tokens", "f8"),
        ("tokens_per_step", "f8"),
    ]
)

COUNTED = np.dtype(
    [
        *cells.CELL.descr,
        ("handed", "i8"),  # went over a link to another pool,
        ("handed_tokens", "i8"),  # with so many prompt tokens
        # work of answered requests (see `sim.model.work`)
        ("service_s", "f8"),
        ("prefills", "f8"),
        ("new_tokens", "f8"),
        ("squares", "f8"),
        ("decodes", "f8"),
        ("decodes_next", "f8"),  # in the pool that they were handed to
    ]
)
"""Requests of the window, of one stream at one pool: a `sim.result.cells.CELL` and more."""

TAIL = np.dtype([("zeros", "i8"), ("sum", "f8"), ("least", "f8"), ("most", "f8")])
"""What a histogram knows beside its buckets."""

BIN = np.dtype(
    [
        # instants in the bin
        ("came", "i8"),
        ("started", "i8"),
        ("left", "i8"),
        ("gone", "i8"),  # ended without ever having started
        ("waiting_s", "f8"),  # beside who is there all the bin: see `sim.result.occupancy`
        ("running_s", "f8"),
        ("in_time", "i8"),  # come in it and are answered within every objective
        # end in it
        ("answered", "i8"),
        ("good", "i8"),
        ("output_tokens", "i8"),
        ("zeros", "i8"),  # of those that come in it: first tokens at once, the least and the largest TTFT
        ("least_s", "f8"),
        ("most_s", "f8"),
    ]
)
"""All requests of one pool in one bin of time."""

MIX = np.dtype(
    [
        ("requests", "i8"),
        ("new_tokens", "f8"),
        ("decodes", "f8"),
        ("held", "f8"),
        ("context_tokens", "f8"),
        ("prefill_tokens", "f8"),
    ]
)
"""Sums over all requests that are served at a pool, if they are served: see `sim.model.work.Mix`."""

BUDGET = np.dtype([("came", "i8"), ("met", "i8")])
"""Requests of the window that an objective is about, by when they come, and those of them that are within it."""

MARK = np.dtype(
    [
        ("came", "i8"),  # exactly at the horizon
        ("in_time", "i8"),
        ("answered", "i8"),
        ("last", "i8"),  # in the last part of the window
        ("last_in_time", "i8"),
    ]
)
"""Counts that no bin has."""

RATES = 6
"""Of a ramp: iterations, new tokens and squares of attention a second, and each times its instant."""


class Grid(NamedTuple):
    """Instants in rising order, to be searched in a step or two."""

    edges_s: NDArray[np.float64]
    guide: NDArray[np.int64]
    """By cell of an even grid: a place at or before the first instant that is not before the cell."""
    per_s: float
    """Cells a second."""


class Plan(NamedTuple):
    """What the loop goes by."""

    pools: NDArray[Any]
    """Rows of `POOL`."""
    party: NDArray[np.int64]
    """By stream: which latencies it is counted with."""
    metric: NDArray[np.int64]
    """By objective: its metric,"""
    under_s: NDArray[np.float64]
    """its limit,"""
    about: NDArray[np.uint8]
    """and whose requests it is about, shape (objectives, streams)."""
    buckets: NDArray[Any]
    window_s: NDArray[np.float64]
    """The window begins, ends, its last part begins, and the end of the last bin; shape (4,)."""


class Sums(NamedTuple):
    """What the loop fills."""

    cells: NDArray[Any]
    """Shape (pools, streams)."""
    met: NDArray[np.int64]
    """Requests of the window within each objective, shape (pools, streams, objectives)."""
    tails: NDArray[Any]
    """Shape (pools, parties, 4)."""
    counts: NDArray[np.int64]
    """Shape (pools, parties, 4, BUCKETS)."""
    bins: NDArray[Any]
    """Shape (pools, edges + 1)."""
    ttft: NDArray[np.uint32]
    """Shape (pools, edges + 1, BUCKETS): memory is taken by the page, when something is counted there; little is."""
    mix: NDArray[Any]
    """Shape (pools,)."""
    marks: NDArray[Any]
    """Shape (1,)."""
    budget: NDArray[Any]
    """Shape (objectives, edges + 1)."""


def grid(edges_s: NDArray[np.float64]) -> Grid:
    """The grid of some instants, at least one."""
    cells = 4 * len(edges_s)
    length_s = float(edges_s[-1] - edges_s[0])
    per_s = cells / length_s if length_s > 0 else 0.0
    # one cell early: an instant may round to the cell behind its own
    from_s = edges_s[0] + (np.arange(cells + 1) - 1) * (length_s / cells)
    return Grid(edges_s, np.searchsorted(edges_s, from_s, side="left").astype(np.int64), per_s)


def new_sums(pools: int, streams: int, parties: int, objectives: int, edges: int) -> Sums:
    """Sums over nothing."""
    tails = np.zeros((pools, parties, 4), TAIL)
    tails["least"], tails["most"] = np.inf, -np.inf
    bins = np.zeros((pools, edges + 1), BIN)
    bins["least_s"], bins["most_s"] = np.inf, -np.inf
    return Sums(
        cells=np.zeros((pools, streams), COUNTED),
        met=np.zeros((pools, streams, objectives), np.int64),
        tails=tails,
        counts=np.zeros((pools, parties, 4, BUCKETS), np.int64),
        bins=bins,
        ttft=np.zeros((pools, edges + 1, BUCKETS), np.uint32),
        mix=np.zeros(pools, MIX),
        marks=np.zeros(1, MARK),
        budget=np.zeros((objectives, edges + 1), BUDGET),
    )
