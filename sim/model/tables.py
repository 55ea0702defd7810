"""The state of the model: tables, one structured row per request, seat, queue, replica, pool.

Numba compiles the transitions over these tables; plain numpy runs the same code. One table is one argument, because
handing Numba a structured array costs a fraction of what handing it one array per column does. Rows are read and
written as `row["field"]`, the one spelling that plain numpy and Numba share.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NONE = -1
"""No row: the end of a linked list, no replica, no seat."""

# Outcomes of a request (column `outcome`). A request that the run did not finish stays UNFINISHED.
UNFINISHED, COMPLETED, REJECTED, ABANDONED, TIMED_OUT, FAILED = range(6)
OUTCOMES = ("unfinished", "completed", "rejected", "abandoned", "timed_out", "failed")

REQUEST = np.dtype(
    [
        ("arrival_s", "f8"),
        ("start_s", "f8"),  # first time in a batch or slot; NaN until then
        ("first_token_s", "f8"),  # as the client sees it; NaN until then
        ("finish_s", "f8"),  # as the client sees it; NaN until then
        ("service_s", "f8"),  # slots: the whole service
        ("first_service_s", "f8"),  # slots: until the first token
        ("ticket", "f8"),  # uniform in [0, 1), for routers that draw lots
        ("prompt_tokens", "i4"),
        ("output_tokens", "i4"),
        ("done_tokens", "i4"),  # output tokens made before the last preemption
        ("next", "i4"),  # the request behind this one in its queue
        ("replica", "i4"),  # row in the replica table; NONE until one is chosen
        ("pool", "i2"),
        ("stream", "i2"),
        ("outcome", "u1"),
    ],
    align=True,
)

QUEUE = np.dtype([("head", "i8"), ("tail", "i8"), ("length", "i8"), ("tokens", "i8")])
"""A first-come-first-served line of requests, linked through their `next`.

Row p is pool p's central queue; the queues of the replicas follow.
"""

SEAT = np.dtype(
    [
        ("request", "i8"),
        ("older", "i8"),  # neighbours in order of admission
        ("newer", "i8"),  # in a free seat: the next free seat
        ("prompt", "i8"),  # tokens to prefill at this admission: prompt, plus what a preemption made it recompute
        ("left", "i8"),  # of these, not yet given to an iteration
        ("offset", "i8"),  # decoding: context tokens at tick t are offset + t
        ("stop", "f8"),  # batching: tick of the last token; slots: time of the end; -1 when neither
    ]
)
"""A place in a replica's batch (or a slot): what is known of the request that sits there."""

FINISH = np.dtype([("key", "f8"), ("seat", "i8")])
"""An entry of a replica's heap of finishes: by tick (batching) or by time (slots)."""

NODE = np.dtype([("key", "f8"), ("row", "i8")])
"""A node of a tournament tree: the least key below it and whose it is."""

LAW = np.dtype([("fixed_s", "f8"), ("attention_s_per_token", "f8")])
"""Iteration time by batch size: row n is for n decoding sequences."""

REPLICA = np.dtype(
    [
        ("wake_s", "f8"),  # next attention; inf when idle
        ("boundary_s", "f8"),  # where the planned iterations begin; slots: last change
        ("step_s", "f8"),  # duration of the first planned iteration
        ("grow_s", "f8"),  # each next one is this much longer
        ("planned", "i8"),  # iterations until wake_s
        ("tick", "f8"),  # iterations done, ever
        ("running", "i8"),  # decoding sequences; slots: busy slots
        ("seated", "i8"),  # seats taken: running and in prefill
        ("outstanding", "i8"),  # seated and waiting here
        ("context", "i8"),  # tokens that decoding sequences attend to in the next iteration
        ("kv", "i8"),  # KV tokens that the next iteration needs
        ("noted_kv", "i8"),  # the same when its batch last changed: what a router reads
        ("changed", "i8"),  # somebody joined or left since
        ("touched", "i8"),  # already in the list of touched replicas
        ("prefill", "i8"),  # oldest seat in prefill: the prefilling seats are the newest of the batch
        ("newest", "i8"),  # seat of the most recently admitted
        ("free", "i8"),  # first free seat
        ("seat0", "i8"),  # first row in the seat table
        ("heap0", "i8"),  # first row in the heap table
        ("heap", "i8"),  # entries in the heap, stale ones included
        ("tokens", "i8"),  # prompt tokens of all outstanding requests
        ("pool", "i8"),
        ("ready", "i8"),  # 1 while it takes requests
        ("ready_s", "f8"),  # since when
        ("busy_s", "f8"),  # integrals up to boundary_s: time with a running batch
        ("running_s", "f8"),  # seats taken
        ("kv_s", "f8"),  # KV tokens in use
        ("prefilled", "i8"),  # prompt tokens processed
        ("recomputed", "i8"),  # of these, lost to preemption
        ("decoded", "i8"),  # decode steps of single sequences
        ("preemptions", "i8"),
    ]
)

POOL = np.dtype(
    [
        ("batching", "i8"),  # 0: slots
        ("central", "i8"),  # 0: a queue per replica
        ("router", "i8"),
        ("max_waiting", "i8"),
        ("replica0", "i8"),  # first row in the replica table
        ("replicas", "i8"),  # rows that the pool may use
        ("ready", "i8"),  # of these, taking requests
        ("cursor", "i8"),  # round robin: next place in the list of ready replicas
        ("seats", "i8"),  # a replica
        ("max_batched_tokens", "i8"),
        ("chunked", "i8"),
        ("kv_capacity", "i8"),
        ("law0", "i8"),  # first row in the law table
        ("tree0", "i8"),  # first node of the routing tournament
        ("leaves", "i8"),
        ("prefill_s_per_token", "f8"),
        ("prefill_s_per_token_sq", "f8"),
        ("overhead_s", "f8"),
    ]
)

RUN = np.dtype(
    [
        ("next_arrival", "i8"),  # first request that has not arrived
        ("arrivals", "i8"),  # requests in the table
        ("in_system", "i8"),
        ("finished", "i8"),  # with an outcome
        ("touched", "i8"),  # replicas whose plan the last transition changed
        ("events", "i8"),
        ("last_finish_s", "f8"),
    ]
)


class State(NamedTuple):
    """Everything that a run changes. Transitions take it whole."""

    run: NDArray[Any]
    """One row of `RUN`."""
    pools: NDArray[Any]
    replicas: NDArray[Any]
    members: NDArray[Any]
    """Rows of ready replicas, pool by pool from `replica0`, for routers that draw or rotate."""
    touched: NDArray[Any]
    """Rows of the replicas whose plan the last transition changed: a calendar looks at their `wake_s`."""
    queues: NDArray[Any]
    seats: NDArray[Any]
    heaps: NDArray[Any]
    routes: NDArray[Any]
    """Nodes of the routing tournaments, pool by pool."""
    laws: NDArray[Any]
    requests: NDArray[Any]
