"""What theory says of one batching replica: how long its iterations are with so many sequences, and what it can serve.

A mean-field picture: with n sequences in the batch, n / (iterations a request takes) requests end in each iteration,
and as many come in, whose prompts it prefills. Left out are preemption, what the prefix cache saves, and how requests
gather behind a long prompt: the capacity is some per cent off where prompts take most of the time, and too high where
KV memory is so short that requests lose their place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim.result.twin.traffic import Work
from sim.scenario import Pool
from sim.scenario.replica import Batching
from sim.workload.demand import KV_BLOCK_TOKENS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Engine:
    """A replica of a pool, and what its requests ask for on average."""

    pool: Pool
    work: Work
    prefills: bool = True
    """False: prompts come with their KV cache, from a pool that prefills."""
    decodes: bool = True
    """False: answers are decoded in another pool."""

    @property
    def replica(self) -> Batching:
        assert isinstance(self.pool.replica, Batching)
        return self.pool.replica

    @property
    def prompt(self) -> float:
        """Tokens of a prompt to prefill."""
        return self.work.prefilled if self.prefills else 0.0

    @property
    def _a_step(self) -> float:
        speculation = self.replica.speculation
        return 1.0 if speculation is None else speculation.tokens_per_step

    @property
    def iterations(self) -> float:
        """That a request takes, from its place in the batch to its last token."""
        return max(self.work.output / self._a_step, 1.0) if self.decodes else 1.0

    @property
    def held_tokens(self) -> float:
        """KV memory of a sequence, on average over its time in the batch: long answers are there longer."""
        made = self.work.output_square / (2 * self.work.output) if self.decodes and self.work.output > 0 else 0.0
        return self.work.prompt + made

    @property
    def room(self) -> int:
        """Sequences for which there is KV memory."""
        tokens = self.held_tokens + (KV_BLOCK_TOKENS / 2 if self.pool.kv_capacity_tokens is None else 0)
        free = self.pool.kv_tokens * (1 - self.replica.watermark)
        return max(int(min(free / tokens, 1e9)), 1) if tokens > 0 else 10**9

    @property
    def seats(self) -> int:
        """Sequences that are in the batch at most."""
        return min(self.replica.seats, self.room)

    @cached_property
    def _by_batch(self) -> tuple[Floats, Floats, Floats]:
        """By sequences in the batch, from 0: mean seconds of an iteration, of one that prefills, requests a second."""
        told = [self._iteration(n) for n in range(self.seats + 1)]
        mean_s, prefilling_s, per_s = (np.array(column) for column in zip(*told, strict=True))
        return mean_s, prefilling_s, np.maximum.accumulate(per_s)

    def _iteration(self, n: int) -> tuple[float, float, float]:
        ends = n / self.iterations
        budget = self.replica.max_batched_tokens - n * self.replica.verified * self.decodes
        if self.prompt * ends > budget:  # prompts do not fit: those who decode are fewer
            ends = budget / self.prompt if self.prompt > 0 else ends
        tokens = ends * self.prompt
        # requests end at random, so some iterations prefill none; a long prompt takes several
        share = min(max(-math.expm1(-ends), tokens / budget if budget > 0 else 1.0), 1.0) if tokens > 0 else 0.0
        plain_s = self._seconds(n, 0.0, 0.0)
        if share == 0:
            return plain_s, plain_s, ends / plain_s if plain_s > 0 else 0.0
        kept = 1 - (1 - self.prompt / self.work.prompt) ** 2 if self.work.prompt > 0 else 0.0
        squares = ends * self.work.prompt_square * kept
        prefilling_s = self._seconds(n, tokens / share, squares / share)
        mean_s = (1 - share) * plain_s + share * prefilling_s
        return mean_s, prefilling_s, ends / mean_s if mean_s > 0 else 0.0

    def _seconds(self, n: int, prefill: float, square: float) -> float:
        """Of an iteration in which n sequences decode and so many prompt tokens are prefilled."""
        law, replica = self.pool.law, self.replica
        decoding = n if self.decodes else 0
        drafted = decoding * (replica.verified - 1)
        seconds = float(law.seqs_s[min(decoding, len(law.seqs_s) - 1)])
        at = min(prefill + decoding + drafted, len(law.tokens_s) - 1)
        low = int(at)
        high = min(low + 1, len(law.tokens_s) - 1)
        seconds += float(law.tokens_s[low] + (at - low) * (law.tokens_s[high] - law.tokens_s[low]))
        seconds += law.prefill_s_per_token * (prefill + drafted) + law.square_s * square
        seconds += law.attention_s_per_token * decoding * self.held_tokens
        if replica.speculation is not None and decoding:
            seconds += replica.speculation.draft_tokens * replica.speculation.draft_s
        return seconds + (law.mixed_s if prefill > 0 else 0.0)

    @property
    def capacity_per_s(self) -> float:
        """Requests a second that it can serve for ever, prompts and answers of mean length."""
        return float(self._by_batch[2][-1])

    @property
    def limited_by(self) -> str:
        """What keeps it from serving more, in words."""
        rates = self._by_batch[2]
        n = int(np.argmax(rates >= rates[-1] * (1 - 1e-9)))
        if self.prompt * (n + 1) / self.iterations > self.replica.max_batched_tokens - n * self.replica.verified:
            return f"prompts: {self.replica.max_batched_tokens} tokens an iteration"
        if n < self.seats:
            return f"the time of iterations, from {n} sequences in a batch on"
        if self.room < self.replica.seats:
            return f"KV memory, which holds {self.room} sequences of {self.held_tokens:.0f} tokens"
        return f"max_num_seqs: {self.replica.seats} sequences in a batch"

    def leave_per_s(self, n: int) -> float:
        """Requests a second that end with n there."""
        return float(self._by_batch[2][min(n, self.seats)])

    def running(self, rate_per_s: float) -> float:
        """Sequences in the batch at this rate of requests, below capacity."""
        rates = self._by_batch[2]
        high = int(np.searchsorted(rates, rate_per_s))
        if high == 0:
            return 0.0
        if high > self.seats:
            return float(self.seats)
        below, above = float(rates[high - 1]), float(rates[high])
        found = high - 1 + (rate_per_s - below) / (above - below)
        # few sequences: a request that comes alone finds the batch with itself in it
        alone = rate_per_s / float(rates[1]) if rates[1] > 0 else found
        return max(found, min(alone, 1.0)) if high == 1 else found

    def iteration_s(self, n: float) -> float:
        """Mean seconds of an iteration with n sequences."""
        return float(np.interp(n, np.arange(self.seats + 1), self._by_batch[0]))

    def prefill_s(self, n: float) -> float:
        """From the start of the iterations that prefill a prompt of mean length to the end of the last."""
        if not self.prompt > 0:
            return self.iteration_s(n)
        around = int(min(round(n), self.seats))
        budget = max(self.replica.max_batched_tokens - around * self.replica.verified * self.decodes, 1)
        others = self.prompt * around / self.iterations
        times = max(math.ceil(self.prompt / budget), 1)
        tokens = min(self.prompt + others, budget * times) / times
        return times * self._seconds(around, tokens, self.work.prompt_square / times)

    def behind_prompts_s(self, n: float, rate_per_s: float) -> float:
        """Wait for prompts that came before, if they come as a Poisson process: one server that prefills (M/G/1).

        It is what counts where prompts take several iterations; shorter ones share theirs.
        """
        around = int(min(round(n), self.seats))
        budget = max(self.replica.max_batched_tokens - around * self.replica.verified * self.decodes, 1)
        if not self.prompt > 0 or not self.work.prompt > 0:
            return 0.0
        token_s = self._seconds(around, budget, budget * self.work.prompt) / budget
        load = rate_per_s * self.prompt * token_s
        square = self.work.prompt_square * (self.prompt / self.work.prompt) ** 2
        return rate_per_s * square * token_s**2 / (2 * (1 - load)) if load < 1 else 0.0

    def prompt_share(self, n: float) -> float:
        """Share of the time that prefill adds."""
        mean_s = self.iteration_s(n)
        return 1 - self._seconds(round(n), 0.0, 0.0) / mean_s if mean_s > 0 else 0.0

    def residual_s(self, n: float) -> float:
        """Until the iteration that is under way ends, for somebody who comes in the middle of one."""
        mean_s, prefilling_s = self.iteration_s(n), float(np.interp(n, np.arange(self.seats + 1), self._by_batch[1]))
        plain_s = self._seconds(round(n), 0.0, 0.0)
        if prefilling_s <= plain_s:
            return mean_s / 2
        share = min(max((mean_s - plain_s) / (prefilling_s - plain_s), 0.0), 1.0)
        return ((1 - share) * plain_s**2 + share * prefilling_s**2) / (2 * mean_s)
