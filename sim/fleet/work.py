"""How much work requests are, in replica-seconds, and how much of it is to come: what only a clairvoyant knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model.state import PoolSpec

Floats = NDArray[np.float64]

_LOADS = 64
"""Loads of a replica at which its time a request is looked at, to find the least."""


class Work:
    """The work of one pool's requests by their time of arrival.

    A run ends and traffic does not: after `ends_s`, the end of arrivals, it goes on as it was before, backwards. Else
    who looks ahead would give its replicas back a while before the end, and seem cheaper than it is.
    """

    def __init__(self, arrival_s: Floats, work_s: Floats, ends_s: float = math.inf) -> None:
        self._arrival_s = arrival_s
        self._before_s = np.concatenate(([0.0], np.cumsum(work_s)))
        self._ends_s = ends_s

    def ahead(self, at_s: float, over_s: float) -> float:
        """Replica-seconds of work that arrive in [at_s, at_s + over_s), per second."""
        return (self._until(at_s + over_s) - self._until(at_s)) / over_s if over_s > 0 else 0.0

    def _until(self, at_s: float) -> float:
        """Replica-seconds of work that arrive before a time."""
        if at_s > self._ends_s:
            return 2 * self._until(self._ends_s) - self._until(2 * self._ends_s - at_s)
        return float(self._before_s[np.searchsorted(self._arrival_s, at_s)])


def work_s(specs: Sequence[PoolSpec], row: int, requests: NDArray[Any], make: PoolSpec | None = None) -> Floats:
    """Replica-seconds that each request takes of a replica of pool `row` that is as full as it can be.

    Shape (len(requests),); 0 for requests that never come there. `make`: another make of the pool's replicas.

    A slot's share of its replica for the service. With batching: its share of iterations that hold as many requests as
    seats, KV memory and token budget allow, prefilling as many as are answered. Saturated replicas do 0.98 to 1.01 of
    such work a second, 0.9 where KV memory is so short that they preempt and recompute. Of hashed prompts (prefix
    caches) it counts every token until they have been served.
    """
    spec = specs[row] if make is None else make
    own = requests["pool"] == row
    if not spec.batching:
        return np.where(own, requests["service_s"] / spec.seats, 0.0)
    senders = [sender for sender, other in enumerate(specs) if other.next_pool == row]
    handed = np.isin(requests["pool"], senders) & (requests["output_tokens"] > 1)
    comes = own | handed
    work = np.zeros(len(requests))
    if comes.any():
        work[comes] = _Batch(spec, requests[comes], handed[comes]).work_s()
    return work


class _Batch:
    """Requests of a batching replica as a fluid: `load` of them come and go an iteration."""

    def __init__(self, spec: PoolSpec, requests: NDArray[Any], handed: NDArray[np.bool_]) -> None:
        """`handed`: whether a request was prefilled in another pool, shape (requests,)."""
        self.spec = spec
        prompt, output = requests["prompt_tokens"].astype(float), requests["output_tokens"].astype(float)
        self.new = np.where(handed, 0.0, np.maximum(prompt - requests["cached_tokens"], 0.0))
        """Prompt tokens that are computed here."""
        self.squares = prompt**2 - (prompt - self.new) ** 2
        # the first token comes with the prefill
        self.decodes = np.maximum(output - 1.0, 0.0) / spec.tokens_per_step * (spec.next_pool is None)
        """Iterations that a request decodes in here."""
        prefills = np.where(handed, 0.0, np.maximum(self.new / max(spec.max_batched_tokens, 1), 1.0))
        self.held = self.decodes + prefills
        """Iterations that a request holds a seat in."""
        context = prompt + 0.5 * output
        self.mean_new, self.mean_decodes = float(self.new.mean()), float(self.decodes.mean())
        self.mean_held = float(self.held.mean())
        self.context_tokens = float((self.decodes * context).mean())
        """Tokens attended to over all its decoding, on average over requests."""
        self.kv_tokens = self.context_tokens + float((prefills * prompt).mean())
        """Tokens held, summed over its iterations here, on average over requests."""

    def work_s(self) -> Floats:
        """Replica-seconds of each request at the load where they are fewest, shape (requests,).

        Iterations are shared by who holds a seat in them; what prompt tokens add to them, by who has the tokens.
        """
        load = self._best_load()
        step_s, added_s = self._iteration_s(load)
        work = self.held * (step_s / (load * self.mean_held)) + self.spec.prefill_s_per_token_sq * self.squares
        return np.asarray(work + self.new * (added_s / (load * self.mean_new)) if self.mean_new > 0 else work)

    def _best_load(self) -> float:
        loads = self._most_load() * np.arange(1, _LOADS + 1) / _LOADS
        each_s = [sum(self._iteration_s(load)) / load for load in loads.tolist()]
        return float(loads[int(np.argmin(each_s))])

    def _most_load(self) -> float:
        """Requests an iteration that seats, KV memory and token budget allow, on average."""
        spec = self.spec
        tokens = self.mean_decodes * (1 + spec.drafted) + self.mean_new
        limits = (
            (spec.seats, self.mean_held),
            (spec.kv_capacity_tokens, self.kv_tokens),
            (spec.max_batched_tokens, tokens),
        )
        return min(most / each for most, each in limits if each > 0)

    def _iteration_s(self, load: float) -> tuple[float, float]:
        """Seconds of an iteration without its prompt tokens, and what these add on average."""
        spec = self.spec
        seqs = load * self.mean_decodes
        tokens = seqs * (1 + spec.drafted)
        step_s = spec.base_s + spec.decode_s_per_seq * seqs + spec.prefill_s_per_token * seqs * spec.drafted
        step_s += spec.attention_s_per_token * load * self.context_tokens + _at(spec.tokens_s, tokens)
        if spec.seqs_s is not None:
            step_s += _at(spec.seqs_s, seqs)
        if self.mean_new == 0:
            return step_s, 0.0
        # seldom a prompt: some iterations prefill as much of one as they can take, the others none
        room = max(spec.max_batched_tokens - tokens, 1.0)
        prefilling = min(load * max(self.mean_new / room, 1.0), 1.0)
        longer_s = _at(spec.tokens_s, tokens + load / prefilling * self.mean_new) - _at(spec.tokens_s, tokens)
        return step_s, prefilling * (longer_s + spec.mixed_s) + spec.prefill_s_per_token * load * self.mean_new


def _at(table: Sequence[float] | Floats, place: float) -> float:
    """A table's value at a place between its rows; its last one beyond the end."""
    below = min(int(place), len(table) - 1)
    above = min(below + 1, len(table) - 1)
    return float(table[below] + (place - below) * (table[above] - table[below]))
