"""Which replica had which request when, from the rows of a run: what exports of single replicas are made from.

Rows say where a request ended up and when it started. Where it had been at several replicas, or how long it was at one
is not kept (a lost replica, a prefill elsewhere, a slot given up to others), it counts for its pool only: see `known`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import ConfigError
from sim.model.tables import COMPLETED, NONE, UNFINISHED
from sim.scenario import Batching

if TYPE_CHECKING:
    from sim.result import Result
    from sim.result.log import RunLog
    from sim.scenario import Pool, Scenario

NO_ROWS = (
    "this needs the rows of requests, and a run of so many (above 20 million) keeps none; shorten the horizon, "
    "such as --set horizon=1h"
)


@dataclass(frozen=True)
class Life:
    """One life of a replica, from order to gone; instants that it never reached are inf."""

    name: str
    """`chat-3`, and `chat-3-2` for the second life on the same row."""
    pool: int
    replica: int
    """Row within the pool, from 0."""
    span: int
    """Row in the log's spans."""
    seats: int
    overhead_s: float
    """What clients see later than the engine."""
    ready_s: float
    gone_s: float


@dataclass(frozen=True)
class Served:
    """The attempts of a run, each array of shape (requests,), in arrival order. Times in seconds, as the engine has
    them: without the pool's overhead.
    """

    lives: tuple[Life, ...]
    """In the order of the log's spans."""
    life: NDArray[np.int64]
    """Place among `lives` of where it ended up; -1: nowhere."""
    known: NDArray[np.bool_]
    """Whether it was there, and nowhere else, from its start to its end."""
    pool: NDArray[np.int64]
    arrival_s: NDArray[np.float64]
    start_s: NDArray[np.float64]
    """inf: never."""
    first_s: NDArray[np.float64]
    """First token; its end, for one that never had any."""
    end_s: NDArray[np.float64]
    """When its seat was free, or when it was gone from the queue; inf: not in this run."""
    client_end_s: NDArray[np.float64]
    """The same with the overhead, as the summary's averages count it."""


def check_kept(scenario: Scenario) -> None:
    """Raise `ConfigError` where a run of a scenario would keep no rows: before the run, not after it."""
    from sim.fleet.feed import is_streamed

    if is_streamed(scenario, None):
        raise ConfigError(NO_ROWS)


def served_of(result: Result) -> Served:
    """Who was where when. Raises `ConfigError` for a run without rows."""
    log = result.log
    if log.tally is not None:
        raise ConfigError(NO_ROWS)
    rows = log.requests
    client_end_s = _ends_s(log)
    lives = lives_of(result)
    life = _life_of(log, lives, np.where(np.isnan(rows["start_s"]), rows["arrival_s"], client_end_s))
    overhead_s = np.append([each.overhead_s for each in lives], 0.0)[life]
    end_s = np.where(rows["outcome"] == COMPLETED, client_end_s - overhead_s, client_end_s)
    return Served(
        lives=lives,
        life=life,
        known=(life != NONE) & _stayed(result.scenario, log),
        pool=rows["pool"].astype(np.int64),
        arrival_s=rows["arrival_s"].copy(),
        start_s=_or_never(rows["start_s"]),
        first_s=np.minimum(_or_never(rows["first_token_s"] - overhead_s), end_s),
        end_s=end_s,
        client_end_s=client_end_s,
    )


def lives_of(result: Result) -> tuple[Life, ...]:
    """Every replica's lives, in the order of the log's spans."""
    log, found, seen = result.log, [], dict[tuple[int, int], int]()
    makes = [_makes(result.scenario.pools[name]) for name in log.pools]
    for span, row in enumerate(log.spans):
        pool, replica = int(row["pool"]), int(row["replica"])
        number = seen[pool, replica] = seen.get((pool, replica), 0) + 1
        seats, overhead_s = makes[pool][int(row["make"])]
        name = f"{log.pools[pool]}-{replica}" + (f"-{number}" if number > 1 else "")
        ready_s, gone_s = float(row["ready_s"]), float(row["gone_s"])
        found.append(Life(name, pool, replica, span, seats, overhead_s, ready_s, gone_s))
    return tuple(found)


def _makes(pool: Pool) -> list[tuple[int, float]]:
    """Seats and overhead of a pool's replicas by their `make` (see `sim.result.money.billing.terms`)."""
    found = []
    for version in pool.versions:
        for offer in pool.offers:
            make = version.as_offered(offer) if pool.supply else version
            overhead_s = make.law.overhead_s if isinstance(make.replica, Batching) else make.overhead_s
            found.append((int(make.replica.seats), float(overhead_s)))
    return found


def _ends_s(log: RunLog) -> NDArray[np.float64]:
    """When attempts are over for their clients, or, given up, for their replica; inf: not in this run."""
    rows = log.requests
    end_s = np.where(np.isnan(rows["finish_s"]), rows["arrival_s"], rows["finish_s"])
    end_s[rows["outcome"] == UNFINISHED] = np.inf
    if log.calls is not None:
        left_s = log.calls["left_s"]
        end_s = np.where(np.isnan(left_s) | np.isnan(rows["start_s"]), end_s, left_s)
    return np.asarray(end_s)


def _stayed(scenario: Scenario, log: RunLog) -> NDArray[np.bool_]:
    """Whether all that happened to an attempt happened at one replica, without a break that a row does not tell."""
    rows = log.requests
    slots = np.array([not isinstance(scenario.pools[name].replica, Batching) for name in log.pools])
    broke_off = (rows["preempted"] > 0) & slots[rows["pool"]]
    return np.asarray((rows["lost"] == 0) & (rows["handed"] == 0) & ~broke_off)


def _life_of(log: RunLog, lives: tuple[Life, ...], by_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """The life of each attempt: the last one on its replica's row that was ready by then (or the first there is)."""
    first_row = np.concatenate(([0], np.cumsum(log.rooms)))
    found = np.full(len(log.requests), NONE, np.int64)
    on_row: dict[int, list[int]] = {}
    for place, each in enumerate(lives):
        if np.isfinite(each.ready_s):
            on_row.setdefault(int(first_row[each.pool]) + each.replica, []).append(place)
    order = np.argsort(log.requests["replica"], kind="stable")
    replica = log.requests["replica"][order]
    for row, places in on_row.items():
        own = order[np.searchsorted(replica, row, "left") : np.searchsorted(replica, row, "right")]
        places.sort(key=lambda place: lives[place].ready_s)
        ready_s = np.array([lives[place].ready_s for place in places])
        which = np.maximum(np.searchsorted(ready_s, by_s[own], side="right") - 1, 0)
        found[own] = np.array(places)[which]
    return found


def _or_never(at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(at_s), np.inf, at_s)
