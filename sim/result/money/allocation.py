"""Whose the cost is: of each stream of requests, and within it of prompts and of answers, by the GPU time they took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.result.fleet import ratio
from sim.result.groups import Group
from sim.result.work import CHUNK_ROWS, phases_of_attempts_s

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.result.window import Window

Usd = float | None


@dataclass(frozen=True)
class Share:
    """What some requests have of a bill."""

    share: float | None
    """Of the cost, or of the GPU-hours where there is no price; None when nobody was served."""
    total_usd: Usd
    prompt_usd: Usd
    """Of the total, what prefill took; None where that is not known: slots have no phases."""
    output_usd: Usd
    """What decoding took: the rest."""

    def cost(self, completed: int, prompt_tokens: int, output_tokens: int) -> dict[str, Usd]:
        """The `cost` block of a class or tenant, for so many answers with so many tokens."""
        return {
            "total_usd": self.total_usd,
            "usd_per_request": _each(self.total_usd, completed),
            "usd_per_million_output_tokens": _each(self.total_usd, output_tokens, 1e6),
            **self.by_token(prompt_tokens, output_tokens),
        }

    def by_token(self, prompt_tokens: int, output_tokens: int) -> dict[str, Usd]:
        """What prompts and outputs have cost, and a million tokens of each."""
        return {
            "prompt_usd": self.prompt_usd,
            "output_usd": self.output_usd,
            "prompt_usd_per_million_tokens": _each(self.prompt_usd, prompt_tokens, 1e6),
            "output_usd_per_million_tokens": _each(self.output_usd, output_tokens, 1e6),
        }


def _each(usd: Usd, number: int, scale: float = 1.0) -> Usd:
    return None if usd is None else ratio(usd * scale, number)


NOBODYS = Share(None, None, None, None)


@dataclass(frozen=True, eq=False)
class Allocation:
    """The whole cost, by stream and phase."""

    parts: NDArray[np.float64] | None
    """Shares that add up to 1, shape (streams, 2): prefill and decoding; None: nobody was served."""
    total_usd: Usd
    phased: bool
    """Whether prefill and decoding can be told apart in all work."""
    prefill_shares: tuple[float | None, ...]
    """By pool, of its own work; None where there is none, or no phases."""

    def of(self, group: Group) -> Share:
        """What the streams of a group have; of everybody: all."""
        if self.parts is None:
            return NOBODYS
        own = self.parts if group.streams is None else self.parts[group.streams]
        return self._share(float(own[:, 0].sum()), float(own[:, 1].sum()))

    def of_pool(self, place: int, total_usd: Usd) -> Share:
        """A pool's own bill, split by its own work."""
        prefill = self.prefill_shares[place]
        if prefill is None or total_usd is None:
            return Share(1.0, total_usd, None, None)
        return Share(1.0, total_usd, prefill * total_usd, (1 - prefill) * total_usd)

    def _share(self, prefill: float, decode: float) -> Share:
        share = prefill + decode
        if self.total_usd is None:
            return Share(share, None, None, None)
        if not self.phased:
            return Share(share, share * self.total_usd, None, None)
        return Share(share, share * self.total_usd, prefill * self.total_usd, decode * self.total_usd)


def allocate(
    log: RunLog,
    window: Window,
    sent: NDArray[np.bool_] | None,
    pools: Sequence[Mapping[str, Any]],
    total_usd: Usd,
) -> Allocation:
    """Shares a fleet's cost out: of each pool's, as much to each as of the work that was done there.

    So time that nobody used is shared in the same proportion, and so is a pool that did nothing. The work is that of
    all attempts at the requests of the window; `sent`: which they are, as `sim.result.attempts.attempts_of` has them.
    `pools`: the blocks of the pools, in their order; `total_usd`: the whole bill.
    """
    work_s = work_by_stream_s(log, window, sent)
    used = work_s.sum(axis=(1, 2))
    priced = all(pool["cost"]["total_usd"] is not None for pool in pools)
    paid = np.array([pool["cost"]["total_usd"] if priced else pool["replicas"]["gpu_hours"] for pool in pools], float)
    by_pool = np.divide(work_s, used[:, None, None], out=np.zeros_like(work_s), where=used[:, None, None] > 0)
    parts = np.tensordot(paid, by_pool, axes=1)
    told = float(parts.sum())
    phased = [law.s_per_service_s == 0 for law in log.work]
    return Allocation(
        parts / told if told > 0 else None,
        total_usd,
        all(known for known, work in zip(phased, used.tolist(), strict=True) if work > 0),
        tuple(
            float(pool[:, 0].sum()) if known and work > 0 else None
            for pool, known, work in zip(by_pool, phased, used.tolist(), strict=True)
        ),
    )


def work_by_stream_s(log: RunLog, window: Window, sent: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """Replica-seconds of work of the attempts that count, shape (pools, streams, 2): in prefill, in decoding."""
    if log.tally is not None:
        return log.tally.work_by_stream_s(log.work)
    work_s = np.zeros((len(log.pools), len(log.streams), 2))
    rows_from, rows_to = (window.first, window.last) if sent is None else (0, len(log.requests))
    for first in range(rows_from, rows_to, CHUNK_ROWS):
        chunk = slice(first, min(first + CHUNK_ROWS, rows_to))
        rows, calls = log.requests[chunk], None if log.calls is None else log.calls[chunk]
        for place, law in enumerate(log.work):
            for phase, each_s in enumerate(phases_of_attempts_s(law, rows, calls)):
                counted_s = each_s if sent is None else np.where(sent[chunk], each_s, 0.0)
                work_s[place, :, phase] += np.bincount(rows["stream"], weights=counted_s, minlength=len(log.streams))
    return work_s
