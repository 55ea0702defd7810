"""What every workload is: streams of requests, each drawn by itself, merged into one `Demand`."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sim.config.errors import ConfigError, Problem
from sim.config.units import Share
from sim.workload.clients import Clients, merged_limits
from sim.workload.demand import Demand
from sim.workload.links import Links, merged_links
from sim.workload.names import ClassName, TenantName
from sim.workload.prefixes import PrefixLists, closed, joined, no_prefixes
from sim.workload.randomness import RngOf, chunk_of, rngs_of
from sim.workload.rates import check_size
from sim.workload.returning import ComesBack

__all__ = ["Columns", "Floats", "Stream", "Tokens", "Workload"]

Floats = NDArray[np.float64]
Tokens = NDArray[np.int32]
UNNAMED = "requests"
"""The name of a workload's only stream."""


@dataclass(frozen=True)
class Columns:
    """The requests of one stream, in arrival order; all of shape (n,)."""

    arrival_s: Floats
    prompt_tokens: Tokens
    output_tokens: Tokens
    service_s: Floats
    first_service_s: Floats
    notes: tuple[str, ...] = ()
    prefixes: PrefixLists | None = None
    """Numbered by itself; None if no request shares a block."""
    links: Links | None = None
    """Who follows whom, in rows of this stream; those that follow others are last, and arrive at infinity."""

    def __len__(self) -> int:
        return len(self.arrival_s)

    def part(self, first: int, end: int) -> Columns:
        """The rows from `first` to before `end`, with the notes; nobody follows anybody, or shares a block."""
        assert self.links is None
        assert self.prefixes is None
        service_s = self.service_s[first:end]
        whole = self.first_service_s is self.service_s
        return Columns(
            self.arrival_s[first:end],
            self.prompt_tokens[first:end],
            self.output_tokens[first:end],
            service_s,
            service_s if whole else self.first_service_s[first:end],
            self.notes,
        )

    def parts(self, rows: int) -> Iterator[Columns]:
        """All rows, so many at a time; at least one part, maybe empty."""
        for first in range(0, max(len(self), 1), rows):
            yield self.part(first, first + rows)


class Workload(BaseModel):
    """What may stand under `workload:`; each shape says what its streams are."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @abstractmethod
    def by_name(self) -> dict[str, Stream]:
        """The streams, in order."""

    @property
    def stream_names(self) -> tuple[str, ...]:
        return tuple(self.by_name())

    def stream_pool(self, name: str) -> str | None:
        """The pool the stream names, if it names one."""
        return self.by_name()[name].pool

    def has_service(self, name: str) -> bool:
        """Whether the stream's requests bring a service time (for `slots` replicas)."""
        return self.by_name()[name].brings_service

    def has_tokens(self, name: str) -> bool:
        """Whether the stream's requests bring prompt and output tokens (for `batching` replicas)."""
        return self.by_name()[name].brings_tokens

    def clients_of(self, name: str) -> Clients:
        """Those who send the stream's requests."""
        return self.by_name()[name].clients or Clients()

    def most_in_flight(self, name: str) -> int | None:
        """How many of the stream's requests its clients have under way at once; None: any number."""
        return self.clients_of(name).max_in_flight

    @property
    def is_finite(self) -> bool:
        """Whether every stream ends by itself, so that a horizon is not needed."""
        return all(stream.ends for stream in self.by_name().values())

    def expected_requests(self, horizon_s: float | None) -> float:
        """About how many requests will arrive; cheap.

        Raises ConfigError if a stream does not fit the file it rests on, DataError if that is wrong.
        """
        return math.fsum(self._expected(name, stream, horizon_s) for name, stream in self.by_name().items())

    def _expected(self, name: str, stream: Stream, horizon_s: float | None) -> float:
        try:
            return stream.expected(horizon_s)
        except ConfigError as error:
            raise below(self.place_of(name), error) from None

    def demand(self, seed: int, replication: int, horizon_s: float | None) -> Demand:
        """Draw every request that arrives in [0, horizon_s), all streams merged by time.

        Without a horizon every stream must be finite. Raises ConfigError if the demand cannot be drawn, DataError if a
        file is wrong.
        """
        assert horizon_s is None or 0 < horizon_s < math.inf, f"horizon_s must be above 0, got {horizon_s}"
        if horizon_s is not None:
            expected = self.expected_requests(horizon_s)
            try:
                check_size(expected)
            except ConfigError as error:
                raise below("workload", error) from None
        whole, users = self._drawn(
            lambda name: rngs_of(seed, replication, name), lambda _, stream, rng_of: stream.columns(rng_of, horizon_s)
        )
        if not any(users.values()):
            return whole

        def more(chunk: int) -> Demand:
            further, _ = self._drawn(
                lambda name: chunk_of(rngs_of(seed, replication, name), chunk),
                lambda name, stream, rng_of: stream.further(rng_of, users[name], chunk),
            )
            assert further.links is not None
            session = user_session[further.links.session]  # which counts users alone
            return replace(further, notes=(), links=replace(further.links, session=session))

        assert whole.links is not None
        user_session = whole.links.session[whole.links.tails]
        return replace(whole, more=more)

    def _drawn(
        self, rngs: Callable[[str], RngOf], columns: Callable[[str, Stream, RngOf], Columns]
    ) -> tuple[Demand, dict[str, int]]:
        """All streams merged, and how many users each has who go on and on."""
        parts, tickets, limits = [], [], []
        users: dict[str, int] = {}
        for name, stream in self.by_name().items():
            rng_of = rngs(name)
            try:
                part = columns(name, stream, rng_of)
                limits.append(self.clients_of(name).limits(rng_of, len(part.arrival_s)))
            except ConfigError as error:
                raise below(self.place_of(name), error) from None
            parts.append(part)
            users[name] = 0 if part.links is None else len(part.links.tails)
            tickets.append(rng_of("ticket").random(len(part.arrival_s)))
        bears = merged_limits(limits, [part.arrival_s for part in parts])
        whole = replace(
            merged(self.by_name(), parts, tickets),
            patience_s=bears.get("patience_s"),
            first_token_timeout_s=bears.get("first_token_timeout_s"),
            token_timeout_s=bears.get("token_timeout_s"),
            total_timeout_s=bears.get("total_timeout_s"),
        )
        return whole, users

    def place_of(self, name: str) -> str:
        """Dotted path of a stream in the scenario."""
        return "workload"


def below(place: str, error: ConfigError) -> ConfigError:
    """The same problems, their paths told from the scenario's top."""
    return ConfigError(
        replace(problem, path=".".join(filter(None, (place, problem.path)))) for problem in error.problems
    )


def _cached(streams: Mapping[str, Stream], prompts: list[Tokens]) -> Tokens:
    """Tokens of each prompt that the prefix cache holds: the stream's share, and never the last token of a prompt."""
    cached = np.zeros(sum(map(len, prompts)), np.int32)
    at = 0
    for stream, prompt in zip(streams.values(), prompts, strict=True):
        if stream.cached_share:
            part = cached[at : at + len(prompt)]
            np.minimum(np.floor(stream.cached_share * prompt), np.maximum(prompt - 1, 0), out=part, casting="unsafe")
        at += len(prompt)
    return cached


def merged(streams: Mapping[str, Stream], parts: list[Columns], tickets: list[Floats]) -> Demand:
    """One table from the streams' own; requests that arrive together keep the order of the streams."""
    names = tuple(streams)
    empty = (
        f"stream {name}: no request arrives" for name, part in zip(names, parts, strict=True) if not len(part.arrival_s)
    )
    notes = (*(note for part in parts for note in part.notes), *empty)
    counts = [len(part.arrival_s) for part in parts]
    check_size(sum(counts))
    stream = np.repeat(np.arange(len(parts), dtype=np.int16), counts)
    if len(parts) == 1:
        (one,), (ticket,) = parts, tickets
        tokens, service = (one.prompt_tokens, one.output_tokens), (one.service_s, one.first_service_s)
        cached = _cached(streams, [one.prompt_tokens])
        prefix = no_prefixes(len(stream)) if one.prefixes is None else closed(one.prefixes)
        return Demand(one.arrival_s, stream, *tokens, *service, cached, ticket, *prefix, names, notes, links=one.links)
    arrival_s = np.concatenate([part.arrival_s for part in parts])
    order = np.argsort(arrival_s, kind="stable")

    def sorted_(column: Callable[[Columns], Any]) -> Any:
        return np.concatenate([column(part) for part in parts])[order]

    cached = _cached(streams, [part.prompt_tokens for part in parts])
    prompt_tokens, output_tokens = sorted_(lambda part: part.prompt_tokens), sorted_(lambda part: part.output_tokens)
    service_s = sorted_(lambda part: part.service_s)
    whole = all(part.first_service_s is part.service_s for part in parts)
    first_service_s = service_s if whole else sorted_(lambda part: part.first_service_s)
    tokens, service = (prompt_tokens, output_tokens), (service_s, first_service_s)
    ticket = np.concatenate(tickets)[order]
    lists = joined([part.prefixes for part in parts], counts, order)
    prefix = no_prefixes(len(stream)) if lists is None else closed(lists)
    links = merged_links([part.links for part in parts], counts, order)
    columns = (arrival_s[order], stream[order], *tokens, *service, cached[order], ticket, *prefix)
    return Demand(*columns, names, notes, links=links)


class Stream(Workload):
    """Requests of one kind; by itself, a whole workload."""

    pool: Annotated[
        str | None, Field(description="Pool that serves it; default: the only pool, or the one of the same name.")
    ] = None
    model: Annotated[
        str | None, Field(description="The model that it wants: without 'pool', it goes to the pool that serves it.")
    ] = None

    cached_share: Annotated[
        Share, Field(description="Share of prompt tokens found in the prefix cache: in memory, not prefilled.")
    ] = 0.0
    class_name: Annotated[
        ClassName | None, Field(alias="class", description="Class of its requests, one of `classes` if there are any.")
    ] = None
    tenant: Annotated[
        TenantName | None, Field(description="Whose requests they are, one of `tenants` if there are any.")
    ] = None
    clients: Annotated[Clients | None, Field(description="Those who send the requests.")] = None

    def by_name(self) -> dict[str, Stream]:
        return {UNNAMED: self}

    @property
    @abstractmethod
    def brings_service(self) -> bool: ...

    @property
    @abstractmethod
    def brings_tokens(self) -> bool: ...

    @property
    @abstractmethod
    def ends(self) -> bool: ...

    @property
    def persists(self) -> bool:
        """Whether those who got no answer ask the next thing all the same."""
        return False

    @property
    def comes_back(self) -> ComesBack | None:
        """Who stays away after a slow answer."""
        return None

    @abstractmethod
    def expected(self, horizon_s: float | None) -> float: ...

    @abstractmethod
    def columns(self, rng_of: RngOf, horizon_s: float | None) -> Columns:
        """The requests that arrive in [0, horizon_s)."""

    def pieces(self, rng_of: RngOf, horizon_s: float | None, rows: int) -> Iterator[Columns]:
        """The same requests in pieces of about `rows`, in order; `rng_of` goes on where it was (see `going_on`).

        At least one piece, maybe empty; notes are those of the last. A stream that does not say how it is drawn in
        pieces is drawn whole and cut.
        """
        yield from self.columns(rng_of, horizon_s).parts(rows)

    @property
    def whole_only(self) -> Problem | None:
        """What makes it impossible to draw this stream in pieces, if anything, below the stream's own place."""
        return None

    def further(self, rng_of: RngOf, users: int, chunk: int) -> Columns:
        """Chunk 1, 2, ... of the requests of users who go on and on; of other streams, no request."""
        tokens, none_s = np.empty(0, np.int32), np.empty(0)
        return Columns(none_s, tokens, tokens, none_s, none_s)
