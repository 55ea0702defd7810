"""What the prompts of a conversation hold: all that was said before, as far as it fits, and the blocks it is made of.

Turns stand here conversation by conversation, each in its order; a conversation's first turn begins with nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import ConfigError, Problem
from sim.workload.demand import KV_BLOCK_TOKENS
from sim.workload.prefixes import PrefixLists, check_blocks
from sim.workload.rows import MOST_TOKENS

__all__ = ["History", "histories"]

Tokens = NDArray[np.int32]


@dataclass(frozen=True)
class History:
    """The prompts of turns, all of shape (turns,)."""

    prompt_tokens: Tokens
    """The history and what is new."""
    begins: NDArray[np.int64]
    """The turn with which the prompt begins: an earlier one of its conversation, or itself."""

    def blocks(self, output_tokens: Tokens) -> PrefixLists:
        """The parts of each prompt, and of its answer, that other prompts can share; ids not yet by first use.

        A part is what one turn added to what was in memory: whole blocks of KV memory, up to the end of its prompt, and
        up to the last token but one of its answer (the last one is never computed). Prompts that begin at another turn
        share nothing.
        """
        turns = np.arange(len(self.begins))
        # the turns that begin alike are a run, and its first prompt is one part
        fresh = np.ones(len(turns), bool)
        fresh[1:] = self.begins[1:] != self.begins[:-1]
        first = np.maximum.accumulate(np.where(fresh, turns, 0))
        prompt, whole = self.prompt_tokens.astype(np.int64), KV_BLOCK_TOKENS
        prompt_end = prompt // whole * whole
        answer_end = (prompt + output_tokens - 1) // whole * whole
        begin = np.zeros(len(turns), np.int64)
        begin[1:] = np.where(fresh[1:], 0, answer_end[:-1])
        sizes = np.column_stack([prompt_end - begin, answer_end - prompt_end]).ravel().astype(np.int32)
        lengths = 2 * (turns - first) + 1
        check_blocks(int(lengths.sum()))
        ids = np.repeat(2 * first - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
        there = sizes[ids] > 0
        lengths = np.bincount(np.repeat(turns, lengths)[there], minlength=len(turns))
        answers = np.where(sizes[1::2] > 0, 2 * turns + 1, -1).astype(np.int32)
        return PrefixLists(lengths, ids[there].astype(np.int32), sizes, answers)


def histories(
    starts: NDArray[np.bool_], new_tokens: Tokens, output_tokens: Tokens, most_tokens: int | None = None
) -> History:
    """Prompts that hold all earlier turns of their conversation: what was new in each, and its answer.

    `starts` marks first turns. A prompt and its answer hold `most_tokens` at most: the oldest turns are left out, whole
    ones, and do not come back. Raises ConfigError for a turn that is too long by itself.
    """
    own = new_tokens.astype(np.int64) + output_tokens
    turns = np.arange(len(own))
    if most_tokens is not None and (own > most_tokens).any():
        worst = int(np.argmax(own))
        told = (
            f"is {most_tokens:,} tokens, and a turn has {new_tokens[worst]:,} new prompt tokens and "
            f"{output_tokens[worst]:,} output tokens: it never fits; bound the lengths (`max:`)"
        )
        raise ConfigError(Problem(told, "session.max_context"))
    before = np.cumsum(own) - own
    begins = np.maximum.accumulate(np.where(starts, turns, 0))
    if most_tokens is not None:
        # the first turn from which on everything up to this one's answer fits
        fits = np.searchsorted(before, before + own - most_tokens)
        begins = np.maximum.accumulate(np.maximum(begins, fits))
    prompt = before - before[begins] + new_tokens
    if len(prompt) and prompt.max() > MOST_TOKENS:
        told = f"grows to a prompt of {prompt.max():,} tokens; give `turns` a `max`, or set `max_context`"
        raise ConfigError(Problem(told, "session"))
    return History(prompt.astype(np.int32), begins)
