"""Classes and tenants: who they are, what each has cost, and how evenly tenants were served."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.result.fleet import ratio
from sim.result.groups import Group, of_class, of_tenant
from sim.result.work import CHUNK_ROWS, work_of_attempts_s

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.result.window import Window

Party = tuple[str, str]
"""`classes` or `tenants`, and a name."""


def parties(log: RunLog) -> dict[Party, Group]:
    """The requests of each class and of each tenant of a run."""
    found = {("classes", name): of_class(log, place) for place, name in enumerate(log.classes)}
    return found | {("tenants", name): of_tenant(log, place) for place, name in enumerate(log.tenants)}


@dataclass(frozen=True)
class Share:
    """What one class or tenant has of the fleet."""

    share: float | None
    """Of the cost, or of the GPU-hours where there is no price; None when nobody was served."""
    total_usd: float | None

    def cost(self, completed: int, output_tokens: int) -> dict[str, float | None]:
        """Its `cost` block, for so many answers with so many tokens."""
        total_usd = self.total_usd
        return {
            "total_usd": total_usd,
            "usd_per_request": None if total_usd is None else ratio(total_usd, completed),
            "usd_per_million_output_tokens": None if total_usd is None else ratio(total_usd * 1e6, output_tokens),
        }


def cost_shares(
    log: RunLog,
    window: Window,
    sent: NDArray[np.bool_] | None,
    pools: Sequence[Mapping[str, Any]],
    groups: Mapping[Party, Group],
) -> dict[Party, Share]:
    """What each class and tenant has of the fleet's cost: of each pool's, as much as of the work that was done there.

    So time that nobody used is shared in the same proportion. The work is that of all attempts at the requests of the
    window; `sent`: which they are, as `sim.result.attempts.attempts_of` has them. `pools`: the blocks of the pools, in
    their order.
    """
    work_s = _work_by_stream_s(log, window, sent)
    priced = all(pool["cost"]["total_usd"] is not None for pool in pools)
    paid = np.array([pool["cost"]["total_usd"] if priced else pool["replicas"]["gpu_hours"] for pool in pools], float)
    used = work_s.sum(axis=1)
    by_stream = np.divide(work_s, used[:, None], out=np.zeros_like(work_s), where=used[:, None] > 0).T @ paid
    total, told = float(paid.sum()), float(by_stream.sum())
    if told == 0.0:
        return dict.fromkeys(groups, Share(None, None))
    # a pool without work is paid for by all, in proportion to what they have of the others
    return {
        key: Share(float(part / told), float(part / told * total) if priced else None)
        for key, part in ((key, float(by_stream[group.streams].sum())) for key, group in groups.items())
    }


def _work_by_stream_s(log: RunLog, window: Window, sent: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """Replica-seconds of work of the attempts that count, shape (pools, streams)."""
    work_s = np.zeros((len(log.pools), len(log.streams)))
    rows_from, rows_to = (window.first, window.last) if sent is None else (0, len(log.requests))
    for first in range(rows_from, rows_to, CHUNK_ROWS):
        chunk = slice(first, min(first + CHUNK_ROWS, rows_to))
        rows, calls = log.requests[chunk], None if log.calls is None else log.calls[chunk]
        for place, law in enumerate(log.work):
            each_s = work_of_attempts_s(law, rows, calls)
            if sent is not None:
                each_s = np.where(sent[chunk], each_s, 0.0)
            work_s[place] += np.bincount(rows["stream"], weights=each_s, minlength=len(log.streams))
    return work_s


def fairness(shares: Sequence[float | None]) -> float | None:
    """Jain's index of what tenants got: 1 when all got the same, 1/n when one of n got everything.

    Jain, Chiu, Hawe: A quantitative measure of fairness and discrimination, 1984. None when nobody asked for anything;
    1 when nobody got anything.
    """
    known = [share for share in shares if share is not None]
    if not known:
        return None
    squares = math.fsum(share**2 for share in known)
    return math.fsum(known) ** 2 / (len(known) * squares) if squares > 0 else 1.0
