"""First-come-first-served lines of requests, linked through the requests themselves."""

from __future__ import annotations

from typing import Any

from sim.model.compiled import compiled
from sim.model.tables import NONE, UNFINISHED


@compiled
def push_back(queues: Any, requests: Any, line: int, r: int, blocks: int) -> None:
    """Request r joins the end of the line; it will need this many blocks of KV memory."""
    queue = queues[line]
    requests[r]["next"] = NONE
    if queue["length"] == 0:
        queue["head"] = r
    else:
        requests[queue["tail"]]["next"] = r
    queue["tail"] = r
    queue["length"] += 1
    queue["blocks"] += blocks


@compiled
def push_front(queues: Any, requests: Any, line: int, r: int, blocks: int) -> None:
    """Request r goes to the head of the line: it was served before and was preempted."""
    queue = queues[line]
    if queue["length"] == 0:
        queue["tail"] = r
        requests[r]["next"] = NONE
    else:
        requests[r]["next"] = queue["head"]
    queue["head"] = r
    queue["length"] += 1
    queue["blocks"] += blocks


@compiled
def take_out(queues: Any, requests: Any, line: int, r: int, blocks: int) -> None:
    """Request r, which has its outcome, leaves the line from wherever it is.

    In the middle it stays linked, and is passed over when it comes to the head: nothing that has ended ever comes back.
    """
    queue = queues[line]
    queue["length"] -= 1
    queue["blocks"] -= blocks
    pass_over(queue, requests)


@compiled
def pass_over(queue: Any, requests: Any) -> None:
    """The head of a line is one that still waits."""
    if queue["length"] > 0:
        while requests[queue["head"]]["outcome"] != UNFINISHED:
            queue["head"] = requests[queue["head"]]["next"]


@compiled
def pop_front(queues: Any, requests: Any, line: int, blocks: int) -> int:
    """The head of the line leaves it, and takes its blocks along."""
    queue = queues[line]
    r = queue["head"]
    queue["head"] = requests[r]["next"]
    queue["length"] -= 1
    queue["blocks"] -= blocks
    pass_over(queue, requests)
    return int(r)
