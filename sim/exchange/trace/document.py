"""The trace of a run, line by line: what it is, then its events, a pool after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.exchange.served import Life, Served, served_of
from sim.exchange.trace import counters, events
from sim.exchange.trace.batches import batches_of
from sim.exchange.trace.requests import SHARE, request_events
from sim.exchange.trace.states import READY, State, end_of, states_of
from sim.exchange.trace.window import MOST_EVENTS, Window, window_of
from sim.result.provenance import version
from sim.result.words import plural
from sim.scenario import Batching

if TYPE_CHECKING:
    from sim.result import Result

AUTOSCALER = 0
"""The track of a pool's decisions; those of its replicas follow."""


@dataclass(frozen=True)
class Trace:
    """A run to be written as a trace."""

    result: Result
    served: Served
    window: Window
    requests: bool
    """Whether requests have tracks of their own."""
    most_ns: int
    """The end of the run."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know beside the picture."""
        found = []
        elsewhere = int(np.count_nonzero(np.isfinite(self.served.start_s) & ~self.served.known))
        if elsewhere:
            found.append(
                f"{plural(elsewhere, 'attempt')} of {len(self.served.known):,} are counted for the pool, not in the "
                "batches of a replica: a run keeps only the last replica that a request came to"
            )
        if self.result.log.preemptions:
            found.append(
                f"{plural(self.result.log.preemptions, 'preemption')}: batches count those who lost their seat for a "
                "while as if they kept it"
            )
        return tuple(found)

    def lines(self) -> Iterator[str]:
        """The JSON document, an event a line."""
        yield '{"displayTimeUnit":"ms",\n'
        yield f'"otherData":{json.dumps(self._about(), separators=(",", ":"))},\n'
        yield '"traceEvents":[\n'
        comma = ""
        for event in self.events():
            yield f"{comma}{event}"
            comma = ",\n"
        yield "\n]}\n"

    def events(self) -> Iterator[str]:
        """All events, as JSON texts."""
        log = self.result.log
        by_life = _by_life(self.served)
        for pool, name in enumerate(log.pools):
            lives = [life for life in self.served.lives if life.pool == pool]
            states = [states_of(log, life, self.most_ns) for life in lives]
            yield from self._names(pool, name, lives)
            for life, stretches in zip(lives, states, strict=True):
                yield from self._life(pool + 1, life, stretches, by_life[life.span])
            yield from self._counters(pool, states)
            yield from self._decisions(pool + 1, name)
            if self.requests:
                yield from request_events(self.served, log, pool, self.window, self.most_ns)

    def _about(self) -> dict[str, Any]:
        scenario = self.result.scenario
        return {
            "simulated": True,
            "scenario": scenario.name,
            "seed": scenario.seed,
            "config_sha256": scenario.digest,
            "version": f"fleetcast {version()}",
            "from_s": self.window.from_ns / 1e9,
            "to_s": self.window.to_ns / 1e9,
            "notes": list(self.notes),
        }

    def _names(self, pool: int, name: str, lives: list[Life]) -> Iterator[str]:
        """What tracks are called, and their order."""
        pid = pool + 1
        yield events.metadata("process_name", pid, 0, name=f"pool {name}")
        yield events.metadata("process_sort_index", pid, 0, sort_index=pool)
        yield events.metadata("thread_name", pid, AUTOSCALER, name="autoscaler")
        yield events.metadata("thread_sort_index", pid, AUTOSCALER, sort_index=-1)
        for replica in sorted({life.replica for life in lives}):
            yield events.metadata("thread_name", pid, replica + 1, name=f"replica {replica}")
            yield events.metadata("thread_sort_index", pid, replica + 1, sort_index=replica)

    def _life(self, pid: int, life: Life, states: list[State], chosen: counters.Ints) -> Iterator[str]:
        """A replica's states, each with the batches in it behind it; then how it ended."""
        tid, log = life.replica + 1, self.result.log
        cuts = [each for state in states for each in (state.from_ns, state.to_ns)]
        found = batches_of(self.served, log.requests, chosen, cuts, self.most_ns)
        columns = (found.requests, found.prefilling, found.prompt_tokens, found.prefill_tokens)
        batches = zip(found.from_ns.tolist(), found.to_ns.tolist(), *(each.tolist() for each in columns), strict=True)
        batch = next(batches, None)
        batching = isinstance(self.result.scenario.pools[log.pools[life.pool]].replica, Batching)
        for state in states:
            part = events.within(self.window, state.from_ns, state.to_ns)
            if part is not None:
                yield events.slice_(state.name, "replica", pid, tid, *part, {"replica": life.name})
            while batch is not None and batch[0] < state.to_ns:
                part = events.within(self.window, *batch[:2])
                if part is not None:
                    name, args = _batch(batching, *batch[2:])
                    yield events.slice_(name, "batch", pid, tid, *part, args)
                batch = next(batches, None)
        end = end_of(log, life, self.most_ns)
        if end is not None and self.window.from_ns <= end.at_ns < self.window.to_ns:
            yield events.instant(end.why, "replica", pid, tid, end.at_ns, {"replica": life.name, "lost": end.lost})

    def _counters(self, pool: int, states: list[list[State]]) -> Iterator[str]:
        """Counts of the pool's requests and replicas."""
        given = (self.served, pool, self.window, self.most_ns)
        tracks = {
            "waiting": counters.waiting(*given),
            "running": counters.running(*given),
            "ready replicas": counters.in_state(states, READY, self.window),
        }
        for name, steps in tracks.items():
            for at_ns, value in steps:
                yield events.counter(name, pool + 1, at_ns, value)

    def _decisions(self, pid: int, pool: str) -> Iterator[str]:
        """What the autoscaler changed, and why; those that leave all as it is are not drawn."""
        for row in self.result.log.decisions:
            at_ns = round(row.at_s * 1e9)
            if row.pool == pool and row.wanted != row.current and self.window.from_ns <= at_ns < self.window.to_ns:
                args = {"current": row.current, "wanted": row.wanted, "reason": row.reason}
                yield events.instant(f"{row.current} to {row.wanted}", "autoscaler", pid, AUTOSCALER, at_ns, args)


def trace_of(result: Result, from_s: float | None = None, to_s: float | None = None, most: int = MOST_EVENTS) -> Trace:
    """A run as a trace, from and to (seconds; None: as far as `most` events go). Raises `ConfigError`."""
    served = served_of(result)
    window = window_of(result.log, served, from_s, to_s, most)
    inside = (served.arrival_s < window.to_ns / 1e9) & (served.client_end_s >= window.from_ns / 1e9)
    most_ns = round(result.log.end_s * 1e9)
    return Trace(result, served, window, int(np.count_nonzero(inside)) <= most * SHARE, most_ns)


def _by_life(served: Served) -> list[counters.Ints]:
    """The places of the requests that each replica's batches are made of, life by life."""
    life = np.where(served.known & np.isfinite(served.start_s), served.life, -1)
    order = np.argsort(life, kind="stable")
    edges = np.searchsorted(life[order], np.arange(len(served.lives) + 1))
    return [order[edges[place] : edges[place + 1]] for place in range(len(served.lives))]


def _batch(batching: bool, requests: int, prefilling: int, prompt: int, prefill: int) -> tuple[str, dict[str, Any]]:
    """The name of a batch and what is known of it. Viewers colour by name without its numbers: by phase, so."""
    if not batching:
        return f"busy {requests}", {"requests": requests}
    phase = "prefill" if prefilling == requests else "prefill and decode" if prefilling else "decode"
    args = {
        "requests": requests,
        "prefilling": prefilling,
        "decoding": requests - prefilling,
        "prompt_tokens": prompt,
        "tokens_to_prefill": prefill,
    }
    return f"{phase} {requests}", args
