"""A Hugging Face config.json stands wherever a model may be named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sim.config.errors import ConfigError
from sim.hardware import ModelSheet
from sim.scenario import load
from tests.sheets import model

LLAMA_3_8B: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "bos_token_id": 128000,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 14336,
    "max_position_embeddings": 8192,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.40.0.dev0",
    "use_cache": True,
    "vocab_size": 128256,
}
QWEN3_30B = {
    "model_type": "qwen3_moe",
    "decoder_sparse_step": 1,
    "head_dim": 128,
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "mlp_only_layers": [],
    "moe_intermediate_size": 768,
    "num_attention_heads": 32,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 48,
    "num_key_value_heads": 4,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_sliding_window": False,
    "vocab_size": 151936,
}
MIXTRAL = {
    "model_type": "mixtral",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "num_local_experts": 8,
    "sliding_window": None,
    "torch_dtype": "bfloat16",
    "vocab_size": 32000,
}
GPT_OSS_20B = {
    "model_type": "gpt_oss",
    "head_dim": 64,
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "num_attention_heads": 64,
    "num_experts_per_tok": 4,
    "num_hidden_layers": 24,
    "num_key_value_heads": 8,
    "num_local_experts": 32,
    "quantization_config": {
        "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "lm_head"],
        "quant_method": "mxfp4",
    },
    "sliding_window": 128,
    "tie_word_embeddings": False,
    "vocab_size": 201088,
}
GEMMA_3_12B = {
    "architectures": ["Gemma3ForConditionalGeneration"],
    "model_type": "gemma3",
    "text_config": {
        "model_type": "gemma3_text",
        "head_dim": 256,
        "hidden_size": 3840,
        "intermediate_size": 15360,
        "num_attention_heads": 16,
        "num_hidden_layers": 48,
        "num_key_value_heads": 8,
        "sliding_window": 1024,
        "sliding_window_pattern": 6,
        "vocab_size": 262208,
    },
    "torch_dtype": "bfloat16",
}
SCOUT_FP8 = {
    "model_type": "llama4",
    "quantization_config": {
        "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
        "ignore": ["language_model.lm_head", "language_model.model.layers.0.self_attn.q_proj"],
        "quant_method": "compressed-tensors",
    },
    "text_config": {
        "model_type": "llama4_text",
        "head_dim": 128,
        "hidden_size": 5120,
        "interleave_moe_layer_step": 1,
        "intermediate_size": 8192,
        "intermediate_size_mlp": 16384,
        "num_attention_heads": 40,
        "num_experts_per_tok": 1,
        "num_hidden_layers": 48,
        "num_key_value_heads": 8,
        "num_local_experts": 16,
        "tie_word_embeddings": False,
        "vocab_size": 202048,
    },
}

SHAPE = ["layers", "hidden", "heads", "kv_heads", "head_dim", "vocabulary", "tied_embeddings", "precision"]
SHAPE += ["attention_precision", "gated", "sliding_window"]


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (LLAMA_3_8B, "llama-3-8b"),
        (QWEN3_30B, "qwen3-30b-a3b"),
        (MIXTRAL, "mixtral-8x7b"),
        (GPT_OSS_20B, "gpt-oss-20b"),
        (GEMMA_3_12B, "gemma-3-12b"),
        (SCOUT_FP8, "llama-4-scout-fp8"),
    ],
)
def test_a_config_says_what_our_sheet_says(config: dict[str, Any], name: str) -> None:
    read, ours = ModelSheet.model_validate(config), model(name)
    for key in SHAPE:
        assert getattr(read, key) == getattr(ours, key), key
    assert read.computed_parameters == ours.computed_parameters
    assert read.all_parameters == pytest.approx(ours.all_parameters, rel=0.03)
    assert read.moe_layers == ours.moe_layers


def test_what_a_config_leaves_out_is_its_architectures_default() -> None:
    left_out = ("head_dim", "vocab_size", "sliding_window_pattern")
    text = {key: value for key, value in GEMMA_3_12B["text_config"].items() if key not in left_out}
    read = ModelSheet.model_validate({**GEMMA_3_12B, "text_config": text})
    assert read == ModelSheet.model_validate(GEMMA_3_12B)


def test_a_window_that_is_not_said_to_be_on_is_off() -> None:
    qwen = {**LLAMA_3_8B, "model_type": "qwen2", "sliding_window": 4096}
    assert ModelSheet.model_validate(qwen).sliding_window is None
    assert ModelSheet.model_validate({**qwen, "use_sliding_window": True}).sliding_window is not None


@pytest.mark.parametrize(
    ("changes", "key", "value"),
    [
        ({"torch_dtype": "float16"}, "precision", "fp16"),
        ({"torch_dtype": "float32"}, "precision", "bf16"),
        ({"dtype": "float16", "torch_dtype": None}, "precision", "fp16"),
        ({"quantization_config": {"quant_method": "fp8"}}, "precision", "fp8"),
        ({"quantization_config": {"quant_method": "fbgemm_fp8"}}, "precision", "fp8"),
        ({"num_key_value_heads": None}, "kv_heads", 32),
        ({"head_dim": 64}, "head_dim", 64),
        ({"_name_or_path": "meta-llama/Meta-Llama-3-8B"}, "name", "Meta-Llama-3-8B"),
        ({}, "name", "llama"),
        ({"name": "ours"}, "name", "ours"),
        ({"kv_precision": "fp8"}, "kv_precision", "fp8"),
    ],
)
def test_single_fields(changes: dict[str, Any], key: str, value: Any) -> None:
    assert getattr(ModelSheet.model_validate({**LLAMA_3_8B, **changes}), key) == value


def test_a_window_of_all_layers_unless_it_is_off() -> None:
    config = {**LLAMA_3_8B, "model_type": "mistral", "sliding_window": 4096}
    window = ModelSheet.model_validate(config).sliding_window
    assert window is not None
    assert (window.tokens, window.layers) == (4096, 32)
    assert ModelSheet.model_validate({**config, "use_sliding_window": False}).sliding_window is None


def scenario(folder: Path, config: dict[str, Any], model_key: str = "config.json") -> Path:
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "s.yaml").write_text(
        "name: s\nhorizon: 1h\nworkload:\n  arrivals: {kind: poisson, rate: 5/s}\n"
        "  prompt_tokens: {kind: constant, value: 100}\n  output_tokens: {kind: constant, value: 10}\n"
        f"pools:\n  chat:\n    model: {model_key}\n    gpu: h100-sxm\n    autoscaler: {{replicas: 1}}\n"
    )
    return folder / "s.yaml"


def test_by_path_and_with_keys_laid_over_it(tmp_path: Path) -> None:
    pool = load(scenario(tmp_path, LLAMA_3_8B)).pools["chat"]
    assert pool.law.source == "roofline"
    assert pool.kv_tokens == pytest.approx(451_000, rel=0.01)
    over = load(scenario(tmp_path, LLAMA_3_8B, "{from: ./config.json, name: mine, kv_precision: fp8}")).pools["chat"]
    assert over.model is not None
    assert over.model.name == "mine"
    assert over.kv_tokens > 1.9 * pool.kv_tokens


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"num_key_value_heads": 5},
            "config.json:15:26: pools.chat.model.num_key_value_heads: must divide num_attention_heads (32); got 5",
        ),
        (
            {"num_attention_heads": 31, "num_key_value_heads": None},
            "config.json:13:26: pools.chat.model.num_attention_heads: must divide hidden_size (4096) where there is no "
            "head_dim; got 31",
        ),
        (
            {"hidden_size": "wide"},
            "config.json:8:18: pools.chat.model.hidden_size: the config.json needs a whole number there; got 'wide'",
        ),
        (
            {"model_type": "mamba2"},
            "config.json:12:17: pools.chat.model.model_type: 'mamba2' is an architecture that is not known here; "
            "known: gemma3, gemma3_text, gpt_oss, granite, llama, llama4, llama4_text, ministral, mistral, mistral3, "
            "mixtral, phi3, qwen2, qwen2_moe, qwen3, qwen3_moe, seed_oss; write a model sheet instead (`layers`, "
            "`hidden`, `heads` ...)",
        ),
        (
            {"num_key_value_heads": "8"},
            "config.json:15:26: pools.chat.model.num_key_value_heads: the config.json needs a whole number there; "
            "got '8'",
        ),
        (
            {"sliding_window_pattern": "x"},
            "config.json:25:29: pools.chat.model.sliding_window_pattern: the config.json needs a whole number there; "
            "got 'x'",
        ),
        (
            {"quantization_config": ["fp8"]},
            "config.json:25:3: pools.chat.model.quantization_config: must be a mapping; got ['fp8']",
        ),
        (
            {"quantization_config": {"quant_method": "awq"}},
            "config.json:25:3: pools.chat.model.quantization_config: weights quantised by 'awq' are not known here; "
            "known: fp8, mxfp4; write a model sheet instead",
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_place(
    changes: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scenario(tmp_path, {**LLAMA_3_8B, **changes})
    with pytest.raises(ConfigError) as caught:
        load("s.yaml")
    assert [str(problem) for problem in caught.value.problems] == [said]


def test_a_file_that_is_no_text_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scenario(tmp_path, LLAMA_3_8B)
    Path("config.json").write_bytes(b"\x80 no text")
    with pytest.raises(ConfigError) as caught:
        load("s.yaml")
    (problem,) = caught.value.problems
    assert str(problem) == "config.json:1:1: pools.chat.model: is not UTF-8 text (byte 0x80); save it as UTF-8"
