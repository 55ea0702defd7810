"""From what a pool is (numbers) to the tables that the transitions change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model import heaps, routing, tournament
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
    base_s: float = 0.0
    prefill_s_per_token: float = 0.0
    decode_s_per_seq: float = 0.0
    attention_s_per_token: float = 0.0
    prefill_s_per_token_sq: float = 0.0
    overhead_s: float = 0.0


def build(specs: Sequence[PoolSpec], requests: NDArray[Any]) -> State:
    """Tables for pools with no replica ready yet, and requests (rows of `REQUEST`, in arrival order) still to come."""
    pools = np.zeros(len(specs), POOL)
    replicas = np.zeros(sum(spec.replicas for spec in specs), REPLICA)
    trees: list[NDArray[Any]] = []
    laws: list[NDArray[Any]] = []
    replica0 = seat0 = heap0 = tree0 = law0 = 0
    for row, spec in enumerate(specs):
        tree = tournament.build(spec.replicas)
        law = _law(spec)
        pool = pools[row]
        pool["batching"] = spec.batching
        pool["central"] = spec.central
        pool["router"] = _router(spec)
        pool["max_waiting"] = UNLIMITED if spec.max_waiting is None else spec.max_waiting
        pool["replica0"] = replica0
        pool["replicas"] = spec.replicas
        pool["seats"] = spec.seats
        pool["max_batched_tokens"] = spec.max_batched_tokens
        pool["chunked"] = spec.chunked
        pool["kv_capacity"] = spec.kv_capacity_tokens
        pool["law0"] = law0
        pool["tree0"] = tree0
        pool["leaves"] = tournament.leaves(spec.replicas)
        pool["prefill_s_per_token"] = spec.prefill_s_per_token
        pool["prefill_s_per_token_sq"] = spec.prefill_s_per_token_sq
        pool["overhead_s"] = spec.overhead_s
        own = replicas[replica0 : replica0 + spec.replicas]
        places = np.arange(spec.replicas)
        own["pool"] = row
        own["seat0"] = seat0 + places * spec.seats
        own["heap0"] = heap0 + places * spec.seats * heaps.SPARE
        replica0 += spec.replicas
        seat0 += spec.replicas * spec.seats
        heap0 += spec.replicas * spec.seats * heaps.SPARE
        tree0 += len(tree)
        law0 += len(law)
        trees.append(tree)
        laws.append(law)
    replicas["wake_s"] = math.inf
    replicas["newest"] = NONE
    replicas["prefill"] = NONE
    replicas["free"] = replicas["seat0"]
    return State(
        run=_run(len(requests)),
        pools=pools,
        replicas=replicas,
        members=np.full(len(replicas), NONE, np.int64),
        touched=np.zeros(len(replicas), np.int64),
        queues=np.zeros(len(pools) + len(replicas), QUEUE),
        seats=_seats(seat0),
        heaps=np.zeros(heap0, FINISH),
        routes=np.concatenate(trees),
        laws=np.concatenate(laws),
        requests=requests,
    )


def _router(spec: PoolSpec) -> int:
    if spec.central:
        return routing.FREE_MEMORY if spec.batching else routing.FREE_SLOT
    return routing.ROUTERS[spec.router]


def _run(arrivals: int) -> NDArray[Any]:
    run = np.zeros(1, RUN)
    run["arrivals"] = arrivals
    return run


def _seats(count: int) -> NDArray[Any]:
    """Free seats, each pointing at the next one (a replica never takes more than its own)."""
    seats = np.zeros(count, SEAT)
    seats["newer"] = np.arange(1, count + 1)
    seats["stop"] = -1.0
    return seats


def _law(spec: PoolSpec) -> NDArray[Any]:
    """Iteration time by the number of decoding sequences, 0 to a full batch."""
    law = np.zeros(spec.seats + 1 if spec.batching else 1, LAW)
    law["fixed_s"] = spec.base_s + spec.decode_s_per_seq * np.arange(len(law))
    law["attention_s_per_token"] = spec.attention_s_per_token
    return law
