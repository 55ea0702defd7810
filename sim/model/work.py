"""How much work requests are, in replica-seconds: the time they take of replicas that are as full as they can be.

A replica that batches is seldom idle and seldom full, so the time it is busy says little of what it could do. Its work
is what the same requests would take if each iteration held as many of them as seats, KV memory and token budget allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model.specs import PoolSpec

Floats = NDArray[np.float64]

_SAMPLE = 100_000
"""Requests that the mix is found from, at most twice as many."""
_LOADS = 64
"""Loads of a replica at which its time a request is looked at, to find the least."""


@dataclass(frozen=True)
class WorkLaw:
    """The work of requests at one pool, as a sum of what they have much of. Seconds of a replica."""

    pool: int
    """Row of the pool."""
    senders: tuple[int, ...] = ()
    """Rows of the pools that hand requests over to it."""
    hands_over: bool = False
    s_per_service_s: float = 0.0
    """Slots: a slot's share of its replica."""
    s_per_iteration: float = 0.0
    """For each iteration that a request holds a seat in."""
    s_per_new_token: float = 0.0
    """For each prompt token that is computed here."""
    s_per_square: float = 0.0
    """For each unit of the square term of its attention."""
    tokens_per_step: float = 1.0
    max_batched_tokens: int = 1

    def comes(self, requests: NDArray[Any]) -> NDArray[np.bool_]:
        """Which requests are served here, if they are served at all; shape (len(requests),)."""
        return np.asarray((requests["pool"] == self.pool) | self.handed(requests))

    def handed(self, requests: NDArray[Any]) -> NDArray[np.bool_]:
        """Which requests come here after their prefill elsewhere."""
        if not self.senders:
            return np.zeros(len(requests), bool)
        return np.isin(requests["pool"], self.senders) & (requests["output_tokens"] > 1)

    def work_s(self, requests: NDArray[Any]) -> Floats:
        """Replica-seconds of each request, shape (len(requests),); 0 for requests that never come here.

        Saturated replicas do 0.98 to 1.01 of such work a second, 0.9 where KV memory is so short that they preempt and
        recompute. Of hashed prompts (prefix caches) it counts every token until they have been served.
        """
        if self.s_per_service_s > 0:
            return np.where(requests["pool"] == self.pool, requests["service_s"] * self.s_per_service_s, 0.0)
        counts = _Counts(self, requests, self.handed(requests))
        work = counts.held * self.s_per_iteration + counts.new * self.s_per_new_token
        work += counts.squares * self.s_per_square
        return np.where(self.comes(requests), work, 0.0)

    def phases_s(self, requests: NDArray[Any]) -> tuple[Floats, Floats]:
        """Replica-seconds of each request in prefill and in decoding, each of shape (len(requests),); sum: `work_s`.

        A slot's work is all in the second: it has no phases.
        """
        if self.s_per_service_s > 0:
            return np.zeros(len(requests)), self.work_s(requests)
        counts, comes = _Counts(self, requests, self.handed(requests)), self.comes(requests)
        prefill = counts.prefills * self.s_per_iteration + counts.new * self.s_per_new_token
        prefill += counts.squares * self.s_per_square
        return np.where(comes, prefill, 0.0), np.where(comes, counts.decodes * self.s_per_iteration, 0.0)


def work_law(specs: Sequence[PoolSpec], row: int, requests: NDArray[Any], make: PoolSpec | None = None) -> WorkLaw:
    """The work of requests at pool `row` (of the `make`, another than its own, if given), by the mix that these are."""
    spec = specs[row] if make is None else make
    law = unmixed_law(specs, row, spec)
    if not spec.batching:
        return law
    few = requests[:: max(len(requests) // _SAMPLE, 1)]
    own = few[law.comes(few)]
    return by_mix(law, spec, mix_of(law, own)) if len(own) else law


def unmixed_law(specs: Sequence[PoolSpec], row: int, spec: PoolSpec) -> WorkLaw:
    """What the law of a pool's replicas is whatever the requests are: for slots all of it."""
    if not spec.batching:
        return WorkLaw(row, s_per_service_s=1 / spec.seats)
    return WorkLaw(
        row,
        senders=tuple(sender for sender, other in enumerate(specs) if other.next_pool == row),
        hands_over=spec.next_pool is not None,
        s_per_square=spec.prefill_s_per_token_sq,
        tokens_per_step=spec.tokens_per_step,
        max_batched_tokens=max(spec.max_batched_tokens, 1),
    )


@dataclass(frozen=True)
class Mix:
    """Requests of a pool on average: what its replicas can do at best depends on nothing else of them."""

    new_tokens: float
    """Prompt tokens computed here."""
    decodes: float
    """Iterations decoded in."""
    held: float
    """Iterations in which a seat is held."""
    context_tokens: float
    """Tokens attended to, over all decoding."""
    kv_tokens: float
    """Tokens held in memory, over all iterations here."""


def mix_of(law: WorkLaw, own: NDArray[Any]) -> Mix:
    """The mix of some requests that come to a pool, at least one."""
    counts = _Counts(law, own, law.handed(own))
    prompt, output = own["prompt_tokens"].astype(float), own["output_tokens"].astype(float)
    context_tokens = float((counts.decodes * (prompt + 0.5 * output)).mean())
    return Mix(
        new_tokens=float(counts.new.mean()),
        decodes=float(counts.decodes.mean()),
        held=float(counts.held.mean()),
        context_tokens=context_tokens,
        kv_tokens=context_tokens + float((counts.prefills * prompt).mean()),
    )


def by_mix(law: WorkLaw, spec: PoolSpec, mix: Mix) -> WorkLaw:
    """A law with its times, for requests that are so on average."""
    per_iteration_s, per_token_s = _Batch(spec, mix).seconds()
    return replace(law, s_per_iteration=per_iteration_s, s_per_new_token=per_token_s)


class _Counts:
    """What requests have much of at a pool, each of shape (requests,)."""

    def __init__(self, law: WorkLaw, requests: NDArray[Any], handed: NDArray[np.bool_]) -> None:
        prompt, output = requests["prompt_tokens"].astype(float), requests["output_tokens"].astype(float)
        self.new = np.where(handed, 0.0, np.maximum(prompt - requests["cached_tokens"], 0.0))
        """Prompt tokens that are computed here."""
        self.squares = prompt**2 - (prompt - self.new) ** 2
        # the first token comes with the prefill
        self.decodes = np.maximum(output - 1.0, 0.0) / law.tokens_per_step * (not law.hands_over)
        """Iterations that a request decodes in here."""
        self.prefills = np.where(handed, 0.0, np.maximum(self.new / law.max_batched_tokens, 1.0))
        self.held = self.decodes + self.prefills
        """Iterations that a request holds a seat in."""


class _Batch:
    """Requests of a batching replica as a fluid: `load` of them come and go an iteration."""

    def __init__(self, spec: PoolSpec, mix: Mix) -> None:
        self.spec = spec
        self.mean_new, self.mean_decodes, self.mean_held = mix.new_tokens, mix.decodes, mix.held
        self.context_tokens, self.kv_tokens = mix.context_tokens, mix.kv_tokens

    def seconds(self) -> tuple[float, float]:
        """Replica-seconds for an iteration that a request holds a seat in, and for a prompt token, at the best load.

        Iterations are shared by who holds a seat in them; what prompt tokens add to them, by who has the tokens.
        """
        load = self._best_load()
        step_s, added_s = self._iteration_s(load)
        per_token_s = added_s / (load * self.mean_new) if self.mean_new > 0 else 0.0
        return step_s / (load * self.mean_held), per_token_s

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
