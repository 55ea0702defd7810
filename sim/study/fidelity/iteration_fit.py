"""An iteration log beside a law: each row a time to match, without any simulation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import DataError, Problem
from sim.hardware import IterationLaw
from sim.hardware.law import TOKENS_MAX
from sim.study.fidelity.measured import Floats, Iterations
from sim.study.fidelity.setting import Setting

NOISE = 0.05
"""Of one iteration, as a share."""
ROWS_MAX = 400
"""A log counts as this many independent rows at most: neighbours are alike."""


def law_for(log: Iterations, setting: Setting) -> IterationLaw:
    """The setting's law, its tables long enough for the batches of a log. Raises DataError if none can be."""
    most = float((log.prefill_tokens + log.decode_seqs).max(initial=0))
    if most > TOKENS_MAX:
        raise DataError(Problem(f"has an iteration of {most:,.0f} tokens; at most {TOKENS_MAX:,}", "", log.file))
    seqs = max(setting.replica.seats, int(log.decode_seqs.max(initial=0)))
    tokens = max(setting.replica.max_batched_tokens, seqs, int((log.prefill_tokens + log.decode_seqs).max(initial=0)))
    largest = {"max_num_seqs": seqs, "max_batched_tokens": tokens}
    return replace(setting, replica=setting.replica.model_copy(update=largest)).law()


def times_s(log: Iterations, law: IterationLaw, device_scale: float = 1.0) -> Floats:
    """Seconds of each iteration, shape (rows,), with the GPU's time multiplied.

    Prompts are taken as new and one an iteration: the log does not say how many tokens went before.
    """
    seqs = np.minimum(log.decode_seqs.astype(int), len(law.seqs_s) - 1)
    tokens = np.minimum((log.prefill_tokens + log.decode_seqs).astype(int), len(law.tokens_s) - 1)
    seconds = device_scale * law.tokens_s[tokens] + law.seqs_s[seqs] + law.attention_s_per_token * log.context_tokens
    seconds += law.prefill_s_per_token * log.prefill_tokens + law.square_s * log.prefill_tokens**2
    return np.asarray(seconds + law.mixed_s * (log.prefill_tokens > 0))


class IterationFit:
    """One log. Time is linear in what is fitted: `theta` is (overhead_s, device_scale, seq_s, iteration_s)."""

    def __init__(self, log: Iterations, law: IterationLaw) -> None:
        self.log = log
        self.rest_s = times_s(log, law, 0.0)
        self.device_s = times_s(log, law) - self.rest_s
        rows = len(log.seconds)
        self.sd_s = NOISE * log.seconds * math.sqrt(max(rows / ROWS_MAX, 1.0))

    def predicted_s(self, theta: Floats) -> Floats:
        """Seconds of each iteration, shape (rows,)."""
        _, scale, seq, iteration = theta
        return np.asarray(scale * self.device_s + self.rest_s + iteration + seq * self.log.decode_seqs)

    def errors(self, theta: Floats) -> Floats:
        """In standard deviations, shape (rows,)."""
        return np.asarray((self.predicted_s(theta) - self.log.seconds) / self.sd_s)


def by_batch(log: Iterations) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Iterations of like batches, shape (rows,) each: by powers of two of the sequences, those with prefill apart."""
    name = Path(log.file).name
    power = np.ceil(np.log2(np.maximum(log.decode_seqs, 1.0))).astype(int)
    for mixed in (False, True):
        for step in sorted(set(power.tolist())):
            rows = (power == step) & ((log.prefill_tokens > 0) == mixed)
            if rows.any():
                seqs = f"{2 ** (step - 1) + 1}-{2**step}" if step > 1 else str(2**step)
                yield f"{name}:{seqs} sequence{'s' if step else ''}{', with prefill' if mixed else ''}", rows
