"""Lines of requests, first come first served, linked through the requests themselves.

A request whose client gives up leaves from wherever it stands: it stays linked, and is passed over when it comes to the
head. Its outcome tells, and nobody who has one joins a line again.
"""

from __future__ import annotations

from typing import Any

from sim.model.compiled import compiled
from sim.model.tables import NONE, UNFINISHED


@compiled
def append(queues: Any, requests: Any, line: int, r: int) -> None:
    """Request r joins the end of the line."""
    queue = queues[line]
    requests[r]["next"] = NONE
    if queue["length"] == 0:
        queue["head"] = r
    else:
        requests[queue["tail"]]["next"] = r
    queue["tail"] = r
    queue["length"] += 1


@compiled
def prepend(queues: Any, requests: Any, line: int, r: int) -> None:
    """Request r goes to the head of the line."""
    queue = queues[line]
    if queue["length"] == 0:
        queue["tail"] = r
        requests[r]["next"] = NONE
    else:
        requests[r]["next"] = queue["head"]
    queue["head"] = r
    queue["length"] += 1


@compiled
def head(queues: Any, requests: Any, line: int) -> int:
    """The first of a line that is not empty."""
    queue = queues[line]
    r = int(queue["head"])
    if requests[r]["outcome"] != UNFINISHED:
        while requests[r]["outcome"] != UNFINISHED:
            r = 0 + int(requests[r]["next"])
        queue["head"] = r
    return r


@compiled
def pop(queues: Any, requests: Any, line: int) -> int:
    """The first of a line that is not empty leaves it."""
    r = head(queues, requests, line)
    queues[line]["head"] = requests[r]["next"]
    queues[line]["length"] -= 1
    return r
