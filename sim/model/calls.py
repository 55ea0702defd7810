"""The table of what clients will bear and do: made beside the requests, and grown with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model.specs import SenderSpec, TenantSpec
from sim.model.tables import CALL, NONE, SENDER, State

JITTERS = ("none", "full", "equal", "decorrelated")
NO_JITTER, FULL, EQUAL, DECORRELATED = range(4)


def table(requests: NDArray[Any], first_row: int = 0) -> NDArray[Any]:
    """Rows of `CALL` for clients that wait as long as it takes and ask nothing more; `first_row` is the first's own.

    Requests that arrive at infinity follow others and have not been sent.
    """
    calls = np.zeros(len(requests), CALL)
    for name in ("patience_s", "first_token_timeout_s", "token_timeout_s", "total_timeout_s"):
        calls[name] = math.inf
    for name in ("link_s", "token_due_s", "retry_s"):
        calls[name] = math.inf
    calls["left_s"] = math.nan
    for name in ("service_s", "first_service_s", "cached_tokens", "pool"):
        calls[name] = requests[name]
    for name in ("timer", "before", "then", "session", "hopes"):
        calls[name] = NONE
    calls["first"] = calls["twin"] = np.arange(first_row, first_row + len(requests))
    calls["attempt"] = 1
    return calls


def sent(requests: NDArray[Any], first_row: int = 0) -> NDArray[Any]:
    """The same for clients that just wait: only links have times, and services that break off are known whole."""
    calls = table(requests, first_row)
    calls["sent"] = 1
    return calls


def senders(streams: Sequence[SenderSpec], tenants: Sequence[TenantSpec]) -> NDArray[Any]:
    """A row a stream, then a row a tenant."""
    rows = np.zeros(len(streams) + len(tenants), SENDER)
    levels = sorted({spec.level for spec in streams})
    for row, spec in zip(rows, streams, strict=False):
        for name in _SAME:
            row[name] = getattr(spec, name)
        row["tenant"] = NONE if spec.tenant is None else len(streams) + spec.tenant
        row["customer"] = 0 if spec.tenant is None else 1 + spec.tenant
        row["rank"] = levels.index(spec.level)
        row["retries"] = sum(1 << outcome for outcome in spec.retries)
        row["jitter"] = JITTERS.index(spec.jitter)
        row["credit"] = spec.most_credit
    for row, tenant in zip(rows[len(streams) :], tenants, strict=True):
        for name in ("weight", "requests_per_s", "request_burst", "tokens_per_s", "token_burst"):
            row[name] = getattr(tenant, name)
        row["requests_left"], row["tokens_left"] = tenant.request_burst, tenant.token_burst
    return rows


_SAME = (
    *("group", "level", "weight", "attempts", "exponential", "backoff_s", "longest_backoff_s", "heeds", "budget"),
    *("most_credit", "hedge_s", "hedges", "persists", "slow_s", "leaves", "away_s"),
)


def in_order(s: State) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The requests that have arrived, sorted by arrival, and their rows of calls with links to rows of this order.

    Links to requests that were never sent become NONE. Without calls, the requests as they are.
    """
    run = s.run[0]
    if run["calls"] == 0:
        return s.requests, None
    rows = int(run["rows"])
    there = s.calls["sent"][:rows] == 1
    there[: int(run["arrivals"])] = True  # held back by their clients to the end, they have arrived all the same
    kept = np.flatnonzero(there)
    kept = kept[np.argsort(s.requests["arrival_s"][kept], kind="stable")]
    row_of = np.full(rows + 1, NONE)
    row_of[kept] = np.arange(len(kept))
    requests, calls = s.requests[kept], s.calls[kept]
    for name in ("service_s", "first_service_s"):
        requests[name] = calls[name]  # not what was left of it when it last began
    for name in ("first", "twin", "before", "then"):
        calls[name] = row_of[calls[name]]
    return requests, calls
