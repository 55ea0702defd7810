"""The law of iteration time: what one iteration of a continuous-batching engine costs."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.config.said import said
from sim.config.units import Duration


class Latency(BaseModel):
    """Iteration time in seconds: `base_s + prefill_s_per_token * P + decode_s_per_seq * B + attention_s_per_token * C`.

    P: prefill tokens in the iteration; B: sequences that decode; C: the sum of their context lengths in tokens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_s: Annotated[
        Duration, Field(description="Seconds that every iteration costs: weights are read, kernels launched.")
    ]
    prefill_s_per_token: Annotated[Duration, Field(description="Seconds for each prompt token prefilled.")]
    decode_s_per_seq: Annotated[Duration, Field(description="Seconds for each sequence that decodes one token.")]
    attention_s_per_token: Annotated[
        Duration, Field(description="Seconds for each token of context held by the sequences that decode.")
    ]
    overhead_s: Annotated[
        Duration,
        Field(description="Seconds outside the engine (HTTP, tokenising), added to every time to first token."),
    ] = 0.0

    @model_validator(mode="after")
    def _time_passes(self) -> Self:
        if self.base_s + self.decode_s_per_seq <= 0:
            raise said("an iteration must take time: base_s and decode_s_per_seq are both 0")
        return self
