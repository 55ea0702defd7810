"""From what a pool is (numbers) to the tables that the transitions change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model import heaps, meters, prefix, routing, tournament
from sim.model.tables import FINISH, LAW, NONE, POOL, QUEUE, REPLICA, RUN, SEAT, State

UNLIMITED = 2**62
"""No limit to a queue."""


@dataclass(frozen=True)
class PoolSpec:
    """What the model must know of a pool. Seconds and tokens."""

    batching: bool
    replicas: int
    """Rows to keep: the most replicas that the pool can ever have."""
    seats: int
    """Sequences in a batch, or slots, of one replica."""
    central: bool = False
    router: str = "least_outstanding"
    max_waiting: int | None = None
    max_batched_tokens: int = 0
    chunked: bool = True
    kv_capacity_tokens: int = 0
    block_tokens: int = 1
    watermark_share: float = 0.0
    """Of the KV blocks, kept free when a request is admitted."""
    drafted: int = 0
    """Tokens of each decoding sequence that are drafted for an iteration to verify (speculative decoding)."""
    tokens_per_step: float = 1.0
    """Tokens that a decoding sequence makes in an iteration, on average: from 1 to 1 + `drafted`."""
    base_s: float = 0.0
    prefill_s_per_token: float = 0.0
    decode_s_per_seq: float = 0.0
    attention_s_per_token: float = 0.0
    prefill_s_per_token_sq: float = 0.0
    mixed_s: float = 0.0
    """Added to an iteration that prefills."""
    tokens_s: tuple[float, ...] | NDArray[np.float64] = (0.0,)
    """Device time by the tokens of an iteration, prefill and decode together; the last entry holds beyond the end."""
    seqs_s: tuple[float, ...] | NDArray[np.float64] | None = None
    """Time by the number of decoding sequences, shape (seats + 1,); added to `base_s` and `decode_s_per_seq`."""
    lookahead: int = 0
    """1: the next iteration is decided before this one ends, so who is admitted joins one iteration later."""
    overhead_s: float = 0.0
    next_pool: int | None = None
    """Row of the pool that decodes what this one has prefilled; None: this one."""
    link_s_per_token: float = 0.0
    """Seconds that the link to it takes for the KV cache of a token."""
    link_latency_s: float = 0.0
    link_shared: bool = False
    """All replicas send over one link, instead of each over its own."""
    hears: int = meters.HEARS_NOTHING
    """What control is to hear of at once."""
    metered: bool = False
    """Whether counters and histograms are kept, for a policy that asks for them."""
    makes: tuple[PoolSpec, ...] = ()
    """Other makes of replicas that rows of this pool may hold; what is not of a replica (queue, router) is the pool's.
    All makes have the same `block_tokens`."""


def build(
    specs: Sequence[PoolSpec],
    requests: NDArray[Any],
    most_in_flight: Sequence[int | None] = (None,),
    prefixes: NDArray[Any] | Sequence[int] = (),
    prefix_tokens: int = 512,
) -> State:
    """Tables for pools with no replica ready yet, and requests (rows of `REQUEST`, in arrival order) still to come.

    `most_in_flight` has an entry a stream: how many requests its client has under way at once (None: any number).
    `prefixes` are the ids of the blocks of prompts, from 0 up, each list closed by NONE; requests point into it. A
    block has `prefix_tokens`, a multiple of every pool's `block_tokens`.
    """
    homes = [*range(len(specs)), *(row for row, spec in enumerate(specs) for _ in spec.makes)]
    makes = [*specs, *(make for spec in specs for make in spec.makes)]
    pools = np.zeros(len(makes), POOL)
    replicas = np.zeros(sum(spec.replicas for spec in specs), REPLICA)
    trees: list[NDArray[Any]] = []
    laws: list[NDArray[Any]] = []
    replica0 = seat0 = heap0 = phase0 = tree0 = law0 = meter0 = 0
    for row, spec in enumerate(specs):
        tree = tournament.build(spec.replicas)
        pool = pools[row]
        pool["replica0"] = replica0
        pool["tree0"] = tree0
        pool["meter0"] = meter0
        own = replicas[replica0 : replica0 + spec.replicas]
        places = np.arange(spec.replicas)
        seats = max(make.seats for make in (spec, *spec.makes))
        own["pool"] = row
        own["free"] = seat0 + places * seats
        own["phase0"] = 2 * len(replicas) + phase0 + places * spec.block_tokens
        own["heap0"] = heap0 + places * seats * heaps.SPARE
        replica0 += spec.replicas
        seat0 += spec.replicas * seats
        heap0 += spec.replicas * seats * heaps.SPARE
        phase0 += spec.replicas * spec.block_tokens
        tree0 += len(tree)
        meter0 += meters.WIDTH
        trees.append(tree)
    pools["meter0"][: len(specs)] += 2 * len(replicas) + phase0
    for row, (home, make) in enumerate(zip(homes, makes, strict=True)):
        pool, law = pools[row], _law(make)
        assert make.block_tokens == specs[home].block_tokens, f"blocks of {make} differ from its pool's"
        _set_numbers(pool, specs[home], make)
        pool["home"] = home
        for name in ("replica0", "tree0", "meter0"):
            pool[name] = pools[home][name]
        pool["law0"] = law0
        law0 += len(law)
        laws.append(law)
    run = np.zeros(1, RUN)
    run["arrivals"] = len(requests)
    run["timer0"] = heap0
    names = np.asarray(prefixes, np.int64)
    run["prefix_ids"] = names.max(initial=NONE) + 1
    run["prefix_tokens"] = prefix_tokens
    counts = 2 * len(replicas) + phase0 + meter0
    run["prefix_lists"] = counts
    for spec in specs:
        if spec.next_pool is not None:
            after = specs[spec.next_pool] if 0 <= spec.next_pool < len(specs) else spec
            decodes = after.batching and after.next_pool is None
            assert decodes, f"nothing decodes what {spec} hands over"
    timers = len(requests) if any(spec.next_pool is not None for spec in specs) else 0
    replicas["wake_s"] = math.inf
    replicas["newest"] = NONE
    replicas["prefill"] = NONE
    return State(
        run=run,
        pools=pools,
        replicas=replicas,
        lists=np.concatenate([np.zeros(counts, np.int64), names]),
        queues=_queues(len(pools) + len(replicas), most_in_flight),
        seats=_seats(seat0),
        heaps=np.zeros(heap0 + timers, FINISH),
        routes=np.concatenate(trees),
        laws=np.concatenate(laws),
        prefixes=prefix.table(replicas, int(run["prefix_ids"][0])),
        requests=requests,
    )


def _set_numbers(pool: Any, home: PoolSpec, spec: PoolSpec) -> None:
    """Write what specs say into a make's row; where its rows in other tables begin is not in them."""
    pool["batching"] = home.batching
    pool["central"] = home.central
    pool["router"] = _router(home)
    pool["max_waiting"] = UNLIMITED if home.max_waiting is None else home.max_waiting
    pool["replicas"] = home.replicas
    pool["leaves"] = tournament.leaves(home.replicas)
    pool["next_pool"] = NONE if home.next_pool is None else home.next_pool
    pool["link_shared"] = home.link_shared
    pool["link_s_per_token"] = home.link_s_per_token
    pool["link_latency_s"] = home.link_latency_s
    pool["hears"] = home.hears
    pool["metered"] = home.metered or home.hears != meters.HEARS_NOTHING
    pool["seats"] = spec.seats
    pool["max_batched_tokens"] = spec.max_batched_tokens
    pool["chunked"] = spec.chunked
    pool["block_tokens"] = spec.block_tokens
    pool["kv_blocks"] = spec.kv_capacity_tokens // spec.block_tokens
    pool["watermark_blocks"] = int(spec.watermark_share * (spec.kv_capacity_tokens // spec.block_tokens))
    pool["verified"] = 1 + spec.drafted
    pool["tokens_per_step"] = spec.tokens_per_step
    pool["lookahead"] = spec.lookahead
    pool["most_tokens"] = len(spec.tokens_s) - 1
    pool["prefill_s_per_token"] = spec.prefill_s_per_token
    pool["prefill_s_per_token_sq"] = spec.prefill_s_per_token_sq
    pool["mixed_s"] = spec.mixed_s
    pool["overhead_s"] = spec.overhead_s


def _router(spec: PoolSpec) -> int:
    if spec.central:
        return routing.FREE_MEMORY if spec.batching else routing.FREE_SLOT
    return routing.ROUTERS[spec.router]


def _queues(fleet: int, most_in_flight: Sequence[int | None]) -> NDArray[Any]:
    queues = np.zeros(fleet + len(most_in_flight) + 1, QUEUE)
    queues["most_in_flight"][fleet:-1] = [UNLIMITED if most is None else most for most in most_in_flight]
    return queues


def _seats(count: int) -> NDArray[Any]:
    """Free seats, each pointing at the next one (a replica never takes more than its own)."""
    seats = np.zeros(count, SEAT)
    seats["newer"] = np.arange(1, count + 1)
    seats["stop"] = -1.0
    return seats


def _law(spec: PoolSpec) -> NDArray[Any]:
    """Iteration time by the number of decoding sequences, and by the number of tokens; the longer table decides."""
    law = np.zeros(max(spec.seats + 1, len(spec.tokens_s)) if spec.batching else 1, LAW)
    law["fixed_s"] = spec.base_s + spec.decode_s_per_seq * np.arange(len(law))
    if spec.seqs_s is not None:
        law["fixed_s"][: len(spec.seqs_s)] += np.asarray(spec.seqs_s)
    law["attention_s_per_token"] = spec.attention_s_per_token
    law["tokens_s"][: len(spec.tokens_s)] = np.asarray(spec.tokens_s)[: len(law)]
    return law
