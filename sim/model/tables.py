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
        ("service_s", "f8"),  # slots: the whole service; what is left of it once a replica was lost and it goes on
        ("first_service_s", "f8"),  # slots: until the first token, the same
        ("ticket", "f8"),  # uniform in [0, 1), for routers that draw lots
        ("prompt_tokens", "i4"),
        ("output_tokens", "i4"),
        ("cached_tokens", "i4"),  # of the prompt, found in the prefix cache: in memory, not prefilled
        ("done_tokens", "i4"),  # output tokens made before the last preemption
        ("next", "i4"),  # the request behind this one in its queue
        ("replica", "i4"),  # row in the replica table; NONE until one is chosen
        ("prefix0", "i4"),  # where the ids of its prompt's blocks begin; NONE when it names none
        ("pool", "i2"),
        ("stream", "i2"),
        ("outcome", "u1"),
        ("handed", "u1"),  # how far its way to another pool is (see transfer)
        ("lost", "u1"),  # replicas that ended while it was there; it then began again, or went on
        ("preempted", "u1"),  # 1 once it has lost its seat to others: it goes on at the replica where it was
    ],
    align=True,
)

QUEUE = np.dtype(
    [
        ("head", "i8"),
        ("tail", "i8"),
        ("length", "i8"),
        ("blocks", "i8"),  # of KV memory that they will need
        ("tokens", "i8"),  # of their prompts
        ("lines", "i8"),  # places: lines that those who wait here stand in; 0: this one
        ("line0", "i8"),  # places: the first of these, and behind them a row a class
        ("home", "i8"),  # places: the pool whose requests wait here
        ("in_flight", "i8"),  # clients: requests sent and not answered
        ("most_in_flight", "i8"),  # clients: while there are as many, the next ones wait here
        # rows of classes, at the place of a pool: while there are as many, or so many tokens, the next are rejected
        ("most", "i8"),
        ("most_tokens", "i8"),
        (
            "limit",
            "f8",
        ),  # and what the pool sheds by: requests waiting a ready replica, or an estimated wait in seconds
        ("tag", "f8"),  # lines that share fairly: see orders
        ("clock", "f8"),
        # places, where waits are controlled (see admission)
        ("least_wait_s", "f8"),  # of those that started in this interval
        ("until_s", "f8"),  # its end
        ("overloaded", "i8"),  # 1: in the last one all waited too long
    ]
)
"""A first-come-first-served line of requests, linked through their `next`.

Row p is pool p's central queue; the queues of the replicas follow, those of the clients (one a stream), from
`RUN.lines0` on the rows that places of several lines need, and last the line of those whose clients may send them now,
because others have ended.
"""

SEAT = np.dtype(
    [
        ("request", "i4"),
        ("older", "i4"),  # neighbours in order of admission
        ("newer", "i4"),  # in a free seat: the next free seat
        ("prompt", "i4"),  # tokens to prefill at this admission: prompt, plus what a preemption made it recompute
        ("left", "i4"),  # of these, not yet given to an iteration
        ("cached", "i4"),  # of these, in memory already at this admission
        ("begun", "i4"),  # 1 once an iteration serves it (one that is scheduled ahead does not yet)
        ("offset", "i8"),  # decoding: context tokens, less the clock of tokens
        ("stop", "f8"),  # batching: clock of tokens at the last one; slots: time of the end; -1 when neither
    ],
    align=True,
)
"""A place in a replica's batch (or a slot): what is known of the request that sits there."""

CALL = np.dtype(
    [
        # what is looked at for every request comes first, and is small
        # what its client will bear, from when it sends the request; inf: anything
        ("patience_s", "f8"),  # until the request is started
        ("first_token_timeout_s", "f8"),
        ("total_timeout_s", "f8"),
        # what is to come; inf: nothing
        ("link_s", "f8"),  # its KV cache has crossed the link
        ("retry_s", "f8"),  # its client sends it again
        ("token_due_s", "f8"),  # a token is late: the client gives up
        ("timer", "i4"),  # its place in the heap of timers
        ("twin", "i4"),  # another attempt under way at the same time, in a ring; itself: none
        ("thens", "i4"),  # how many requests follow it,
        ("then", "i4"),  # and the first of them, in rows next to one another
        ("hopes", "i4"),  # the next of those who have found room at its replica and wait for its next boundary
        ("attempt", "i2"),  # 1 for the first, and for copies of it that hedge
        ("copy", "i2"),  # of a copy: which one
        ("hedged", "i2"),  # copies of it sent so far
        ("sent", "u1"),
        ("hopeful", "u1"),  # 1: it is one of those
        ("beaten", "u1"),  # a twin was first: its client gives it up now
        ("answering", "u1"),  # its client saw a first token, even if the replica that made it was lost
        ("given_up", "u1"),  # its client has gone, and it is still in a batch or slot
        ("last", "u1"),  # its session goes on in rows that are not drawn yet
        ("token_timeout_s", "f8"),  # what its client will bear between two tokens
        ("pause_s", "f8"),  # after the end of those that it follows, before it is sent
        # as drawn, for its next attempts: these columns of a request change while it is served
        ("service_s", "f8"),
        ("first_service_s", "f8"),
        ("backoff_s", "f8"),  # as last drawn: the pause after this attempt, or, while none is known, before it
        ("unheard_s", "f8"),  # when its client hears that a twin was turned away; 0 if it is told at once
        ("left_s", "f8"),  # when it left its replica, if its client had given it up there; else NaN
        ("first", "i4"),  # row of the first attempt: itself, or an earlier row
        ("before", "i4"),  # the request of its session that it followed
        ("waits", "i4"),  # how many of those that it follows are not over
        ("session", "i4"),  # number of its conversation or user
        ("cached_tokens", "i4"),  # as drawn
        ("prefilled", "i4"),  # prompt tokens computed for it when it left its replica unanswered
        ("pool", "i2"),  # as drawn
        ("turn", "i2"),  # its place in its session, from 0
    ],
    align=True,
)
"""What a request's client will bear and does, one row a request; there are no rows where clients just wait."""

SENDER = np.dtype(
    [
        ("group", "i8"),  # the class of its requests
        ("tenant", "i8"),  # row of its tenant here; NONE: it has none
        ("level", "i8"),  # priority: 0 goes first
        ("rank", "i8"),  # the same, counted from 0 over the levels that there are
        ("customer", "i8"),  # number of its tenant, from 1; 0: it has none
        ("weight", "f8"),  # its share of what classes or tenants divide fairly
        ("attempts", "i8"),  # at most
        ("retries", "i8"),  # the outcomes after which it tries again, as bits
        ("exponential", "i8"),
        ("jitter", "i8"),
        ("backoff_s", "f8"),
        ("longest_backoff_s", "f8"),
        ("heeds", "i8"),  # 1: it waits as long as a rejection tells it to
        ("budget", "f8"),  # retries earned by each request; inf: as many as it likes
        ("credit", "f8"),  # retries earned and not used
        ("most_credit", "f8"),
        ("hedge_s", "f8"),  # without a first token after this time it sends a copy, and again
        ("hedges", "i8"),  # at most
        ("persists", "i8"),  # 1: who failed asks the next thing all the same
        ("slow_s", "f8"),  # an answer that takes longer than this, or none at all,
        ("leaves", "f8"),  # makes this share of its users
        ("away_s", "f8"),  # stay away for so long; inf: for ever
        # tenants: what they may send, as buckets of requests and of tokens that fill at a rate
        ("requests_per_s", "f8"),  # inf: any number
        ("request_burst", "f8"),  # in a full bucket
        ("requests_left", "f8"),
        ("tokens_per_s", "f8"),
        ("token_burst", "f8"),
        ("tokens_left", "f8"),
        ("since_s", "f8"),  # when the buckets were last looked at
    ]
)
"""Who sends requests: a row a stream, then a row a tenant."""

PREFIX = np.dtype([("holders", "i4"), ("older", "i4"), ("newer", "i4")])
"""A block of a prompt at one replica (see prefix): who holds it, and its neighbours in the line of idle ones."""

FINISH = np.dtype([("key", "f8"), ("request", "i4"), ("seat", "i4")])
"""An entry of a replica's heap of finishes: by the clock of tokens (batching) or by time (slots), then by request."""

NODE = np.dtype([("key", "f8"), ("row", "i8")])
"""A node of a tournament tree: the least key below it and whose it is."""

LAW = np.dtype([("fixed_s", "f8"), ("attention_s_per_token", "f8"), ("tokens_s", "f8")])
"""Iteration time. Row n: `fixed_s` and attention for n sequences that decode; `tokens_s` for n tokens, prefill too."""

REPLICA = np.dtype(
    [
        # what every event touches comes first, and is small: with a thousand replicas the processor's cache decides
        ("wake_s", "f8"),  # next attention; inf when idle
        ("boundary_s", "f8"),  # where the planned iterations begin; slots: last change
        ("step_s", "f8"),  # duration of the first planned iteration
        ("grow_s", "f8"),  # each next one is this much longer
        ("planned", "i8"),  # iterations until wake_s
        ("tick", "f8"),  # iterations done, ever
        ("pool", "i4"),  # row in the pool table: its pool's, or that of another make of its pool
        ("running", "i4"),  # decoding sequences; slots: busy slots
        ("seated", "i4"),  # seats taken: running and in prefill
        ("outstanding", "i4"),  # seated and waiting here
        ("context", "i8"),  # tokens that decoding sequences attend to in the next iteration
        ("kv", "i8"),  # tokens in KV memory in the next iteration
        ("blocks", "i8"),  # blocks of KV memory that they take
        ("idle_blocks", "i8"),  # of the others, those that the prefix cache remembers
        ("noted_blocks", "i8"),  # the same when its batch last changed: what a router reads
        ("tokens", "i8"),  # prompt tokens of all outstanding requests
        ("prefill", "i4"),  # oldest seat in prefill: the prefilling seats are the newest of the batch
        ("newest", "i4"),  # seat of the most recently admitted
        ("free", "i4"),  # first free seat
        ("ready", "i4"),  # 1 while it takes requests
        ("serving", "i4"),  # 1 from ready to gone: it may still end what it has
        ("changed", "i4"),  # somebody joined or left since the last plan
        ("touched", "i4"),  # already in the list of touched replicas
        ("sending", "i4"),  # KV caches that it hands over and still holds
        ("hopes", "i4"),  # the last that found room: who is not admitted at the next boundary is impatient from then on
        ("given_up", "i4"),  # seats of requests whose clients have gone: they leave at the next boundary
        ("heap", "i8"),  # entries in the heap, stale ones included
        ("heap0", "i8"),  # first row in the heap table
        ("phase0", "i8"),  # first place of its phases in the lists
        ("busy_s", "f8"),  # integrals up to boundary_s: time with a running batch
        ("running_s", "f8"),  # seats taken
        ("kv_s", "f8"),  # KV tokens in use
        ("prefilled", "i8"),  # prompt tokens processed
        ("decoded", "i8"),  # decode steps of single sequences
        ("recomputed", "i8"),  # of the prompt tokens processed, lost to preemption
        ("preemptions", "i8"),
        ("ready_s", "f8"),  # since when it serves
        ("lives", "i8"),  # replicas that have had this row
        ("past_ready_s", "f8"),  # integrals of the earlier ones: time served,
        ("past_seats_s", "f8"),  # seats that they had,
        ("past_capacity_s", "f8"),  # and KV memory, in tokens
        ("link_free_s", "f8"),  # when its link has sent all that is on it
        ("prefix0", "i8"),  # first row of its prefix cache
        # where the router's loads are old (see stale)
        ("load", "i8"),  # what it ranks by, now
        ("seen", "i8"),  # the same when the period of the last change began
        ("sent", "i8"),  # and sent since then
        ("period", "i8"),  # the number of that period
    ]
)

POOL = np.dtype(
    [
        ("home", "i8"),  # the pool that it belongs to: itself, unless it is another make of one
        ("batching", "i8"),  # 0: slots
        ("central", "i8"),  # 0: a queue per replica
        ("router", "i8"),
        ("refresh_s", "f8"),  # its router reads loads so often; 0: they are always as they are
        ("counts_own", "i8"),  # 1: in between it counts what it has itself sent
        ("load_bound", "f8"),  # times the mean: for routers that remember
        ("spill_to", "i8"),  # the pool that takes its new requests when it has too many; NONE: it takes them itself
        ("spill_above", "f8"),  # that is, so many waiting for each ready replica
        ("max_waiting", "i8"),
        ("max_waiting_tokens", "i8"),
        ("order", "i8"),  # who goes first (see orders)
        ("fair", "i8"),  # 1: lines have their shares
        ("aging_s", "f8"),  # a level lower is like coming so much later; inf: levels are strict
        ("preemptive", "i8"),  # 1: who outranks those who are served takes their place
        ("ranked", "i8"),  # 1: there are several levels, and the lowest gives way when memory runs out
        ("rank_lines", "i8"),  # lines from one level to the next; 0: levels share lines
        ("group_lines", "i8"),  # the same for classes
        ("tenant_lines", "i8"),  # and tenants
        ("ranks", "i8"),  # levels that there are
        ("booked", "i8"),  # 1: who waits is counted by class and level, for limits or for shedding
        ("level0", "i8"),  # rows of the queue table that count who waits anywhere in the pool, by level
        ("shed", "i8"),  # what makes it turn requests away (see admission)
        ("retry_after_s", "f8"),  # what a rejection tells
        ("target_s", "f8"),
        ("interval_s", "f8"),
        ("between_s", "f8"),  # mean time between two starts while requests wait; 0: not known yet
        ("started_s", "f8"),  # the last start
        ("backlog", "i8"),  # 1: requests have waited since
        ("replica0", "i8"),  # first row in the replica table
        ("replicas", "i8"),  # rows that the pool may use
        ("ready", "i8"),  # of these, taking requests
        ("cursor", "i8"),  # round robin: next place in the list of ready replicas
        ("seats", "i8"),  # a replica
        ("max_batched_tokens", "i8"),
        ("chunked", "i8"),
        ("block_tokens", "i8"),
        ("kv_blocks", "i8"),
        ("watermark_blocks", "i8"),  # of these, kept free when a request is admitted
        ("verified", "i8"),  # tokens of a decoding sequence in an iteration: 1, and those drafted
        ("tokens_per_step", "f8"),  # of these, kept on average
        ("lookahead", "i8"),  # 1: the next iteration is decided before this one ends (asynchronous scheduling)
        ("silent", "i8"),  # 1: who is rejected hears nothing until its deadline
        ("cancels", "i8"),  # 1: a request whose client has gone is not served on
        ("next_pool", "i8"),  # where requests decode after their prefill here; NONE: here
        ("link_shared", "i8"),  # 1: one link for the pool, else one a replica
        ("law0", "i8"),  # first row in the law table
        ("most_tokens", "i8"),  # last row of its `tokens_s`: it holds for more tokens too
        ("tree0", "i8"),  # first node of the routing tournament
        ("leaves", "i8"),
        ("prefill_s_per_token", "f8"),
        ("prefill_s_per_token_sq", "f8"),
        ("mixed_s", "f8"),  # added to an iteration that prefills
        ("overhead_s", "f8"),
        ("link_s_per_token", "f8"),
        ("link_latency_s", "f8"),
        ("hears", "i8"),  # what control is to hear of at once (see meters)
        ("told", "i8"),  # 1: it has happened since control last looked
        ("metered", "i8"),  # 1: the counters below are kept
        ("present", "i8"),  # requests in the pool, waiting or running
        ("present_s", "f8"),  # its integral up to `since_s`
        ("since_s", "f8"),
        ("arrived", "i8"),
        ("arrived_tokens", "i8"),  # prompt tokens of these
        ("answered", "i8"),
        ("answered_tokens", "i8"),  # output tokens of these
        ("ttft_s", "f8"),  # sum over first tokens
        ("itl_s", "f8"),  # sum over answers of the mean time between two tokens
        ("meter0", "i8"),  # first count of its histograms in the lists
    ]
)
"""A pool; behind the pools, further makes of replicas that pools may have (other GPUs, later versions).

A make shares the queue, the router and the rows of its home, and has numbers of its own for the rest.
"""

RUN = np.dtype(
    [
        ("next_arrival", "i8"),  # first request that has not arrived
        ("arrivals", "i8"),  # requests that arrive by themselves: the first rows of the table
        ("more", "i8"),  # 1: after these come others, whose rows are not there yet
        ("rows", "i8"),  # rows of the table in use
        ("expected", "i8"),  # requests that have come, or are known to come
        ("calls", "i8"),  # 1: clients do more than wait
        ("ends_s", "f8"),  # from then on nobody asks anything new
        ("gaps", "i8"),  # 1: clients give up when tokens are too far apart
        ("retry_after_s", "f8"),  # what the rejection that is being made tells its client
        ("asked", "i8"),  # 1: sessions go on beyond the rows that are drawn
        ("in_system", "i8"),
        ("finished", "i8"),  # with an outcome
        ("touched", "i8"),  # replicas whose plan the last transition changed
        ("events", "i8"),
        ("step_prompt_tokens", "i8"),  # of the iteration that is being planned: tokens to prefill
        ("step_squares", "f8"),  # the square term of their attention
        ("step_whole", "i8"),  # seats with nothing to prefill, which decode their first token
        ("step_held", "i8"),  # tokens that those hold
        ("timer0", "i8"),  # first row of the timers in the heap table
        ("timers", "i8"),
        ("prefix_ids", "i8"),  # different blocks of prompts that requests name
        ("prefix_sizes", "i8"),  # where the tokens of each begin in the lists
        ("prefix_lists", "i8"),  # where these names begin in the lists
        ("lines0", "i8"),  # first row of the queue table that is part of a place
        ("guards", "i8"),  # 1: there are quotas, or pools that turn away what comes
        ("last_finish_s", "f8"),
        ("noticed", "i8"),  # something that control must see at its own time has happened
        ("noticed_s", "f8"),
    ]
)


class State(NamedTuple):
    """Everything that a run changes. Transitions take it whole."""

    run: NDArray[Any]
    """One row of `RUN`."""
    pools: NDArray[Any]
    replicas: NDArray[Any]
    lists: NDArray[np.int64]
    """Five lists in one, because each table costs the SimPy calendar 0.1 us a call. First, pool by pool from its
    `replica0`, the rows of ready replicas, for routers that draw or rotate. Then the rows of the replicas whose plan
    the last transition changed: a calendar looks at their `wake_s`. Then, from each replica's `phase0`, its decoding
    sequences counted by when they take their next block of KV memory. Then, from each pool's `meter0`, the counts of
    its histograms. Then the ids of the blocks of prompts, each request's closed by NONE (see prefix). Then how many
    tokens each id stands for.
    """
    queues: NDArray[Any]
    seats: NDArray[Any]
    heaps: NDArray[Any]
    routes: NDArray[Any]
    """Nodes of the routing tournaments, pool by pool."""
    laws: NDArray[Any]
    prefixes: NDArray[Any]
    """Prefix caches, replica by replica."""
    requests: NDArray[Any]
    calls: NDArray[Any]
    """Beside the requests, row by row; empty where clients just wait for their answers."""
    senders: NDArray[Any]
