"""Requests of the window counted by pool and stream, of which every group is made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import COMPLETED, OUTCOMES
from sim.result.groups import Group

CELL = np.dtype(
    [
        ("outcomes", "i8", len(OUTCOMES)),
        ("prompt_tokens", "i8"),  # these three of answered requests
        ("output_tokens", "i8"),
        ("cached_tokens", "i8"),
        ("good", "i8"),  # answered within every objective of theirs
        ("lost", "i8"),  # lost a replica under them,
        ("retried", "i8"),  # and were then answered
    ]
)
"""Requests of one stream at one pool."""

CHUNK_ROWS = 1 << 19
"""Rows looked at together: bounds the memory, whatever the size of the run."""


@dataclass(frozen=True, eq=False)
class Count:
    """What some of the requests come to."""

    outcomes: tuple[int, ...]
    """In the order of `OUTCOMES`."""
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int
    good: int
    lost: int
    retried: int

    @property
    def arrived(self) -> int:
        """All of them."""
        return sum(self.outcomes)


@dataclass(frozen=True, eq=False)
class Cells:
    """The counts of a window."""

    table: NDArray[np.void]
    """With the columns of `CELL`, shape (pools, streams)."""
    met: NDArray[np.int64]
    """Requests within each objective, whether it is about them or not; shape (pools, streams, objectives)."""

    def of(self, group: Group) -> Count:
        """What the requests of a group come to."""
        chosen = self.table[_choice(group)]
        sums = {name: int(chosen[name].sum()) for name in CELL.names or () if name != "outcomes"}
        return Count(tuple(chosen["outcomes"].sum(axis=(0, 1)).tolist()), **sums)

    def attained(self, objective: int, group: Group, about: Group) -> float | None:
        """Of the requests that are of a group and that an objective is about, the share within it; None without any."""
        arrived = self.table["outcomes"].sum(axis=-1)[_choice(group)]
        met = self.met[_choice(group)][..., objective]
        if about.streams is not None:
            streams = about.streams if group.streams is None else about.streams[group.streams]
            arrived, met = arrived[:, streams], met[:, streams]
        total = int(arrived.sum())
        return int(met.sum()) / total if total else None


def _choice(group: Group) -> tuple[slice | NDArray[np.bool_], ...]:
    """The places of a group's cells."""
    pools = slice(None) if group.pool is None else slice(group.pool, group.pool + 1)
    return pools, slice(None) if group.streams is None else group.streams


def cells_of(
    rows: NDArray[np.void],
    pools: int,
    streams: int,
    good: NDArray[np.bool_],
    met: Mapping[int, NDArray[np.bool_]],
) -> Cells:
    """Counts the rows (requests or logical requests) of a window.

    `good`: which were answered within every objective of theirs; `met`: by objective, which were within it; each of
    shape (len(rows),).
    """
    table = np.zeros(pools * streams, CELL)
    within = np.zeros((pools * streams, len(met)), np.int64)
    for first in range(0, len(rows), CHUNK_ROWS):
        chunk = slice(first, first + CHUNK_ROWS)
        part = rows[chunk]
        cell = part["pool"].astype(np.int64) * streams + part["stream"]
        answered, lost = part["outcome"] == COMPLETED, part["lost"] > 0

        def number(which: NDArray[np.bool_], cell: NDArray[np.int64] = cell) -> NDArray[np.int64]:
            return np.bincount(cell[which], minlength=pools * streams)

        ways = np.bincount(cell * len(OUTCOMES) + part["outcome"], minlength=table["outcomes"].size)
        table["outcomes"] += ways.reshape(-1, len(OUTCOMES))
        for name in ("prompt_tokens", "output_tokens", "cached_tokens"):  # exact: sums far below 2 ** 53
            sums = np.bincount(cell, weights=np.where(answered, part[name], 0), minlength=pools * streams)
            table[name] += sums.astype(np.int64)
        table["good"] += number(good[chunk])
        table["lost"] += number(lost)
        table["retried"] += number(lost & answered)
        for place, which in met.items():
            within[:, place] += number(which[chunk])
    return Cells(table.reshape(pools, streams), within.reshape(pools, streams, len(met)))
