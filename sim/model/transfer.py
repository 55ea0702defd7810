"""Disaggregated serving: a pool that only prefills hands each request over to the pool that decodes.

The first token comes from the prefilling replica. Its KV cache then crosses a link, one after another in order, and
stays in the memory of that replica until it is through. It then waits for a place at the other pool like any request,
and goes on decoding there without prefill.
"""

from __future__ import annotations

from sim.model import clients, memory, meters, prefix, seats
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import NONE, State

HERE, SENT, GOES_ON, STARTS_OVER = range(4)
"""A request's `handed`: not handed over; on its way or waiting there; decoding there; preempted there since."""


@compiled_apart
def send(s: State, row: int, seat: int, now_s: float) -> None:
    """The prefill of a seat is done: it leaves the batch, its KV cache goes on the link."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    r = 0 + int(s.seats[seat]["request"])
    request = s.requests[r]
    seats.leave(s.seats, replica, seat)
    replica["outstanding"] -= 1
    replica["tokens"] -= request["prompt_tokens"]
    replica["sending"] += 1
    request["done_tokens"] = 1
    request["handed"] = SENT
    if pool["metered"] == 1:
        meters.go(s, int(pool["home"]), now_s)
    # one link for the pool is its first replica's
    link = s.replicas[pool["replica0"] if pool["link_shared"] == 1 else row]
    through_s = max(now_s, link["link_free_s"]) + pool["link_s_per_token"] * request["prompt_tokens"]
    link["link_free_s"] = through_s
    s.calls[r]["link_s"] = through_s + pool["link_latency_s"]
    if s.run[0]["gaps"] == 1:
        s.calls[r]["token_due_s"] = now_s + s.calls[r]["token_timeout_s"]
    clients.arm(s, r)


@compiled
def gone(s: State, row: int, r: int, now_s: float) -> None:
    """The KV cache of a request is through: the sender's memory is free again."""
    replica = s.replicas[row]
    before = int(replica["kv"])
    replica["sending"] -= 1
    tokens = 0 + int(s.requests[r]["prompt_tokens"])
    if replica["planned"] == 0:
        memory.settle(replica, now_s)
    replica["kv"] -= tokens
    replica["blocks"] -= memory.blocks_of(s.pools[replica["pool"]], tokens)
    if s.requests[r]["prefix0"] != NONE:
        prefix.drop(s, row, r, tokens)
    if replica["planned"] > 0:
        # the planned iteration will be charged for what is held from now on only
        replica["kv_s"] += (before - replica["kv"]) * (now_s - replica["boundary_s"])
