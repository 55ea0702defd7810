"""What a page or a program may ask, as pydantic models: every limit that needs no simulator is checked here."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from sim.ui.wire.limits import Limits

__all__ = ["Compare", "Link", "LongLook", "Look", "NewJob", "Open", "Shared", "Source", "State"]

_CLOSED = ConfigDict(frozen=True, extra="forbid")
_TEXT = Limits().text_chars
Key = Annotated[str, Field(max_length=200)]
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Value = Annotated[StrictInt | _Number | Annotated[str, Field(max_length=100)], Field(union_mode="left_to_right")]


class Source(BaseModel):
    """Which scenario is meant."""

    model_config = _CLOSED

    kind: Annotated[
        Literal["name", "text", "stored", "given"],
        Field(description="One that ships, a file's text, a stored run, or the file that the server was started with."),
    ]
    value: Annotated[str, Field(max_length=_TEXT, description="Its name, its text or its id; nothing for `given`.")] = (
        ""
    )


class State(BaseModel):
    """A scenario and what the sliders changed of it."""

    model_config = _CLOSED

    source: Source
    moved: Annotated[
        dict[Key, Value], Field(max_length=100, description="Values of the sliders that were moved, by their keys.")
    ] = {}
    pool: Annotated[str | None, Field(max_length=100, description="The pool whose size the curve is over.")] = None

    def key(self, *without: str) -> str:
        """The same text for the same state; `without`: leaving these sliders out."""
        moved = {key: value for key, value in sorted(self.moved.items()) if key not in without}
        text = json.dumps([self.source.kind, self.source.value, self.pool, moved])
        return hashlib.sha256(text.encode()).hexdigest()  # thousands are kept, and a pasted text is long


class Open(BaseModel):
    """A scenario to be opened."""

    model_config = _CLOSED

    source: Source


class Look(State):
    """A state whose charts are wanted now; of one client, the latest question wins."""

    client: Annotated[str, Field(max_length=60, description="Who asks; any word that others do not use.")] = ""
    number: Annotated[int, Field(ge=0, le=2**53, description="Told again in the answer.")] = 0


class Shared(BaseModel):
    """What a link holds."""

    model_config = _CLOSED

    version: Literal[1] = 1
    state: State
    pinned: State | None = None


class Link(BaseModel):
    """The part of a link after `#s=`."""

    model_config = _CLOSED

    link: Annotated[str, Field(max_length=Limits().link_chars)]


class Compare(BaseModel):
    """Paired replications of two states, until their differences are known."""

    model_config = _CLOSED

    kind: Literal["compare"]
    baseline: State
    other: State
    replications: Annotated[int | None, Field(ge=2, le=1000, description="Left out: as many as it takes.")] = None


class LongLook(BaseModel):
    """What a `look` is, for a state that takes too long to follow a slider."""

    model_config = _CLOSED

    kind: Literal["look"]
    state: State


NewJob = Annotated[Compare | LongLook, Field(discriminator="kind")]
