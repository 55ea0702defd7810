"""How much work requests are, in replica-seconds, and how much of it is to come: what only a clairvoyant knows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model.state import PoolSpec


class Work:
    """The work of one pool's requests by their time of arrival."""

    def __init__(self, arrival_s: NDArray[np.float64], work_s: NDArray[np.float64]) -> None:
        self._arrival_s = arrival_s
        self._before_s = np.concatenate(([0.0], np.cumsum(work_s)))

    def ahead(self, at_s: float, over_s: float) -> float:
        """Replica-seconds of work that arrive in [at_s, at_s + over_s), per second."""
        first, last = np.searchsorted(self._arrival_s, (at_s, at_s + over_s))
        return float(self._before_s[last] - self._before_s[first]) / over_s if over_s > 0 else 0.0


def work_s(spec: PoolSpec, requests: NDArray[Any]) -> NDArray[np.float64]:
    """Replica-seconds that each request takes of a replica that is as full as it can be, shape (len(requests),).

    A slot's share of its replica for the service. With batching: its tokens' share of iterations with every seat taken
    that its memory allows, at the mean context of all requests. No batch does better, so fewer replicas cannot do.
    """
    if not spec.batching:
        return np.asarray(requests["service_s"] / spec.seats)
    prompt, output = requests["prompt_tokens"].astype(float), requests["output_tokens"].astype(float)
    if not len(requests):
        return prompt
    context = float(np.average(prompt + 0.5 * output, weights=output))
    seats = max(1, min(spec.seats, int(spec.kv_capacity_tokens / max(context, 1.0))))
    seqs_s = 0.0 if spec.seqs_s is None else float(np.asarray(spec.seqs_s)[seats])
    tokens_s = np.asarray(spec.tokens_s)
    verified = seats * (1 + spec.drafted)
    step_s = spec.base_s + spec.decode_s_per_seq * seats + seqs_s + float(tokens_s[min(verified, len(tokens_s) - 1)])
    step_s += spec.attention_s_per_token * context * seats + spec.prefill_s_per_token * seats * spec.drafted
    new = np.maximum(prompt - requests["cached_tokens"], 0.0)
    # what a prompt token adds to an iteration, beside the tokens that are in it anyway
    most = len(tokens_s) - 1
    slope_s = (
        float(tokens_s[most] - tokens_s[min(verified, most)]) / max(most - verified, 1) if most > verified else 0.0
    )
    prefill_s = new * (spec.prefill_s_per_token + slope_s) + spec.prefill_s_per_token_sq * new * new
    return np.asarray(prefill_s + output / spec.tokens_per_step * (step_s / seats))
