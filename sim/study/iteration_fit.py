"""An iteration log beside the roofline: each row a time to match, without any simulation."""

from __future__ import annotations

import math

import numpy as np

from sim.hardware import IterationLaw
from sim.study.measured import Floats, Iterations

NOISE = 0.05
"""Of one iteration, as a share."""
ROWS_MAX = 400
"""A log counts as this many independent rows at most: neighbours are alike."""


class IterationFit:
    """One log. Time is linear in what is fitted: `theta` is (overhead_s, device_scale, seq_s, iteration_s)."""

    def __init__(self, log: Iterations, law: IterationLaw) -> None:
        self.log = log
        seqs = log.decode_seqs.astype(int)
        tokens = (log.prefill_tokens + log.decode_seqs).astype(int)
        self.device_s = np.interp(tokens, np.arange(len(law.tokens_s)), law.tokens_s)
        self.rest_s = np.interp(seqs, np.arange(len(law.seqs_s)), law.seqs_s)
        self.rest_s = self.rest_s + law.attention_s_per_token * log.context_tokens
        # prompts are taken as new and one an iteration: the log does not say how many tokens went before
        self.rest_s = self.rest_s + law.square_s * log.prefill_tokens**2 + law.mixed_s * (log.prefill_tokens > 0)
        rows = len(log.seconds)
        self.sd_s = NOISE * log.seconds * math.sqrt(max(rows / ROWS_MAX, 1.0))

    def predicted_s(self, theta: Floats) -> Floats:
        """Seconds of each iteration, shape (rows,)."""
        _, scale, seq, iteration = theta
        return np.asarray(scale * self.device_s + self.rest_s + iteration + seq * self.log.decode_seqs)

    def errors(self, theta: Floats) -> Floats:
        """In standard deviations, shape (rows,)."""
        return np.asarray((self.predicted_s(theta) - self.log.seconds) / self.sd_s)

    def means(self, theta: Floats) -> tuple[float, float]:
        """Measured and predicted, on average."""
        return float(self.log.seconds.mean()), float(self.predicted_s(theta).mean())
