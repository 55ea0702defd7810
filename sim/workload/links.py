"""Which requests follow which: turns of conversations, calls of tools, the next request of a user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Links", "merged_links"]

Rows = NDArray[np.int32]
NOBODY = -1


@dataclass(frozen=True)
class Links:
    """What becomes of requests when others are over. Columns of shape (n,); rows are those of the same table.

    A request that follows others stands at infinity in `arrival_s`. It is sent `pause_s` after the last of the `waits`
    requests that name it is over.
    """

    then: Rows
    """The first of the requests that follow it, -1 if none does."""
    thens: Rows
    """How many follow it, in rows next to one another."""
    waits: Rows
    """How many it follows; 0: it arrives by itself."""
    pause_s: NDArray[np.float64]
    session: Rows
    """Number of its conversation or user, -1: none."""
    turn: NDArray[np.int16]
    """Its place in its conversation, from 0; a tool's call has the place of the turn that made it."""
    last: NDArray[np.bool_]
    """When it is sent it is time for the next chunk: but one row is left of those drawn for its user."""
    heads: Rows
    """Shape (users,), closed populations: in a further chunk, the rows of each user's first request; else empty."""
    tails: Rows
    """Shape (users,): the rows of each user's last request so far."""

    @property
    def sessions(self) -> int:
        """How many conversations and users there are."""
        return int(self.session.max(initial=NOBODY)) + 1

    @classmethod
    def none(cls, n: int) -> Links:
        """Of n requests that follow nobody."""
        nobody, nothing, users = np.full(n, NOBODY, np.int32), np.zeros(n, np.int32), np.empty(0, np.int32)
        turn, last = np.zeros(n, np.int16), np.zeros(n, bool)
        return cls(nobody, nothing, nothing, np.zeros(n), nobody, turn, last, users, users)


def merged_links(parts: Sequence[Links | None], counts: Sequence[int], order: NDArray[np.intp]) -> Links | None:
    """The links of several streams as one, rows in `order`; None if no stream has any.

    `counts` are the requests of each stream. Those that follow one request must be neighbours in `order` too.
    """
    if all(part is None for part in parts):
        return None
    row_of = np.empty(len(order), np.int32)
    row_of[order] = np.arange(len(order), dtype=np.int32)
    all_, first, sessions = [], 0, 0
    for part, n in zip(parts, counts, strict=True):
        links = Links.none(n) if part is None else part
        rows = row_of[first : first + n]
        all_.append((links, rows, sessions))
        first, sessions = first + n, sessions + links.sessions

    def column(name: str) -> Any:
        return np.concatenate([getattr(links, name) for links, _, _ in all_])[order]

    then = [np.where(links.then < 0, NOBODY, own[np.maximum(links.then, 0)]) for links, own, _ in all_]
    session = [np.where(links.session < 0, NOBODY, links.session + before) for links, _, before in all_]
    return Links(
        then=np.concatenate(then)[order].astype(np.int32),
        thens=column("thens"),
        waits=column("waits"),
        pause_s=column("pause_s"),
        session=np.concatenate(session)[order].astype(np.int32),
        turn=column("turn"),
        last=column("last"),
        heads=np.concatenate([own[links.heads] for links, own, _ in all_]),
        tails=np.concatenate([own[links.tails] for links, own, _ in all_]),
    )
