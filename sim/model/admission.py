"""Who is turned away: over a tenant's quota, or because its pool sheds load.

What a client sends is judged once, when it sends it (`refused`); nothing that comes again because its replica went.
Quota goes before load, and is charged only to who is let in. How much a pool has to do is all who wait in it, at the
replicas that drain too. The mean time between two starts counts those between which others have waited all the time;
going on with a service that broke off, or with a recomputed answer, is a start.
A pool with controlled delay judges those who wait, when it is their turn (`late`): where they wait for a seat, and only
who has never had one.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model import meters, outcomes, queues, transfer
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import NONE, State

NOTHING, LOAD, ESTIMATED_WAIT, CODEL = range(4)
SHEDS = {"nothing": NOTHING, "load": LOAD, "estimated_wait": ESTIMATED_WAIT, "codel": CODEL}
WELCOME, OVER_QUOTA, SHED = range(3)
"""What becomes of a request that is sent."""

NEWEST_SHARE = 0.1
"""Weight of the newest in the mean time between two starts."""
SLACK = 1e-9
"""What a bucket may lack: a client that comes back when it was told to must not miss it by a rounding error."""


@compiled
def refused(s: State, r: int, now_s: float) -> int:
    """What becomes of request r, which its client sends now; WELCOME is 0, and takes from its tenant's quota.

    If it is refused, `RUN.retry_after_s` is what its client is to be told.
    """
    if s.run[0]["guards"] == 0:
        return WELCOME
    return judged(s, r, now_s)


@compiled_apart
def judged(s: State, r: int, now_s: float) -> int:
    """`refused`, where there is something to judge."""
    request = s.requests[r]
    tenant = int(s.senders[request["stream"]]["tenant"])
    run = s.run[0]
    if tenant != NONE:
        wait_s = until_enough_s(s.senders[tenant], request, now_s)
        if wait_s > 0:
            run["retry_after_s"] = wait_s
            return OVER_QUOTA
    pool = s.pools[request["pool"]]
    if (pool["shed"] == LOAD or pool["shed"] == ESTIMATED_WAIT) and too_much(s, r):
        run["retry_after_s"] = pool["retry_after_s"]
        return SHED
    if tenant != NONE:
        take(s.senders[tenant], request)
    return WELCOME


@compiled
def until_enough_s(bucket: Any, request: Any, now_s: float) -> float:
    """Fill a tenant's buckets up to now. Returns how long until they hold enough for a request; 0: they do."""
    wait_s = 0.0
    passed_s = now_s - bucket["since_s"]
    bucket["since_s"] = now_s
    if bucket["requests_per_s"] < math.inf:
        left = min(bucket["request_burst"], bucket["requests_left"] + bucket["requests_per_s"] * passed_s)
        bucket["requests_left"] = left
        if left < 1.0 - SLACK:
            wait_s = (1.0 - left) / bucket["requests_per_s"]
    if bucket["tokens_per_s"] < math.inf:
        left = min(bucket["token_burst"], bucket["tokens_left"] + bucket["tokens_per_s"] * passed_s)
        bucket["tokens_left"] = left
        tokens = float(request["prompt_tokens"]) + float(request["output_tokens"])
        if left < tokens * (1.0 - SLACK):
            # one that never fits is told when the bucket is full: it will be refused again
            wait_s = max(wait_s, (min(tokens, bucket["token_burst"]) - left) / bucket["tokens_per_s"], 1e-3)
    return float(wait_s)


@compiled
def take(bucket: Any, request: Any) -> None:
    """Charge a request to its tenant."""
    if bucket["requests_per_s"] < math.inf:
        bucket["requests_left"] -= 1.0
    if bucket["tokens_per_s"] < math.inf:
        bucket["tokens_left"] -= float(request["prompt_tokens"]) + float(request["output_tokens"])


@compiled_apart
def too_much(s: State, r: int) -> bool:
    """Whether the pool of request r has too much to do for one of its class."""
    pool_row = int(s.requests[r]["pool"])
    pool = s.pools[pool_row]
    sender = s.senders[s.requests[r]["stream"]]
    place = s.queues[pool_row]
    limit = s.queues[place["line0"] + place["lines"] + sender["group"]]["limit"]
    waiting = waiting_in(s, pool, int(pool["ranks"]))
    if pool["shed"] == LOAD:
        return bool(waiting >= limit * max(pool["ready"], 1))
    if waiting == 0:
        return False  # whoever finds nobody waiting is let in: so the mean does not stay what it was in worse times
    before = waiting_in(s, pool, int(sender["rank"]) + 1) if pool["rank_lines"] > 0 else waiting
    return bool((before + 1) * pool["between_s"] > limit)


@compiled
def waiting_in(s: State, pool: Any, ranks: int) -> int:
    """How many wait anywhere in a pool, of the first so many levels."""
    waiting = 0
    for row in range(pool["level0"], pool["level0"] + ranks):
        waiting += int(s.queues[row]["length"])
    return waiting


@compiled_apart
def started(s: State, pool_row: int, now_s: float) -> None:
    """A request of the pool gets a seat: how long after the one before, if others have waited all the time?"""
    pool = s.pools[pool_row]
    if pool["backlog"] == 1:
        passed_s = now_s - pool["started_s"]
        if pool["between_s"] == 0.0:
            pool["between_s"] = passed_s
        else:
            pool["between_s"] += NEWEST_SHARE * (passed_s - pool["between_s"])
    pool["started_s"] = now_s
    pool["backlog"] = 1 if waiting_in(s, pool, int(pool["ranks"])) > 0 else 0


@compiled_apart
def send_back(s: State, r: int, now_s: float) -> None:
    """Request r, which is refused, goes no further than the door."""
    s.run[0]["in_system"] += 1
    outcomes.reject(s, r, 0 + int(s.pools[s.requests[r]["pool"]]["silent"]), now_s)


@compiled
def late(s: State, place: int, r: int, now_s: float) -> bool:
    """Whether request r, whose turn has come, is turned away instead, for it has waited too long."""
    if s.pools[s.queues[place]["home"]]["shed"] != CODEL:
        return False
    return too_late(s, place, r, now_s)


@compiled_apart
def too_late(s: State, place: int, r: int, now_s: float) -> bool:
    """Whether request r has waited too long, at a place where all did in the last interval.

    Controlled delay as Wangle has it (Maurer 2015, "Fail at Scale"): a place is overloaded if the least wait of an
    interval was above the target; it then refuses who has waited more than twice the target.
    """
    queue = s.queues[place]
    pool = s.pools[queue["home"]]
    request = s.requests[r]
    if (pool["central"] == 1) != (place < len(s.pools)):
        return False  # it only passes through here
    if request["handed"] != transfer.HERE or not math.isnan(request["start_s"]):
        return False
    waited_s = float(now_s - request["arrival_s"])
    if now_s >= queue["until_s"]:
        queue["overloaded"] = 1 if queue["least_wait_s"] > pool["target_s"] else 0
        queue["least_wait_s"] = waited_s
        queue["until_s"] = now_s + pool["interval_s"]
        return False
    queue["least_wait_s"] = min(queue["least_wait_s"], waited_s)
    return bool(queue["overloaded"] == 1 and waited_s > 2.0 * pool["target_s"])


@compiled
def at_once(s: State, place: int, r: int, now_s: float) -> None:
    """Request r has a place as soon as it comes here: it is not judged, but how long it has waited counts."""
    if s.pools[s.queues[place]["home"]]["shed"] == CODEL:
        too_late(s, place, r, now_s)


@compiled_apart
def turn_away_first(s: State, place: int, r: int, blocks: int, now_s: float) -> None:
    """Request r, whose turn has come, leaves the queue unserved."""
    queues.turn_away(s, place, r, blocks)
    request = s.requests[r]
    if place >= len(s.pools):
        replica = s.replicas[place - len(s.pools)]
        replica["outstanding"] -= 1
        replica["tokens"] -= request["prompt_tokens"]
        request["replica"] = NONE
    request["finish_s"] = now_s
    turn_away(s, int(s.queues[place]["home"]), r, now_s)


@compiled
def turn_away(s: State, pool_row: int, r: int, now_s: float) -> None:
    """Request r, which has reached its pool, is rejected by it."""
    s.run[0]["retry_after_s"] = s.pools[pool_row]["retry_after_s"]
    outcomes.reject(s, r, 0 + int(s.pools[pool_row]["silent"]), now_s)
    if s.pools[pool_row]["metered"] == 1:
        meters.go(s, pool_row, now_s)
