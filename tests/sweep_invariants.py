"""I8, I11: what holds at every instant: seats and memory, nobody waiting beside a free seat, who is turned away.

Part of `tests.invariants`; each looks at the levels after every instant at which a request or a replica comes or goes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import NONE, REJECTED
from sim.scenario import Pool
from tests.fleet_invariants import TINY
from tests.invariant_parts import Part


def union_s(from_s: NDArray[Any], to_s: NDArray[Any], group: NDArray[Any]) -> float:
    """Length of the union of the intervals of each group, summed over groups."""
    _, time_s, (count,) = _sweep(np.concatenate((group, group)), np.concatenate((from_s, to_s)), _steps(len(from_s)))
    return float(np.diff(time_s)[count[:-1] > 0].sum())


def _steps(count: int) -> NDArray[np.int64]:
    return np.repeat((1, -1), count)


def _sweep(
    group: NDArray[Any], time_s: NDArray[Any], *changes: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], list[NDArray[Any]]]:
    """Levels after each instant of each group, from the changes at events: (group, time, levels), in that order.

    Every level must be back at 0 when its group ends.
    """
    events = np.lexsort((time_s, group))
    group, time_s = group[events], time_s[events]
    last = np.append((np.diff(group) != 0) | (np.diff(time_s) != 0), True)[: len(group)]
    return group[last], time_s[last], [np.cumsum(change[events])[last] for change in changes]


def sweeps(part: Part) -> None:
    """I8, I11: at every instant no more in seats and memory than there are; no free seat while somebody waits."""
    rows = part.seated
    if not part.preempted:
        capacity(part, rows)
    conservation(part, rows)
    if part.is_slots:
        rejections(part, rows)


def capacity(part: Part, rows: NDArray[Any]) -> None:
    rows = rows if rows["lost"].max(initial=0) == 0 else rows[rows["lost"] == 0]
    seats, kv_tokens = (max(sizes) for sizes in zip(*((p.replica.seats, _kv(p)) for p in part.makes), strict=True))
    group = np.concatenate((rows["replica"], rows["replica"]))
    free_s, error_s = slots_free_s(part, rows)
    time_s = np.concatenate((rows["start_s"], np.maximum(free_s - error_s, rows["start_s"])))
    prompt = rows["prompt_tokens"].astype(np.int64)
    _, _, (seated, kv) = _sweep(group, time_s, _steps(len(rows)), np.concatenate((prompt, -prompt)))
    assert seated.max(initial=0) <= seats, f"{seated.max()} requests in {seats} seats"
    if not part.is_slots and (rows["prefix0"] == NONE).all():  # else blocks are shared
        assert kv.max(initial=0) <= kv_tokens, f"{kv.max()} prompt tokens in {kv_tokens}"


def _kv(pool: Pool) -> int:
    return int(pool.kv_tokens) if pool.replica.kind == "batching" else 0


def conservation(part: Part, rows: NDArray[Any]) -> None:
    """Slots: all seats of the replica (or of the pool, with one line) are taken. Batching: somebody is served.

    Of ready replicas, and as far as rows tell: who was lost with a replica has been in seats that they do not name.
    """
    serves = part.serves
    waits = ((rows["start_s"] > rows["arrival_s"]) & part.steady(rows)).astype(int)
    none, still = np.zeros(len(rows), int), np.zeros(2 * len(serves), int)
    end_s = max(rows["finish_s"].max(initial=0.0), serves["from_s"].max(initial=0.0)) + 1
    drain_s = np.minimum(serves["drain_s"], end_s)
    seats = np.array([make.replica.seats for make in part.makes])[serves["make"]]
    one, own = rows["replica"].astype(int), serves["replica"]
    lines = (one, one, one, own, own)
    _, time_s, (waiting, running, ready) = _sweep(
        np.concatenate([0 * line if part.central else line for line in lines]),
        np.concatenate((rows["arrival_s"], rows["start_s"], rows["finish_s"], serves["from_s"], drain_s)),
        np.concatenate((waits, -waits, none, still)),
        np.concatenate((none, none + 1, none - 1, still)),
        np.concatenate((none, none, none, seats, -seats)),
    )
    needed = ready if part.is_slots else np.minimum(ready, 1)
    idle = (waiting > 0) & (running < needed) & (time_s < part.until_s) & ~_with_lost(part, time_s)
    assert not idle.any(), f"somebody waits at {time_s[idle][0]} s beside a free seat"
    limit = part.pool.queue.max_waiting
    if part.is_slots and limit is not None:
        assert waiting.max(initial=0) <= limit, f"{waiting.max()} wait, {limit} may"


def slots_free_s(part: Part, rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """When requests leave their seats, and by how much that may be wrong: finish - overhead is not exact."""
    overhead_s = part.overheads_s.max()
    return rows["finish_s"] - overhead_s, TINY * (1 + rows["finish_s"]) * (overhead_s > 0)


def _with_lost(part: Part, at_s: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether somebody has started at some instants who has lost, or will lose, a replica."""
    lost = part.rows[(part.rows["lost"] > 0) & np.isfinite(part.rows["start_s"])]
    begun = np.searchsorted(np.sort(lost["start_s"]), at_s, side="right")
    return begun > np.searchsorted(np.sort(lost["finish_s"]), at_s, side="right")


def rejections(part: Part, rows: NDArray[Any]) -> None:
    """Slots: nobody is turned away but by a full system (where one can tell from outside)."""
    rejected = part.head["outcome"] == REJECTED
    limit = part.pool.queue.max_waiting
    if part.sheds:
        return
    if limit is None:
        assert not rejected.any(), "rejected, but any number may wait"
    elif not part.elastic and (part.central or part.pool.queue.router == "least_outstanding"):
        taken = np.cumsum(~rejected)[rejected]
        at_s = part.head["arrival_s"][rejected]
        gone_s, error_s = slots_free_s(part, rows)
        if part.calls is not None:
            waited = part.head[~rejected & np.isnan(part.head["start_s"])]
            gone_s = np.concatenate((gone_s, waited["finish_s"]))
            error_s = np.append(error_s, np.zeros(len(waited)))
            once = ~np.isin(at_s, np.concatenate((gone_s, part.head["arrival_s"][~rejected])))
            taken, at_s = taken[once], at_s[once]  # of those of one instant rows do not tell who was first
        least, most = (np.searchsorted(np.sort(gone_s + sign * error_s), at_s, side="right") for sign in (1, -1))
        full = part.replicas * part.pool.replica.seats + limit * (1 if part.central else part.replicas)
        assert (taken - least >= full).all(), "rejected with room left"
        # who is preempted goes back to a line that may be full already
        assert part.pool.queue.preemptive or (taken - most <= full).all(), "more are let in than there is room for"
