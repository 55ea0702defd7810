"""Continuous batching as processor sharing whose speed depends on the number served.

Source: Cohen, "The multiple phase service network with generalized processor sharing" (Acta Informatica 12, 1979).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from sim.theory.chains import BirthDeath


def batching(
    arrivals_per_s: float,
    mean_tokens: float,
    base_s: float,
    decode_s_per_seq: float,
    max_num_seqs: int,
    room: int | None = None,
) -> BirthDeath:
    """Continuous batching as processor sharing: n sequences get n tokens in `base_s + n * decode_s_per_seq` seconds.

    The limit of many tokens a request, without prefill. While nobody waits (`max_num_seqs` beyond reach, or `room` =
    `max_num_seqs`) the law of the output lengths does not matter, only its mean; with a line outside it is exact for
    memoryless lengths.
    """

    return iteration_chain(
        arrivals_per_s, mean_tokens, lambda n: base_s + n * decode_s_per_seq, max_num_seqs=max_num_seqs, room=room
    )


def iteration_chain(
    arrivals_per_s: float,
    iterations: float,
    iteration_s: Callable[[int], float],
    *,
    max_num_seqs: int,
    room: int | None = None,
) -> BirthDeath:
    """The same for any law of iteration time: a request takes `iterations`, each as long as the batch makes it.

    With prompts, `iteration_s` is the mean over iterations, the prefill of those who come in for those who leave
    included. How requests gather while one long prefill holds up the batch is left out.
    """
    known = functools.cache(iteration_s)

    def leave_per_s(n: int) -> float:
        batch = min(n, max_num_seqs)
        return batch / (known(batch) * iterations)

    return BirthDeath(arrivals_per_s, leave_per_s, max_num_seqs, room)
