"""Speculative decoding: drafted tokens, and how many of them an iteration keeps."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim.config.units import COUNT, Duration, Share

MOST_DRAFTED = 64


class Speculation(BaseModel):
    """A draft proposes tokens for each sequence, and one iteration of the model verifies them all."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    draft_tokens: Annotated[
        Annotated[int, COUNT.between(1, MOST_DRAFTED)], Field(description="Tokens drafted for each iteration.")
    ]
    acceptance: Annotated[
        Share, Field(description="Chance that a drafted token is kept, if all before it in its iteration were.")
    ]
    draft_s: Annotated[
        Duration, Field(alias="draft", description="Seconds to draft one token for the whole batch; 0: looked up.")
    ] = 0.0

    @property
    def tokens_per_step(self) -> float:
        """Tokens that a sequence makes in an iteration, on average: 1 + a + a^2 + ... + a^draft_tokens.

        With a the acceptance: the verifying model adds one token of its own to those kept (Leviathan et al. 2023, "Fast
        inference from transformers via speculative decoding", equation 1).
        """
        return sum(self.acceptance**i for i in range(self.draft_tokens + 1))
