"""Demand in chunks, for runs that do not hold all of it at once. Owns the merging of streams that are drawn in pieces.

The chunks together are the demand that `Workload.demand` draws, bit for bit: every law of the same named stream of
random numbers draws on where its last piece ended.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from sim.config.errors import ConfigError, Problem
from sim.workload.base import Columns, Floats, Stream, Workload, below, merged
from sim.workload.demand import Demand
from sim.workload.randomness import RngOf, going_on, rngs_of

MOST_STREAMED = 1e12
"""Requests of a run that somebody may wait for: at 1.6 million a second, a week."""
LEAST_ROWS = 64
"""Of a piece of a stream, unless chunks are smaller."""


def why_whole(workload: Workload) -> list[Problem]:
    """What of a workload can only be drawn, or simulated, as a whole; nothing if it can come in chunks."""
    problems = []
    for name, stream in workload.by_name().items():
        clients, place = workload.clients_of(name), workload.place_of(name)
        if clients.act or clients.max_in_flight is not None:
            told = "clients that do more than wait for their answers are not streamed"
            problems.append(Problem(told, f"{place}.clients"))
        problem = stream.whole_only
        if problem is not None:
            problems.append(Problem(f"is not streamed: {problem.message}", f"{place}.{problem.path}"))
    return problems


def chunks(workload: Workload, seed: int, replication: int, horizon_s: float | None, rows: int) -> Iterator[Demand]:
    """The requests of `workload.demand(seed, replication, horizon_s)` in chunks of about `rows`, in arrival order.

    The last chunk is empty and has the notes. `why_whole` must have nothing to say. Raises ConfigError
    and DataError as `demand` does, but when the drawing has come that far.
    """
    streams = workload.by_name()
    expected = 0.0 if horizon_s is None else workload.expected_requests(horizon_s)
    if expected > MOST_STREAMED:
        told = f"about {expected:.3g} requests before the horizon would take longer than a week"
        raise ConfigError(Problem(f"{told}: shorten the horizon or lower the rate", "workload"))
    parts = _shares(streams, horizon_s, rows)
    sources = [
        _Source(workload.place_of(name), stream, going_on(rngs_of(seed, replication, name)), horizon_s, parts[name])
        for name, stream in streams.items()
    ]
    while True:
        for source in sources:
            source.fill()
        until_s = min(source.sure_s for source in sources) if len(sources) > 1 else math.inf
        taken = [source.take(until_s) for source in sources]
        if any(len(columns) for columns, _ in taken):
            yield replace(merged(streams, *_lists(taken)), notes=())
        elif all(source.over for source in sources):
            yield replace(merged(streams, *_lists(taken)), notes=_notes(streams, sources))
            return
        else:  # all that is there may come together with what is drawn next
            for source in sources:
                source.fill(beyond_s=until_s)


def _lists(taken: list[tuple[Columns, Floats]]) -> tuple[list[Columns], list[Floats]]:
    return [columns for columns, _ in taken], [ticket for _, ticket in taken]


def _shares(streams: Mapping[str, Stream], horizon_s: float | None, rows: int) -> dict[str, int]:
    """How many rows of each stream to draw at a time, so that their pieces cover about as much time."""
    expected = {name: stream.expected(horizon_s) for name, stream in streams.items()}
    whole = math.fsum(expected.values())
    if not 0 < whole < math.inf:
        return dict.fromkeys(streams, rows)
    return {name: min(max(math.ceil(rows * each / whole), LEAST_ROWS), rows) for name, each in expected.items()}


def _notes(streams: Mapping[str, Stream], sources: list[_Source]) -> tuple[str, ...]:
    """As a whole demand has them."""
    told = [note for source in sources for note in source.notes]
    empty = [name for name, source in zip(streams, sources, strict=True) if not source.rows]
    return (*told, *(f"stream {name}: no request arrives" for name in empty))


class _Source:
    """One stream, drawn as far as it is needed."""

    def __init__(self, place: str, stream: Stream, rng_of: RngOf, horizon_s: float | None, rows: int) -> None:
        self.place = place
        self.tickets = rng_of("ticket")
        self.pieces = stream.pieces(rng_of, horizon_s, rows)
        self.waiting: list[tuple[Columns, Floats]] = []
        """Pieces drawn and not taken yet, none of them empty, with their tickets."""
        self.over = False
        """Nothing is left to draw."""
        self.rows = 0
        self.notes: tuple[str, ...] = ()

    @property
    def _last_s(self) -> float:
        return float(self.waiting[-1][0].arrival_s[-1]) if self.waiting else -math.inf

    @property
    def sure_s(self) -> float:
        """All that arrives before this time is there."""
        return math.inf if self.over else self._last_s

    def fill(self, beyond_s: float = -math.inf) -> None:
        """Draw until something is there that arrives after this, or all is drawn."""
        while not self.over and self._last_s <= beyond_s:
            try:
                piece = next(self.pieces, None)
            except ConfigError as error:
                raise below(self.place, error) from None
            if piece is None:
                self.over = True
            else:
                self.notes = piece.notes
                self.rows += len(piece)
                if len(piece):
                    self.waiting.append((piece, self.tickets.random(len(piece))))

    def take(self, until_s: float) -> tuple[Columns, Floats]:
        """All that is there and arrives before a time, and the tickets."""
        taken, kept = [], []
        for piece, ticket in self.waiting:
            cut = int(np.searchsorted(piece.arrival_s, until_s))
            if cut > 0:
                taken.append((piece.part(0, cut), ticket[:cut]))
            if cut < len(piece):
                kept.append((piece.part(cut, len(piece)), ticket[cut:]))
        self.waiting = kept
        if len(taken) == 1:
            return taken[0]
        return _together([columns for columns, _ in taken]), np.concatenate([np.empty(0), *(each for _, each in taken)])


def _together(pieces: list[Columns]) -> Columns:
    """One piece of all of them."""
    tokens = np.empty(0, np.int32)
    service_s = np.concatenate([np.empty(0), *(piece.service_s for piece in pieces)])
    whole = all(piece.first_service_s is piece.service_s for piece in pieces)
    return Columns(
        np.concatenate([np.empty(0), *(piece.arrival_s for piece in pieces)]),
        np.concatenate([tokens, *(piece.prompt_tokens for piece in pieces)]),
        np.concatenate([tokens, *(piece.output_tokens for piece in pieces)]),
        service_s,
        service_s if whole else np.concatenate([piece.first_service_s for piece in pieces]),
    )
