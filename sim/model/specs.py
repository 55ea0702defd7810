"""What the model must know of pools and of those who send requests, as numbers; `state.build` makes tables of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.model import meters


@dataclass(frozen=True)
class ClassLimit:
    """How much of a class may wait in a queue."""

    max_waiting: int | None = None
    max_waiting_tokens: int | None = None
    shed_at: float = math.inf
    """Requests waiting for each ready replica, or an estimated wait in seconds, at which its requests are refused."""


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
    refresh_s: float = 0.0
    """The router reads loads so often and goes by them until the next time; 0: it always knows them."""
    counts_own: bool = True
    """In between it counts what it has itself sent."""
    load_bound: float = 1.25
    """A router that remembers goes by that while a replica's load is within this many times the mean."""
    spill_to: int | None = None
    """Row of the pool that takes new requests when this one has too many; following them must come to an end."""
    spill_above: float = math.inf
    """Too many: more than so many waiting for each ready replica."""
    max_waiting: int | None = None
    max_waiting_tokens: int | None = None
    """Prompt tokens that may wait."""
    class_limits: tuple[ClassLimit, ...] = ()
    """By number of the class; classes beyond the end have none."""
    order: str = "fcfs"
    """Who goes first: one of `orders.ORDERS`."""
    aging_s: float = math.inf
    """With priorities: a level lower is like coming so much later; inf: levels are strict."""
    preemptive: bool = False
    fair_tenants: bool = False
    """Tenants have their shares, by weight; within a level where there are priorities."""
    shed: str = "nothing"
    """What makes it turn requests away: one of `admission.SHEDS`."""
    target_s: float = math.inf
    """Of controlled delay: waits that are not too long,"""
    interval_s: float = math.inf
    """and how long all must have been longer."""
    silent: bool = False
    """Who is rejected hears nothing until its deadline."""
    retry_after_s: float = 0.0
    """What a rejection tells its client."""
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
    cancels: bool = True
    """A request whose client has gone leaves its slot, or its batch at the next boundary; else it is served on."""
    hears: int = meters.HEARS_NOTHING
    """What control is to hear of at once."""
    metered: bool = False
    """Whether counters and histograms are kept, for a policy that asks for them."""
    makes: tuple[PoolSpec, ...] = ()
    """Other makes of replicas that rows of this pool may hold; what is not of a replica (queue, router) is the pool's.
    All makes have the same `block_tokens`."""


Jitter = Literal["none", "full", "equal", "decorrelated"]


@dataclass(frozen=True)
class SenderSpec:
    """What the model must know of those who send the requests of one stream. Seconds."""

    max_in_flight: int | None = None
    """Requests under way at once; more are held back."""
    group: int = 0
    """Number of the class of its requests."""
    tenant: int | None = None
    """Number of the tenant whose requests they are."""
    level: int = 0
    """Priority: 0 goes first."""
    weight: float = 1.0
    """Of its class, where classes have their shares."""
    attempts: int = 1
    """How often a request is sent at most, the first time included."""
    retries: tuple[int, ...] = ()
    """Outcomes after which it is sent again."""
    exponential: bool = False
    """Each pause is twice the last; else all are `backoff_s`."""
    jitter: Jitter = "none"
    backoff_s: float = 0.0
    longest_backoff_s: float = math.inf
    heeds: bool = True
    """It waits as long as a rejection tells it to."""
    budget: float = math.inf
    """Retries earned by each first attempt."""
    most_credit: float = 10.0
    """Earned retries that are kept for later."""
    hedge_s: float = math.inf
    """Without a first token after this time a copy is sent, and again."""
    hedges: int = 0
    """Copies at most."""
    persists: bool = False
    """Whoever failed asks the next thing all the same."""
    slow_s: float = math.inf
    """An answer that takes longer, or none at all, makes `leaves` of its users stay away for `away_s`."""
    leaves: float = 0.0
    away_s: float = math.inf


@dataclass(frozen=True)
class TenantSpec:
    """What the model must know of a tenant."""

    weight: float = 1.0
    requests_per_s: float = math.inf
    request_burst: float = math.inf
    tokens_per_s: float = math.inf
    token_burst: float = math.inf
