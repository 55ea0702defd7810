"""Conversations: how many turns they have, when the next one is sent, what tools are called on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.config.said import said
from sim.config.units import PositiveCount
from sim.workload.distributions import TokenLaw
from sim.workload.drawing import AnyCount, drawn_counts, drawn_times, drawn_tokens, mean
from sim.workload.durations import AnyTime
from sim.workload.law import Distribution
from sim.workload.links import NOBODY, Links
from sim.workload.randomness import RngOf
from sim.workload.rates import check_size
from sim.workload.returning import ComesBack

__all__ = ["Followers", "Session", "Tools"]

Tokens = NDArray[np.int32]
MOST_TURNS = 2**15 - 1  # the column `turn` is int16


class Tools(BaseModel):
    """Model calls that an agent makes between two turns, all at once; the next turn waits for the last of them."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    calls: Annotated[AnyCount, Field(description="Calls after a turn, rounded; 0: the next turn follows directly.")]
    prompt_tokens: Annotated[TokenLaw, Field(description="Length of their prompts; they hold no history.")]
    output_tokens: Annotated[TokenLaw, Field(description="Length of their answers.")]
    delay_s: Annotated[
        AnyTime, Field(alias="delay", description="From the turn's answer to the call: a duration or a law.")
    ] = 0.0

    def drawn(self, rng_of: RngOf, n: int) -> tuple[Tokens, Tokens, NDArray[np.float64]]:
        """Prompts, answers and delays of n calls."""
        at = "session.tools"
        name = "prompt_tokens"
        prompt = drawn_tokens(self.prompt_tokens, f"tool_{name}", rng_of, n, absent=0, place=f"{at}.{name}")
        name = "output_tokens"
        output = drawn_tokens(self.output_tokens, f"tool_{name}", rng_of, n, absent=1, place=f"{at}.{name}")
        return prompt, output, drawn_times(self.delay_s, "tool_delay", rng_of, n, f"{at}.delay")


class Session(BaseModel):
    """Each arrival begins a conversation; its next turn is sent after the answer to the one before."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    turns: Annotated[AnyCount, Field(description="Turns of a conversation, rounded: a number or a law; at least 1.")]
    think_s: Annotated[
        AnyTime, Field(alias="think", description="From an answer to the next turn: a duration or a law.")
    ] = 0.0
    prompt_tokens: Annotated[
        TokenLaw | None, Field(description="New tokens of a later turn; left out: as the stream's prompts.")
    ] = None
    history: Annotated[
        bool, Field(strict=True, description="A prompt begins with all earlier turns and their answers.")
    ] = True
    max_context: Annotated[
        PositiveCount | None,
        Field(description="Tokens of a prompt and its answer at most: the oldest turns are left out of the history."),
    ] = None
    prefix_cache: Annotated[
        bool, Field(strict=True, description="A replica that has served earlier turns still has their KV cache.")
    ] = True
    tools: Annotated[Tools | None, Field(description="Calls between two turns.")] = None
    comes_back: Annotated[ComesBack | None, Field(description="Who stays away after a slow answer.")] = None

    @model_validator(mode="after")
    def _check(self) -> Session:
        if not isinstance(self.turns, Distribution) and self.turns < 1:
            raise said(f"must be at least 1, got {self.turns:g}", "turns")
        if isinstance(self.turns, Distribution) and self.turns.source_file is None and self.turns.mean_value < 1:
            raise said(f"must be at least 1 on average, got {self.turns.mean_value:.3g}", "turns")
        if self.max_context is not None and not self.history:
            raise said("is only used with history: true", "max_context")
        return self

    @property
    def mean_requests(self) -> float:
        """About how many requests a conversation is, tools' calls included."""
        calls = 0.0 if self.tools is None else mean(self.tools.calls)
        return 1.0 + (max(mean(self.turns), 1.0) - 1.0) * (1.0 + calls)

    def followers(self, rng_of: RngOf, sessions: int) -> Followers:
        """Who follows the first turns of so many conversations. Raises ConfigError where a law draws too much."""
        turns = drawn_counts(self.turns, "turns", rng_of, sessions, least=1, most=MOST_TURNS, place="session.turns")
        later = int(turns.sum()) - sessions
        check_size(sessions + later)
        calls = np.zeros(later, np.int64)
        if self.tools is not None:
            place = "session.tools.calls"
            calls = drawn_counts(self.tools.calls, "tool_calls", rng_of, later, least=0, most=10_000, place=place)
            check_size(sessions + later + float(calls.sum()))
        think_s = drawn_times(self.think_s, "think", rng_of, later, "session.think")
        return Followers(turns, calls, think_s)

    def new_tokens(self, law: TokenLaw | None, rng_of: RngOf, later: int) -> Tokens:
        """New prompt tokens of so many later turns; `law` is the stream's own."""
        own = self.prompt_tokens is not None
        law = self.prompt_tokens if own else law
        place = "session.prompt_tokens" if own else "prompt_tokens"
        return drawn_tokens(law, "turn_prompt_tokens", rng_of, later, absent=0, place=place)


@dataclass(frozen=True)
class Followers:
    """Turns and calls of conversations, and where their rows are.

    Rows: all first turns; then, conversation by conversation, for each later turn the calls before it, and itself.
    """

    turns: NDArray[np.int64]
    """Shape (sessions,)."""
    calls: NDArray[np.int64]
    """Shape (later turns,), conversation by conversation: tools' calls before each."""
    think_s: NDArray[np.float64]
    """Shape (later turns,)."""

    @property
    def rows(self) -> int:
        return len(self.turns) + len(self.calls) + int(self.calls.sum())

    @property
    def starts(self) -> NDArray[np.bool_]:
        """Of all turns, conversation by conversation: which are the first of theirs."""
        starts = np.zeros(int(self.turns.sum()), bool)
        starts[np.cumsum(self.turns) - self.turns] = True
        return starts

    @property
    def turn_rows(self) -> NDArray[np.int64]:
        """The row of each turn, conversation by conversation."""
        rows = np.empty(int(self.turns.sum()), np.int64)
        starts = self.starts
        rows[starts] = np.arange(len(self.turns))
        rows[~starts] = len(self.turns) + np.cumsum(self.calls + 1) - 1
        return rows

    @property
    def call_rows(self) -> NDArray[np.int64]:
        """The row of each call of a tool, conversation by conversation."""
        rows = np.ones(self.rows, bool)
        rows[self.turn_rows] = False
        return np.flatnonzero(rows)

    def links(self, delay_s: NDArray[np.float64]) -> Links:
        """Who follows whom; `delay_s`, shape (calls,): from a turn's answer to each call."""
        n, starts, row = self.rows, self.starts, self.turn_rows
        turn = np.arange(len(starts)) - np.repeat(np.cumsum(self.turns) - self.turns, self.turns)
        before, after = np.flatnonzero(~starts) - 1, np.flatnonzero(~starts)
        many = np.maximum(self.calls, 1)
        links = Links.none(n)
        then, thens, waits = np.full(n, NOBODY, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32)
        session, place, pause_s = np.empty(n, np.int32), np.empty(n, np.int16), np.zeros(n)
        then[row[before]] = row[after] - self.calls
        thens[row[before]] = many
        waits[row[after]] = many
        pause_s[row[after]] = self.think_s
        session[row] = np.repeat(np.arange(len(self.turns)), self.turns)
        place[row] = turn
        of = np.repeat(after, self.calls)  # the turn that each call leads to
        call = self.call_rows
        then[call], thens[call], waits[call] = row[of], 1, 1
        pause_s[call] = delay_s
        session[call], place[call] = session[row[of]], turn[of] - 1
        return Links(then, thens, waits, pause_s, session, place, links.last, links.heads, links.tails)
