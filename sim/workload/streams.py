"""The shapes of a workload, told apart by their keys: one stream, generated or replayed, or several by name.

A stream draws from random numbers named after itself, so adding a stream never changes another's requests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Tag

from sim.config.said import said
from sim.config.units import shown
from sim.workload.base import Stream, Workload
from sim.workload.generated import Generated
from sim.workload.replayed import Replayed

MOST_STREAMS = 2**15 - 1  # the column `stream` is int16

__all__ = ["AnyStream", "AnyWorkload", "Streams"]


def _shape(value: Any) -> str | None:
    """Which shape a workload has, by its one telling key; None if it has none or several of them."""
    if isinstance(value, Generated | Replayed | Streams):
        return {Generated: _GENERATED, Replayed: _REPLAYED, Streams: _SEVERAL}[type(value)]
    keys = [key for key in _SHAPES if isinstance(value, Mapping) and key in value]
    return _SHAPES[keys[0]] if len(keys) == 1 else None


# Tags that cannot be mistaken for a key: they appear in the places pydantic reports.
_GENERATED, _REPLAYED, _SEVERAL = "a generated stream", "a replayed trace", "several streams"
_SHAPES = {"arrivals": _GENERATED, "trace": _REPLAYED, "streams": _SEVERAL}


def _stream_shape(value: Any) -> str | None:
    shape = _shape(value)
    return None if shape == _SEVERAL else shape


AnyStream = Annotated[
    Annotated[Generated, Tag(_GENERATED)] | Annotated[Replayed, Tag(_REPLAYED)],
    Discriminator(
        _stream_shape,
        custom_error_type="said",
        custom_error_message="needs exactly one of: arrivals (generated requests), trace (a file to replay)",
    ),
]


def _name(text: str) -> str:
    """A stream's name is a step of dotted paths (`workload.streams.chat`), so it holds no dot."""
    if not re.fullmatch(r"[\w-]{1,60}", text):
        raise said(f"a stream's name may hold letters, digits, '_' and '-' (at most 60 characters); got {shown(text)}")
    return text


def _some(streams: dict[str, Stream]) -> dict[str, Stream]:
    if not 1 <= len(streams) <= MOST_STREAMS:
        raise said(f"must hold between 1 and {MOST_STREAMS:,} streams, got {len(streams):,}")
    return streams


class Streams(Workload):
    """Several streams of requests, by name."""

    streams: Annotated[dict[Annotated[str, AfterValidator(_name)], AnyStream], AfterValidator(_some)]

    def by_name(self) -> dict[str, Stream]:
        return dict(self.streams)

    def place_of(self, name: str) -> str:
        return f"workload.streams.{name}"


AnyWorkload = Annotated[
    Annotated[Generated, Tag(_GENERATED)] | Annotated[Replayed, Tag(_REPLAYED)] | Annotated[Streams, Tag(_SEVERAL)],
    Discriminator(
        _shape,
        custom_error_type="said",
        custom_error_message="needs exactly one of: arrivals (generated requests), trace (a file to replay), "
        "streams (several, by name)",
    ),
]
