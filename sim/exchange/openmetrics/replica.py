"""What one replica's server would have exported, from the requests that it had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.exchange.openmetrics import families
from sim.exchange.openmetrics.families import Family
from sim.exchange.openmetrics.scrapes import Counted, Floats, Ints, Stretch
from sim.model.tables import ABANDONED, COMPLETED, TIMED_OUT

if TYPE_CHECKING:
    from sim.exchange.served import Served

COUNTERS = (families.PROMPT, families.GENERATION, families.QUERIES, families.HITS)
HISTOGRAMS = (
    *(families.TTFT, families.ITL, families.TPOT, families.E2E, families.QUEUE, families.INFERENCE),
    *(families.PREFILL, families.DECODE, families.PROMPTS, families.OUTPUTS),
)
REASONS = ("stop", "abort")


@dataclass(frozen=True)
class Server:
    """A replica's server over its life."""

    labels: str
    stretch: Stretch
    rows: NDArray[np.void]
    """Of the requests that ended up there."""
    first_s: Floats
    """When it made their first tokens and was done with them; inf: never."""
    end_s: Floats
    runs: tuple[Floats, Floats]
    """From when to when those that it surely had were in its batch,"""
    waits: tuple[Floats, Floats]
    """and those that surely were in its queue there."""
    token_edges: tuple[float, ...]

    @classmethod
    def of(
        cls,
        labels: str,
        stretch: Stretch,
        served: Served,
        table: NDArray[np.void],
        here: Ints,
        queued: NDArray[np.bool_],
        token_edges: tuple[float, ...],
    ) -> Server:
        """`here`: places of the requests that ended up there; `queued`: which of all waited in a replica's queue."""
        runs, waits = here[served.known[here]], here[queued[here]]
        return cls(
            labels,
            stretch,
            table[here],
            served.first_s[here],
            served.end_s[here],
            (served.start_s[runs], np.maximum(served.end_s[runs], served.start_s[runs])),
            (served.arrival_s[waits], np.minimum(served.start_s[waits], served.end_s[waits])),
            token_edges,
        )

    def gauge(self, family: Family) -> Ints:
        """Running or waiting requests at each sample."""
        return self.stretch.there(*(self.runs if family == families.RUNNING else self.waits))

    def counter(self, family: Family) -> Ints:
        """Tokens by each sample."""
        rows = self.rows
        begun = ~np.isnan(rows["first_token_s"])
        if family == families.GENERATION:
            made = np.where(rows["outcome"] == COMPLETED, rows["output_tokens"], np.maximum(rows["done_tokens"], 1))
            kept = begun & np.isfinite(self.end_s)
            return self.stretch.spread(self.first_s[kept], self.end_s[kept], made[kept].astype(np.int64))
        if family == families.PROMPT:
            return self.stretch.counter(self.first_s[begun], rows["prompt_tokens"][begun])
        started = ~np.isnan(rows["start_s"])
        name = "prompt_tokens" if family == families.QUERIES else "cached_tokens"
        return self.stretch.counter(rows["start_s"][started], rows[name][started])

    def ended(self, reason: str) -> Ints:
        """Requests by each sample that were answered (`stop`), or given up by their clients (`abort`)."""
        outcome = self.rows["outcome"]
        chosen = outcome == COMPLETED if reason == "stop" else np.isin(outcome, (ABANDONED, TIMED_OUT))
        return self.stretch.counter(self.rows["finish_s"][chosen])

    def histogram(self, family: Family) -> Counted:
        """Latencies, as clients see them, or lengths."""
        rows, answered = self.rows, self.rows["outcome"] == COMPLETED
        edges = family.edges or self.token_edges
        if family == families.TTFT:
            rows = rows[~np.isnan(rows["first_token_s"])]
            return self.stretch.histogram(rows["first_token_s"], rows["first_token_s"] - rows["arrival_s"], edges)
        if family in (families.ITL, families.TPOT):
            rows = rows[answered & (rows["output_tokens"] > 1)]
            gaps = rows["output_tokens"].astype(np.int64) - 1
            mean_s = (rows["finish_s"] - rows["first_token_s"]) / gaps
            return self.stretch.histogram(rows["finish_s"], mean_s, edges, gaps if family == families.ITL else None)
        rows = rows[answered]
        return self.stretch.histogram(rows["finish_s"], _values(family, rows), edges)


def _values(family: Family, rows: NDArray[np.void]) -> Floats:
    """What is observed of each answered request at its end."""
    if family in (families.PROMPTS, families.OUTPUTS):
        name = "prompt_tokens" if family == families.PROMPTS else "output_tokens"
        return rows[name].astype(np.float64)
    until, since = {
        families.E2E: ("finish_s", "arrival_s"),
        families.QUEUE: ("start_s", "arrival_s"),
        families.INFERENCE: ("finish_s", "start_s"),
        families.PREFILL: ("first_token_s", "start_s"),
        families.DECODE: ("finish_s", "first_token_s"),
    }[family]
    return np.asarray(np.maximum(rows[until] - rows[since], 0.0))


def lines_a_sample(token_edges: tuple[float, ...]) -> int:
    """How many lines one sample of a server is."""
    buckets = sum(len(family.edges or token_edges) + 3 for family in HISTOGRAMS)
    return 2 + len(COUNTERS) + len(REASONS) + buckets


def chosen_by_life(served: Served) -> Iterator[Ints]:
    """The places of the requests that ended up at each life's replica."""
    order = np.argsort(served.life, kind="stable")
    edges = np.searchsorted(served.life[order], np.arange(len(served.lives) + 1))
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        yield order[first:last]
