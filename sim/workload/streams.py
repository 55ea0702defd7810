"""The shapes of a workload, told apart by their keys: one stream, generated or replayed, or several by name.

A stream draws from random numbers named after itself, so adding a stream never changes another's requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from sim.config.said import Problems, said, said_all
from sim.workload.base import Stream, Workload
from sim.workload.clients import Clients
from sim.workload.generated import Generated
from sim.workload.names import StreamName
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


def _some(streams: dict[str, Stream]) -> dict[str, Stream]:
    if not 1 <= len(streams) <= MOST_STREAMS:
        raise said(f"must hold between 1 and {MOST_STREAMS:,} streams, got {len(streams):,}")
    return streams


class Streams(Workload):
    """Several streams of requests, by name."""

    streams: Annotated[dict[StreamName, AnyStream], AfterValidator(_some)]
    clients: Annotated[
        Clients | None, Field(description="Those who send the requests, for all streams; a stream's own keys go first.")
    ] = None

    def by_name(self) -> dict[str, Stream]:
        return dict(self.streams)

    def clients_of(self, name: str) -> Clients:
        own, default = self.streams[name].clients, self.clients
        return (own or Clients()).over(default)

    @model_validator(mode="after")
    def _clients_agree(self) -> Self:
        """What a stream says of its clients may contradict what is said of all."""
        problems: Problems = []
        for name in self.streams if self.clients is not None else ():
            merged = self.clients_of(name).problems()
            problems += [(("streams", name, "clients", *at), told) for at, told in merged]
        if problems:
            raise said_all(problems)
        return self

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
