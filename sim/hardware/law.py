"""The law of iteration time as tables, whatever it comes from: given, calibrated, operator times or data sheets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.hardware.latency import Latency
from sim.hardware.precisions import alike
from sim.hardware.roofline import Pair
from sim.hardware.sheets import Calibration, Holds, OperatorTable

Floats = NDArray[np.float64]

Source = Literal["given", "calibrated", "operators", "roofline"]
SOURCES: tuple[Source, ...] = ("calibrated", "operators", "roofline")
"""Where a law that is not given may come from, most trusted first."""

TOKENS_MAX = 2**20
"""A table over the tokens of an iteration has at most this many rows."""

_USUAL_TOKENS = 1024
"""Context a sequence at which the time of kernels launched one by one is made linear in context."""


@dataclass(frozen=True, eq=False)
class IterationLaw:
    """Iteration time in seconds, `seqs_s[B] + tokens_s[P + B] + prefill_s_per_token*P + attention_s_per_token*C
    + square_s*S`, and `mixed_s` if P > 0.

    P: prompt tokens in the iteration; B: sequences that decode; C: the sum of their context tokens; S: the sum over
    prompts of `chunk * (2 * before + chunk)`. Linear in C at fixed B, so a batch that only decodes can be jumped over.
    """

    source: Source
    about: str
    """Where the figures come from, in words."""
    tokens_s: Floats
    """GPU time by tokens of the iteration, shape (max_batched_tokens + 1,); a single 0 when the law is given."""
    seqs_s: Floats
    """By decoding sequences, shape (max_num_seqs + 1,)."""
    attention_s_per_token: float
    prefill_s_per_token: float = 0.0
    square_s: float = 0.0
    mixed_s: float = 0.0
    overhead_s: float = 0.0
    """Outside the engine, added to the time to first token."""
    holds: Holds | None = None
    """The loads that a calibration was measured at, if it says."""
    lookahead: int = 0
    """1: a request admitted at a boundary joins one iteration later."""

    def iteration_s(self, prefill: int, seqs: int, context: float = 0.0, square: float = 0.0) -> float:
        """Seconds of one iteration."""
        seconds = self.seqs_s[seqs] + self.tokens_s[min(prefill + seqs, len(self.tokens_s) - 1)]
        seconds += self.prefill_s_per_token * prefill + self.attention_s_per_token * context
        return float(seconds + self.square_s * square + (self.mixed_s if prefill else 0.0))


def given(latency: Latency, seats: int) -> IterationLaw:
    """The law that a pool gives directly: linear in everything."""
    return IterationLaw(
        source="given",
        about="the pool's own 'latency'",
        tokens_s=np.zeros(1),
        seqs_s=np.asarray(latency.base_s + latency.decode_s_per_seq * np.arange(seats + 1), float),
        attention_s_per_token=latency.attention_s_per_token,
        prefill_s_per_token=latency.prefill_s_per_token,
        overhead_s=latency.overhead_s,
    )


def implied(
    pair: Pair, seats: int, max_batched_tokens: int, source: Source | None = None, verified: int = 1
) -> IterationLaw | str:
    """The law of a model on its GPUs: calibrated, else operator times, else data sheets; or why there is none.

    `source` asks for one of them. `verified` is the tokens of a decoding sequence in an iteration: more than one with
    speculative decoding, and then the head has as many to look at.
    """
    lacks = pair.missing()
    if lacks:
        return f"the GPU sheet '{pair.gpu.name}' lacks {lacks}, which iteration times are computed from"
    if max_batched_tokens > TOKENS_MAX:
        return f"iteration times are tabulated up to {TOKENS_MAX} tokens; max_batched_tokens is {max_batched_tokens}"
    calibration, table = calibration_of(pair), table_of(pair)
    used = table if source in (None, "operators") else None
    if calibration is not None and source in (None, "calibrated"):
        fitted = _calibrated(_roofline(pair, seats, max_batched_tokens, verified, None), calibration)
        least = int(np.argmin(fitted.seqs_s + fitted.tokens_s[: seats + 1]))
        if fitted.seqs_s[least] + fitted.tokens_s[least] <= 0:
            return (
                f"with the calibration of '{pair.model.name}', an iteration of {least} sequences takes no time: its "
                "iteration_s or seq_s is too far below 0"
            )
        return fitted
    if source in (None, "roofline") or (source == "operators" and table is not None):
        return _roofline(pair, seats, max_batched_tokens, verified, used)
    return (
        f"there are no {'measured runs' if source == 'calibrated' else 'operator times'} of '{pair.model.name}' in "
        f"{pair.precision} on {pair.gpus} x {pair.gpu.name} with engine '{pair.engine.name}'"
    )


def calibration_of(pair: Pair) -> Calibration | None:
    """The calibration of the model for this replica and engine, if there is one."""
    for row in pair.model.calibrations:
        if row.engine == pair.engine.name and _is_of(row, pair):
            return row
    return None


def table_of(pair: Pair) -> OperatorTable | None:
    """The table of operator times of the model for this replica, if there is one."""
    return next((row for row in pair.model.operators if _is_of(row, pair)), None)


def _is_of(row: Calibration | OperatorTable, pair: Pair) -> bool:
    return (
        (row.gpu, row.gpus_per_replica) == (pair.gpu.name, pair.gpus)
        and alike(row.precision, pair.precision)
        and alike(pair.model.kv_precision, pair.kv_precision)
        and not pair.expert_parallel
    )


def _roofline(
    pair: Pair, seats: int, max_batched_tokens: int, verified: int, table: OperatorTable | None
) -> IterationLaw:
    """The law from data sheets; with a table, its GPU time and attention from that."""
    engine = pair.engine
    tokens, seqs = np.arange(max_batched_tokens + 1.0), np.arange(seats + 1.0)
    sheets_s = pair.tokens_s(tokens)
    law = IterationLaw(
        source="roofline",
        about=f"data sheets of {pair.model.name} and {pair.gpu.name}, efficiencies of family '{pair.gpu.family}'",
        tokens_s=sheets_s,
        seqs_s=engine.o0_s
        + engine.seq_s(pair.model.vocabulary) * seqs
        + pair.head_s(seqs * verified)
        + pair.window_s() * seqs,
        attention_s_per_token=pair.attention_s_per_token(),
        prefill_s_per_token=pair.window_prefill_s(),
        square_s=pair.square_s(),
        mixed_s=engine.mixed_s_per_layer * pair.model.layers,
        overhead_s=engine.overhead_s,
        lookahead=int(engine.lookahead),
    )
    if table is not None:
        at = np.array(table.tokens, float)
        # the roofline's shape between the knots and beyond them
        head_s = pair.one_head_s()
        ratio = np.interp(tokens, at, np.array(table.device_s) / (pair.tokens_s(at) - head_s))
        law = replace(
            law,
            source="operators",
            about=table.source,
            # measured times wiggle by a few per cent; more tokens are never faster
            tokens_s=np.maximum.accumulate((sheets_s - head_s) * ratio) + head_s,
            attention_s_per_token=table.attention_s_per_token,
        )
    return _launched(law, pair.launch_s()) if pair.launch_s() else law


def _calibrated(law: IterationLaw, row: Calibration) -> IterationLaw:
    """The law from data sheets, corrected by what measured runs say."""
    return replace(
        law,
        source="calibrated",
        about=row.source,
        tokens_s=law.tokens_s * row.device_scale,
        seqs_s=law.seqs_s + row.iteration_s + row.seq_s * np.arange(len(law.seqs_s)),
        overhead_s=law.overhead_s if row.overhead_s is None else row.overhead_s,
        holds=row.holds,
    )


def _launched(law: IterationLaw, launch_s: float) -> IterationLaw:
    """With kernels launched one by one: the slower of device and launches, rounded at the corner.

    That is not linear in context: it is taken to be, with the right value at `_USUAL_TOKENS` a sequence.
    """
    seqs = np.arange(len(law.seqs_s))
    context = _USUAL_TOKENS * seqs
    bare_s = law.tokens_s[: len(seqs)]
    usual_s = bare_s + law.attention_s_per_token * context
    slope = law.attention_s_per_token * float(np.median(usual_s / np.hypot(usual_s, launch_s)))
    bent_s = np.hypot(usual_s, launch_s) - np.hypot(bare_s, launch_s) - slope * context
    return replace(
        law,
        tokens_s=np.hypot(law.tokens_s, launch_s),
        seqs_s=law.seqs_s + bent_s,
        attention_s_per_token=slope,
    )
