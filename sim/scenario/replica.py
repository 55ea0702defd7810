"""What a scenario may say of a replica: how it serves requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from sim.config.said import said
from sim.config.units import SHARE, PositiveCount
from sim.scenario.speculation import Speculation

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def kind_or(default: str) -> Callable[[Any], str]:
    """Tells the members of a union by `kind`; a mapping without one is the default's."""

    def kind(value: Any) -> str:
        found = value.get("kind", default) if isinstance(value, Mapping) else getattr(value, "kind", default)
        return str(found)

    return kind


class Slots(BaseModel):
    """A replica that serves a fixed number of requests at once, each for its own service time."""

    model_config = _CLOSED

    kind: Literal["slots"] = "slots"
    concurrency: Annotated[PositiveCount, Field(description="Requests served at once.")] = 1

    @property
    def seats(self) -> int:
        """Requests that can run at once."""
        return self.concurrency


class Batching(BaseModel):
    """A replica with continuous batching: every iteration serves all running sequences one token, and prefills."""

    model_config = _CLOSED

    kind: Literal["batching"] = "batching"
    max_num_seqs: Annotated[PositiveCount, Field(description="Sequences in the batch at once.")] = 256
    max_batched_tokens: Annotated[PositiveCount, Field(description="Tokens an iteration may process.")] = 8192
    chunked_prefill: Annotated[
        bool, Field(description="Whether a prompt may be prefilled over several iterations.")
    ] = True
    watermark: Annotated[
        Annotated[float, SHARE.between(0, 0.5)],
        Field(description="Share of the KV memory kept free when a request is admitted."),
    ] = 0.0
    speculation: Annotated[Speculation | None, Field(description="Speculative decoding.")] = None

    @property
    def seats(self) -> int:
        """Requests that can run at once."""
        return self.max_num_seqs

    @property
    def verified(self) -> int:
        """Tokens of a decoding sequence in an iteration: one, and those drafted."""
        return 1 if self.speculation is None else 1 + self.speculation.draft_tokens

    @model_validator(mode="after")
    def _budget_covers_batch(self) -> Self:
        if self.max_num_seqs * self.verified > self.max_batched_tokens:
            given = "a token" if self.verified == 1 else f"{self.verified} tokens with what is drafted"
            raise said(
                f"must not be above max_batched_tokens ({self.max_batched_tokens})"
                f"{'' if self.verified == 1 else f' / {self.verified}'}: an iteration gives every sequence {given}; "
                f"got {self.max_num_seqs}",
                "max_num_seqs",
            )
        return self


AnyReplica = Annotated[
    Annotated[Slots, Tag("slots")] | Annotated[Batching, Tag("batching")], Discriminator(kind_or("batching"))
]
