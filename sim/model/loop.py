"""The compiled calendar's loop: every arrival and every wake-up up to the next control event, in order.

At one instant the order is completion, then control, then what timers say, then arrival; completions by replica row,
timers by request. The SimPy calendar schedules with the same ranks.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model import leaving, timers, tournament, transitions
from sim.model.compiled import compiled
from sim.model.tables import State

EXTRAS = True
"""False while compiled for runs that have none of these (see compiled.widen)."""


@compiled
def look(s: State, wakes: Any) -> None:
    """Copy the `wake_s` of touched replicas into the tournament of wake-ups."""
    run = s.run[0]
    for i in range(run["touched"]):
        row = int(s.lists[len(s.replicas) + i])
        s.replicas[row]["touched"] = 0
        tournament.update(wakes, 0, len(wakes) >> 1, row, float(s.replicas[row]["wake_s"]))
    run["touched"] = 0


@compiled
def run_until(s: State, wakes: Any, stop_s: float, most_events: int) -> bool:
    """Do all completions up to and at `stop_s` and all arrivals before; True when done, False after `most_events`.

    Ends early, too, when something has happened that control must notice; and, not done, when the tables must grow.
    """
    run = s.run[0]
    look(s, wakes)
    done = False
    for _ in range(most_events):
        r = int(run["next_arrival"])
        arrival_s = math.inf
        if r < run["arrivals"]:
            arrival_s = s.requests[r]["arrival_s"]
        elif run["more"] == 1:
            break  # who arrives next must be told first
        wake_s = wakes[1]["key"]
        timer_s = math.inf
        if EXTRAS:
            timer_s = timers.next_s(s)
        if wake_s <= min(arrival_s, timer_s):
            if wake_s > stop_s or wake_s == math.inf:
                done = True
                break
            transitions.wake(s, int(wakes[1]["row"]), wake_s)
        elif EXTRAS and timer_s <= arrival_s:
            if timer_s >= stop_s:
                done = True
                break
            if run["calls"] == 1 and run["rows"] == len(s.requests) and leaving.sends_more(s, timer_s):
                break  # the table must grow first
            leaving.ring(s, timer_s)
        else:
            if arrival_s >= stop_s:
                done = True
                break
            run["next_arrival"] += 1
            transitions.arrive(s, r, arrival_s)
        run["events"] += 1
        look(s, wakes)
        if run["noticed"] > 0:
            done = True
            break
        if run["asked"] == 1:
            break
    return done
