"""The law of iteration time: where it comes from, what it depends on, and that it behaves as physics does."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.config import catalogue
from sim.hardware import Calibration, EngineSheet, IterationLaw, Latency, ModelSheet, Pair, implied, split_problem
from sim.hardware import given as as_given
from sim.hardware.law import calibration_of, table_of
from sim.hardware.roofline import NARROW_WINDOW_TOKENS
from tests.sheets import BARE, engine, gpu, model, pair, plain

GPUS = catalogue.names(catalogue.GPUS)
MODELS = catalogue.names(catalogue.MODELS)


def law_of(of: Pair, seats: int = 256, budget: int = 8192, source: Any = None) -> IterationLaw:
    law = implied(of, seats, budget, source)
    assert isinstance(law, IterationLaw), law
    return law


def whole(law: IterationLaw) -> np.ndarray:
    """Seconds of decode iterations at 500 tokens of context a sequence, then of prefills."""
    decode = [law.iteration_s(0, seqs, 500 * seqs) for seqs in (1, 8, 64, 256)]
    return np.array([*decode, *(law.iteration_s(p, 0, 0, p * p) for p in (1, 100, 1000, 8000))])


def test_given_stays_linear_to_the_bit() -> None:
    latency = Latency(
        base_s=0.0156,
        prefill_s_per_token=5.58e-5,
        decode_s_per_seq=4.25e-5,
        attention_s_per_token=2.8e-8,
        overhead_s=0.005,
    )
    law = as_given(latency, 256)
    assert law.source == "given"
    assert (law.seqs_s == 0.0156 + 4.25e-5 * np.arange(257)).all()
    assert (law.tokens_s.tolist(), law.square_s, law.mixed_s, law.lookahead) == ([0.0], 0.0, 0.0, 0)
    assert law.iteration_s(100, 8, 9000) == pytest.approx(0.0156 + 100 * 5.58e-5 + 8 * 4.25e-5 + 9000 * 2.8e-8)


def test_a_gpu_without_fp8_widens_weights_and_quantises_nothing() -> None:
    """All that 8-bit weights change at one sequence is how many bytes are read."""
    card, sheet = gpu("a100-80gb"), model("llama-3-8b")
    both = [law_of(pair(sheet, 1, card, precision=precision), source="roofline") for precision in ("bf16", "fp8")]
    saved_s = both[0].iteration_s(0, 1) - both[1].iteration_s(0, 1)
    of = pair(sheet, 1, card)
    saved_bytes = sheet.attention_parameters + sheet.dense_parameters
    bandwidth = card.memory_bandwidth_bytes_per_s
    assert bandwidth is not None
    assert saved_s == pytest.approx(saved_bytes / (bandwidth * of.efficiency.memory_share), rel=1e-3)


@pytest.mark.parametrize(
    ("of", "source"),
    [
        (pair("llama-3-8b", 1, "h100-sxm", "vllm-0.15"), "calibrated"),
        (pair("llama-3-8b", 1, "h100-sxm", "vllm-0.11"), "calibrated"),
        (pair("llama-3-8b", 1, "h100-sxm", "vllm-2023"), "operators"),
        (pair("llama-3-8b", 1, "h100-sxm", "vllm-0.15", precision="fp16"), "calibrated"),
        (pair("llama-3-8b", 1, "h100-sxm", "vllm-0.15", precision="fp8"), "roofline"),
        (pair("llama-3-8b", 1, "h100-sxm", "vllm-0.15", kv_precision="fp8"), "roofline"),
        (pair("llama-3-8b", 4, "h100-sxm", "vllm-0.15"), "roofline"),
        (pair("llama-3-70b", 4, "h100-sxm", "vllm-0.15"), "operators"),
        (pair("llama-3-70b", 4, "mi300x", "vllm-0.15"), "roofline"),
        (pair("mixtral-8x7b", 2, "h100-sxm", "vllm-0.15"), "calibrated"),
        (pair("mixtral-8x7b", 2, "h100-sxm", "vllm-0.15", expert_parallel=True), "roofline"),
        (pair("llama-4-scout-fp8", 2, "h100-sxm", "vllm-0.15"), "calibrated"),
    ],
)
def test_the_most_trusted_source_there_is(of: Pair, source: str) -> None:
    law = law_of(of)
    assert law.source == source
    assert law.about
    assert law_of(of, source="roofline").source == "roofline"
    rows = {"calibrated": calibration_of(of), "operators": table_of(of)}
    for name, row in rows.items():
        found = implied(of, 256, 8192, name)  # type: ignore[arg-type]
        assert isinstance(found, str) == (row is None)


def test_an_asked_for_source_that_is_not_there_is_said() -> None:
    of = pair("llama-3-70b", 4, "mi300x", "vllm-0.15")
    rest = "of 'llama-3-70b' in bf16 on 4 x mi300x with engine 'vllm-0.15'"
    assert implied(of, 256, 8192, "calibrated") == f"there are no measured runs {rest}"
    assert implied(of, 256, 8192, "operators") == f"there are no operator times {rest}"


def test_what_a_gpu_sheet_lacks_is_said() -> None:
    bare = gpu("h100-sxm").model_copy(update={"bf16_flops": None, "interconnect": None})
    assert implied(pair("llama-3-8b", 1, bare), 1, 1) == (
        "the GPU sheet 'h100-sxm' lacks bf16_flops, which iteration times are computed from"
    )
    said = implied(pair("llama-3-8b", 2, bare), 1, 1)
    assert "lacks bf16_flops, interconnect," in str(said)
    assert "tabulated up to 1048576 tokens" in str(implied(pair("llama-3-8b", 1, "h100-sxm"), 1, 10**9))


def test_by_hand_memory_bound() -> None:
    """One sequence of Llama 3 8B on an H100: weights once over, 32 layers, the head."""
    law = law_of(pair("llama-3-8b", 1, "h100-sxm"), source="roofline")
    layers = 32 * 4096 * 128 * 80 + 32 * 3 * 4096 * 14336
    head = 128256 * 4096
    weights_s = 2 * (layers + head) / (3.35e12 * 0.873)
    assert law.tokens_s[1] == pytest.approx(weights_s + 32 * 31e-6 + 20 * 32 * 4096 / (3.35e12 * 0.873), rel=1e-3)
    assert law.attention_s_per_token == pytest.approx(131072 / (3.35e12 * 0.88))


def test_by_hand_compute_bound() -> None:
    law = law_of(pair("llama-3-8b", 1, "h100-sxm"), source="roofline")
    layers = 32 * 4096 * 128 * 80 + 32 * 3 * 4096 * 14336
    products_s = 2 * layers * 8192 / (989e12 * 0.79)
    moved_s = 20 * 32 * 4096 * 8192 / (3.35e12 * 0.873)
    assert law.tokens_s[8192] == pytest.approx(products_s + moved_s, rel=0.02)
    assert law.square_s == pytest.approx(2 * 32 * 32 * 128 / (989e12 * 0.375))


def test_the_host_is_the_engines() -> None:
    bare, full = (law_of(pair("llama-3-70b", 4, "h200", by), source="roofline") for by in (BARE, "vllm-0.15"))
    host = engine("vllm-0.15")
    a_sequence_s = host.o1_s + 128256 * host.o1_s_per_vocabulary_token
    np.testing.assert_allclose(full.seqs_s - bare.seqs_s, host.o0_s + a_sequence_s * np.arange(257), rtol=1e-9)
    assert (full.tokens_s == bare.tokens_s).all()
    assert full.mixed_s == pytest.approx(80 * 18e-6)
    assert (full.overhead_s, full.lookahead) == (host.overhead_s, 1)
    assert (bare.overhead_s, bare.lookahead, bare.mixed_s) == (0.0, 0, 0.0)


def test_a_sequence_costs_more_with_a_larger_vocabulary() -> None:
    for text in ("roofline", "operators"):
        for name, vocabulary in (("llama-2-70b", 32_000), ("llama-3-8b", 128_256)):
            plain_s, more_s = (
                law_of(pair(name, 2, "h100-sxm", BARE.model_copy(update=update)), source=text).seqs_s
                for update in ({}, {"o1_s_per_vocabulary_token": 1e-10})
            )
            np.testing.assert_allclose(more_s - plain_s, 1e-10 * vocabulary * np.arange(257), atol=1e-15)
    given = {"o0": 0, "o1": "3us", "o1_per_vocabulary_token": "0.1ns"}
    assert EngineSheet.model_validate(given).seq_s(32_000) == pytest.approx(6.2e-6)
    for older in ("vllm-0.11", "vllm-2023"):  # fitted with one constant
        assert engine(older).seq_s(32_000) == engine(older).seq_s(250_880) == engine(older).o1_s


def test_calibration_corrects_the_roofline() -> None:
    of = pair("llama-3-8b", 1, "h100-sxm", "vllm-0.15")
    row = calibration_of(of)
    assert row is not None
    law, sheets = law_of(of), law_of(of, source="roofline")
    np.testing.assert_allclose(law.tokens_s, sheets.tokens_s * row.device_scale)
    np.testing.assert_allclose(law.seqs_s, sheets.seqs_s + row.seq_s * np.arange(257))
    assert law.overhead_s == sheets.overhead_s
    seven = pair("llama-3-8b", 1, "h100-sxm", "vllm-0.11")
    assert law_of(seven).overhead_s == pytest.approx(0.01963)
    assert law_of(seven).seqs_s[0] == pytest.approx(engine("vllm-0.11").o0_s - 2.303e-5)


def test_a_table_is_met_at_its_knots() -> None:
    of = pair("llama-3-70b", 8, "h100-sxm")
    row = table_of(of)
    assert row is not None
    law = law_of(of)
    at = np.array(row.tokens)
    np.testing.assert_allclose(law.tokens_s[at] - of.one_head_s(), row.device_s, rtol=1e-9)
    assert law.attention_s_per_token == row.attention_s_per_token
    assert law.square_s == of.square_s()


def test_llama_2_70b_runs_on_the_tables_of_llama_3_70b_but_for_its_head() -> None:
    old, new = (law_of(pair(name, 4, "h100-sxm"), source="operators") for name in ("llama-2-70b", "llama-3-70b"))
    assert (new.tokens_s > old.tokens_s).all()
    np.testing.assert_allclose(np.diff(new.tokens_s), np.diff(old.tokens_s), atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_more_work_takes_longer_and_the_total_is_never_negative(name: str) -> None:
    for card in ("h100-sxm", "a100-80gb", "l4"):
        for gpus in (1, 2, 8):
            if split_problem(model(name), gpu(card), gpus):
                continue
            for by in catalogue.names(catalogue.ENGINES):
                law = law_of(pair(name, gpus, card, by))
                # shapes like SwiGLU mixtures reach every expert soon: flat there, never falling
                assert (np.diff(law.tokens_s) >= -1e-12).all()
                seqs = np.arange(257)
                decode = law.tokens_s[seqs] + law.seqs_s[seqs]
                assert (decode[1:] > 0).all()
                assert law.attention_s_per_token > 0
                assert (decode + law.attention_s_per_token * 300 * seqs)[-1] > decode[1]


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(MODELS),
    card=st.sampled_from(GPUS),
    gpus=st.sampled_from([1, 2, 4, 8]),
    by=st.sampled_from(catalogue.names(catalogue.ENGINES)),
    better=st.sampled_from(["memory_bandwidth_bytes_per_s", "bf16_flops", "fp8_flops", "link"]),
    factor=st.floats(1.01, 10),
)
def test_a_better_gpu_is_never_slower(name: str, card: str, gpus: int, by: str, better: str, factor: float) -> None:
    sheet = gpu(card)
    if split_problem(model(name), sheet, gpus):
        return
    if better == "link":
        assert sheet.interconnect is not None
        faster = {"bandwidth_bytes_per_s": sheet.interconnect.bandwidth_bytes_per_s * factor}
        changed = {"interconnect": sheet.interconnect.model_copy(update=faster)}
    else:
        changed = {better: (getattr(sheet, better) or 0) * factor or None}
    one = law_of(pair(name, gpus, card, by), source="roofline")
    other = law_of(pair(name, gpus, sheet.model_copy(update=changed), by), source="roofline")
    slack = 0.01 if by == "vllm-2023" else 1e-12  # made linear in context, there
    assert (whole(other) <= whole(one) * (1 + slack)).all()


@pytest.mark.parametrize("name", ["llama-3-70b", "mixtral-8x7b", "qwen3-32b"])
def test_more_gpus_are_faster_on_large_models_and_never_cheaper(name: str) -> None:
    times = [whole(law_of(pair(name, gpus, "h200"), source="roofline")) for gpus in (1, 2, 4, 8)]
    for fewer, more in itertools.pairwise(times):
        assert (more[[3, 7]] < fewer[[3, 7]]).all(), "a full batch and a long prefill gain from GPUs"
        assert (2 * more > fewer).all(), "twice the GPUs never do more than twice the work"


@pytest.mark.parametrize("name", ["llama-3-70b", "mixtral-8x22b"])
def test_eight_bits_are_faster_where_weights_are_what_is_read(name: str) -> None:
    wide, narrow = (law_of(pair(name, 4, "h100-sxm", precision=kind), source="roofline") for kind in ("bf16", "fp8"))
    assert narrow.tokens_s[64] < wide.tokens_s[64]
    # without 8-bit arithmetic the weights are still half as long, but nothing is computed faster
    ampere = {kind: law_of(pair(name, 4, "a100-80gb", precision=kind), source="roofline") for kind in ("bf16", "fp8")}
    assert ampere["fp8"].tokens_s[1] < ampere["bf16"].tokens_s[1]
    assert ampere["fp8"].tokens_s[8192] == pytest.approx(ampere["bf16"].tokens_s[8192], rel=0.005)


def test_few_tokens_reach_few_experts() -> None:
    law = law_of(pair("qwen3-30b-a3b", 1, "h100-sxm"), source="roofline")
    every = model("qwen3-30b-a3b")
    assert every.experts is not None
    at_once_s = 2 * every.experts.count * every.expert_parameters / (3.35e12 * 0.873)
    grown_s = law.tokens_s[256] - law.tokens_s[1]
    assert grown_s == pytest.approx(at_once_s * (1 - every.experts.active / every.experts.count), rel=0.1)
    agreeing = BARE.model_copy(update={"moe_draws_power": 0.5})
    assert law_of(pair("qwen3-30b-a3b", 1, "h100-sxm", agreeing), source="roofline").tokens_s[64] < law.tokens_s[64]


def test_whole_experts_wait_for_the_busiest_gpu() -> None:
    sliced, parallel = (
        law_of(pair("qwen3-30b-a3b", 4, "h100-sxm", expert_parallel=whole), source="roofline")
        for whole in (False, True)
    )
    assert (parallel.tokens_s[1:256] > sliced.tokens_s[1:256]).all()
    assert parallel.tokens_s[8192] == pytest.approx(sliced.tokens_s[8192], rel=1e-6)


def test_every_expert_held_in_eight_bits_costs_the_engine_something() -> None:
    each_s = 3e-6
    stepping = BARE.model_copy(update={"moe_s_per_8bit_expert": each_s})
    for gpus, precision, experts in ((4, "fp8", 32), (8, "fp8", 16), (4, "bf16", 0)):
        without, with_it = (
            law_of(pair("qwen3-235b-a22b", gpus, "h200", by, precision=precision, expert_parallel=True))
            for by in (BARE, stepping)
        )
        assert with_it.tokens_s - without.tokens_s == pytest.approx(94 * experts * each_s, rel=1e-9)


def test_blackwell_multiplies_four_bit_experts_without_the_engine_widening_them() -> None:
    slow = BARE.model_copy(update={"moe_memory_share": 0.1, "moe_s_per_layer": 1e-3})
    for card, name, same in (
        ("b200", "gpt-oss-120b", True),
        ("b200", "qwen3-30b-a3b", False),
        ("h100-sxm", "gpt-oss-120b", False),
    ):
        one, other = (law_of(pair(name, 1, card, by)) for by in (BARE, slow))
        assert (one.tokens_s == other.tokens_s).all() == same


def test_experts_attain_no_more_of_the_memory_than_other_products() -> None:
    eager = BARE.model_copy(update={"moe_memory_share": 1.0})
    one, other = (law_of(pair("mixtral-8x7b", 2, "a100-80gb", by)) for by in (BARE, eager))
    assert (one.tokens_s == other.tokens_s).all()


def test_windows() -> None:
    full = model("gemma-3-12b").model_copy(update={"sliding_window": None})
    narrow, without = (law_of(pair(sheet, 1, "h100-sxm")) for sheet in ("gemma-3-12b", full))
    assert narrow.attention_s_per_token == pytest.approx(without.attention_s_per_token * 8 / 48)
    # past the window, a windowed model is the cheaper; at it, they are alike
    for context, at_most in ((NARROW_WINDOW_TOKENS, 1.0 + 1e-9), (8 * NARROW_WINDOW_TOKENS, 0.99)):
        assert narrow.iteration_s(0, 16, 16 * context) <= at_most * without.iteration_s(0, 16, 16 * context)
    window = {"sliding_window": {"tokens": 4096, "layers": 32}}
    wide = ModelSheet.model_validate({**plain(catalogue.MODELS, "mistral-7b"), **window})
    assert (
        law_of(pair(wide, 1, "h100-sxm")).attention_s_per_token
        == law_of(pair("mistral-7b", 1, "h100-sxm")).attention_s_per_token
    )


def test_long_prompts_attend_to_a_narrow_window_only() -> None:
    """Gemma 3: 52 of 62 layers look back 1024 tokens, so a prompt of 32k has a sixth of the attention and a bit."""
    narrow, card = model("gemma-3-27b"), gpu("h100-sxm")
    full = law_of(pair(narrow.model_copy(update={"sliding_window": None}), 1, card), source="roofline")
    law = law_of(pair(narrow, 1, card), source="roofline")
    assert law.square_s == pytest.approx(full.square_s * 10 / 62)
    tokens, window = 32768, 1024
    own_s = law.square_s * tokens**2 + law.prefill_s_per_token * tokens
    exact_s = full.square_s * (10 * tokens**2 + 52 * (window**2 + 2 * window * (tokens - window))) / 62
    assert exact_s <= own_s <= 1.03 * exact_s
    assert full.prefill_s_per_token == 0.0


def test_kernels_launched_one_by_one_hide_small_batches() -> None:
    graphs = law_of(pair("llama-2-70b", 8, "a100-80gb"), source="roofline")
    singly = law_of(
        pair("llama-2-70b", 8, "a100-80gb", engine("vllm-2023").model_copy(update={"o1_s": 0.0})), source="roofline"
    )
    launch_s = 80 * 0.5e-3
    for seqs in (1, 16, 64):
        context = 1024 * seqs
        expected = np.hypot(graphs.tokens_s[seqs] + graphs.attention_s_per_token * context, launch_s)
        head_s = graphs.seqs_s[seqs]
        assert singly.iteration_s(0, seqs, context) == pytest.approx(expected + head_s)
    assert singly.attention_s_per_token < graphs.attention_s_per_token


def test_laws_do_not_share_state() -> None:
    law = law_of(pair("llama-3-8b", 1, "h200"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        law.source = "given"  # type: ignore[misc]


def test_a_calibration_cannot_make_time_stand_still() -> None:
    row = {"gpu": "h100-sxm", "gpus_per_replica": 1, "engine": "vllm-0.15", "experiments": 1, "source": "mine"}
    sheet = model("llama-3-8b").model_copy(update={"calibrations": (Calibration(**row, seq_s=-1e-4),)})
    law = implied(pair(sheet, 1, "h100-sxm", "vllm-0.15"), 256, 8192)
    assert isinstance(law, str)
    assert "an iteration of 256 sequences takes no time" in law
