"""Prefix blocks: which leading blocks of a prompt other requests have too. Owns their lists, numbers and sizes.

A block's key and value entries depend on every token before it, so two requests share a block only if everything up
to its end is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import ConfigError
from sim.workload.demand import PREFIX_BLOCK_TOKENS

__all__ = ["PrefixLists", "closed", "joined", "no_prefixes", "numbered"]

Ids = NDArray[np.int32]
MOST_BLOCKS = 2**31 - 1  # lists are indexed by int32


@dataclass(frozen=True)
class PrefixLists:
    """The leading blocks of each of n requests, one list after another."""

    lengths: NDArray[np.int64]
    """Shape (n,): blocks in each list, 0 for a request that shares nothing."""
    ids: NDArray[np.signedinteger]
    """Shape (sum of lengths,). From a file: any numbers of at least 0. Once `numbered`: 0, 1, ... by first use."""
    sizes: Ids | None = None
    """Shape (ids,), once numbered: the tokens of each id."""
    answers: Ids | None = None
    """Shape (n,): the id of each request's own answer, -1 where it has none; None if none has. Ids that no prompt names
    come after those that prompts name."""

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each list starts in `ids`, shape (n,)."""
        starts: NDArray[np.int64] = np.cumsum(self.lengths) - self.lengths
        return starts

    def only(self, rows: NDArray[np.intp]) -> PrefixLists:
        """The lists of some requests, in the order of `rows`."""
        lengths = self.lengths[rows]
        shift = self.starts[rows] - (np.cumsum(lengths) - lengths)
        ids = self.ids[np.repeat(shift, lengths) + np.arange(lengths.sum())]
        return PrefixLists(lengths, ids, self.sizes, None if self.answers is None else self.answers[rows])

    def at(self, rows: NDArray[np.integer], n: int) -> PrefixLists:
        """The same lists as those of the requests in these rows, of n; the others have none."""
        own = np.full(n, len(self.lengths), np.intp)
        own[rows] = np.arange(len(rows))
        answers = None if self.answers is None else np.append(self.answers, np.int32(-1))
        return PrefixLists(np.append(self.lengths, 0), self.ids, self.sizes, answers).only(own)

    def cycled(self, n: int) -> PrefixLists:
        """The first n lists of their endless repetition; a repeat shares no block with another. Needs numbered ids.

        Raises ConfigError if they are too many.
        """
        once = len(self.ids)
        turns, rest = divmod(n, len(self.lengths))
        total = turns * once + int(self.lengths[:rest].sum())
        check_blocks(total + n)
        assert self.sizes is not None, "number the lists first"
        assert self.answers is None, "answers in a trace have no id"
        if n <= len(self.lengths):
            return PrefixLists(self.lengths[:n], self.ids[:total], self.sizes[: _distinct(self.ids[:total])])
        ids = np.tile(self.ids, turns + 1)[:total]
        each = _distinct(self.ids)
        for turn in range(1, turns + 1):
            ids[turn * once : (turn + 1) * once] += turn * each
        sizes = np.tile(self.sizes, turns + 1)[: _distinct(ids)]
        return PrefixLists(np.tile(self.lengths, turns + 1)[:n], ids, sizes)


def check_blocks(expected: int) -> None:
    """Refuse lists that no run can hold, before memory is asked for. Raises ConfigError."""
    if expected > MOST_BLOCKS:
        raise ConfigError(
            f"about {expected:.3g} prefix blocks before the horizon; one run holds at most {MOST_BLOCKS:,}: "
            "shorten the horizon or set `prefixes: false`"
        )


def numbered(lists: PrefixLists, prompt_tokens: NDArray[np.int32]) -> tuple[PrefixLists, int]:
    """The same lists with ids 0, 1, ... in order of first use; and how many ids of the file had to be told apart.

    One id is one block: it always stands at the same place, after the same blocks, and holds the same number of tokens
    (only the last block of a prompt holds fewer than the others). Where a file's id does not, it becomes several.
    """
    total = len(lists.ids)
    place = np.arange(total) - np.repeat(lists.starts, lists.lengths)
    held = np.repeat(prompt_tokens.astype(np.int64), lists.lengths) - place * PREFIX_BLOCK_TOKENS
    held = np.minimum(held, PREFIX_BLOCK_TOKENS)
    _, name = np.unique(lists.ids, return_inverse=True)
    kinds, kind = np.unique(name * (PREFIX_BLOCK_TOKENS + 1) + held, return_inverse=True)
    block = np.empty(total, np.int64)
    longest_first = np.argsort(-lists.lengths, kind="stable")
    starts = lists.starts[longest_first]
    before = np.zeros(len(starts), np.int64)  # the block each list has reached; 0: none yet
    found = 1
    # The second entry of this sum is how many lists have a first block, and so on.
    for at, deep in enumerate(np.cumsum(np.bincount(lists.lengths)[::-1])[::-1][1:]):
        here = starts[:deep] + at
        steps, step = np.unique(before[:deep] * len(kinds) + kind[here], return_inverse=True)
        block[here] = before[:deep] = found + step
        found += len(steps)
    one_of = np.empty(_distinct(name), np.int64)
    one_of[name] = block
    told_apart = len(np.unique(name[block != one_of[name]]))
    ids = _by_first_use(block)
    sizes = np.empty(_distinct(ids), np.int32)
    sizes[ids] = held
    return PrefixLists(lists.lengths, ids, sizes), told_apart


def joined(parts: Sequence[PrefixLists | None], counts: Sequence[int], order: NDArray[np.intp]) -> PrefixLists | None:
    """The numbered lists of several streams as one, rows in `order`; None if no stream has any.

    `counts` are the requests of each stream. Streams share no block. Raises ConfigError if they are too many.
    """
    given = [part for part in parts if part is not None]
    if not given:
        return None
    check_blocks(sum(counts) + sum(len(part.ids) for part in given))
    lengths, ids, sizes, answers, used = [], [], [], [], 0
    for part, n in zip(parts, counts, strict=True):
        none = np.full(n, -1, np.int32)
        answers.append(none if part is None or part.answers is None else part.answers + used * (part.answers >= 0))
        lengths.append(np.zeros(n, np.int64) if part is None else part.lengths)
        if part is None:
            continue
        assert part.sizes is not None, "number the lists first"
        ids.append(part.ids + np.int32(used))
        sizes.append(part.sizes)
        used += len(part.sizes)
    some = any(part.answers is not None for part in given)
    whole = PrefixLists(
        np.concatenate(lengths),
        np.concatenate(ids),
        np.concatenate(sizes),
        np.concatenate(answers).astype(np.int32) if some else None,
    )
    return by_first_use(whole.only(order))


def by_first_use(lists: PrefixLists) -> PrefixLists:
    """The same lists, with ids 0, 1, ... in the order in which prompts name them; then those of other answers."""
    assert lists.sizes is not None, "number the lists first"
    if lists.answers is None:
        ids = _by_first_use(lists.ids)
        numbers, answers = ids, None
    else:
        own = lists.answers >= 0
        numbers = _by_first_use(np.concatenate([lists.ids, lists.answers[own]]))
        ids, answers = numbers[: len(lists.ids)], lists.answers.copy()
        answers[own] = numbers[len(ids) :]
    used = lists.ids if lists.answers is None else np.concatenate([lists.ids, lists.answers[lists.answers >= 0]])
    sizes = np.empty(_distinct(numbers), np.int32)
    sizes[numbers] = lists.sizes[used]
    return PrefixLists(lists.lengths, ids, sizes, answers)


def closed(lists: PrefixLists) -> tuple[Ids, Ids, Ids]:
    """Numbered lists as `Demand` holds them: `prefix0` (-1: no list), `prefixes` and `prefix_sizes`."""
    assert lists.sizes is not None, "number the lists first"
    some = lists.lengths > 0
    if lists.answers is not None:
        some |= lists.answers >= 0
    room = lists.lengths + some
    first = np.where(some, np.cumsum(room) - room, -1).astype(np.int32)
    flat = np.full(int(room.sum()), -1, np.int32)
    flat[np.arange(len(lists.ids)) + np.repeat(np.cumsum(some) - some, lists.lengths)] = lists.ids
    if lists.answers is not None:
        own = lists.answers >= 0
        flat[(np.cumsum(room) - 1)[own]] = -2 - lists.answers[own]
    return first, flat, lists.sizes


def no_prefixes(n: int) -> tuple[Ids, Ids, Ids]:
    """What `closed` would give for n requests without lists; takes no memory."""
    return np.broadcast_to(np.int32(-1), n), np.empty(0, np.int32), np.empty(0, np.int32)


def _distinct(ids: NDArray[np.signedinteger]) -> int:
    """How many numbers 0, 1, ... are in use, given that none is left out."""
    return int(ids.max(initial=-1)) + 1


def _by_first_use(ids: NDArray[np.signedinteger]) -> Ids:
    """The same ids, numbered 0, 1, ... in the order in which they first appear."""
    first = np.full(_distinct(ids), len(ids))
    first[ids[::-1]] = np.arange(len(ids))[::-1]  # the last assignment to an entry stays: the first use
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first))
    numbers: Ids = rank[ids]
    return numbers
