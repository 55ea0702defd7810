"""A Hugging Face `config.json` as a model sheet: which of its fields say what."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

from sim.config.said import said

_LLAMA_LIKE = ("llama", "mistral", "qwen2", "qwen3", "phi3", "granite", "mistral3", "ministral", "seed_oss")
"""Gated feed-forward layers of `intermediate_size`, grouped-query attention, full attention unless a window is on."""

_OURS: tuple[tuple[str, str], ...] = (
    ("layers", "num_hidden_layers"),
    ("hidden", "hidden_size"),
    ("heads", "num_attention_heads"),
    ("vocabulary", "vocab_size"),
)

_GEMMA_3 = {"head_dim": 256, "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 262208}
_GEMMA_3 |= {"sliding_window": 4096, "sliding_window_pattern": 6}
_UNSAID: dict[str, dict[str, int]] = {
    "gemma3": _GEMMA_3,
    "gemma3_text": _GEMMA_3,
    "qwen2": {"use_sliding_window": False},
    "qwen3": {"head_dim": 128, "use_sliding_window": False},
}
"""What a config leaves out because it is its architecture's default, where that differs from what others imply
(huggingface/transformers, configuration_gemma3.py, _qwen2.py and _qwen3.py)."""


def is_config(given: Any) -> bool:
    """Whether a mapping is a Hugging Face config rather than one of our sheets."""
    return isinstance(given, Mapping) and ("model_type" in given or "architectures" in given)


def sheet(given: Mapping[str, Any], own_keys: Container[str]) -> dict[str, Any]:
    """The keys of a model sheet that a config implies; keys of ours laid over it (`from:`) stay as they are.

    Raises `said` complaints for architectures whose shape or speed is not that of the fields read.
    """
    kind = str(given.get("model_type") or "")
    text = given["text_config"] if isinstance(given.get("text_config"), Mapping) else given
    inside = str(text.get("model_type") or kind)
    known = {**dict.fromkeys(_LLAMA_LIKE, _dense), **_OTHERS}
    if inside not in known:
        what = f"'{inside}'" if inside else "a config without 'model_type'"
        raise said(
            f"{what} is an architecture that is not known here; known: {', '.join(sorted(known))}; "
            "write a model sheet instead (`layers`, `hidden`, `heads` ...)",
            "model_type",
        )
    text = {**_UNSAID.get(inside, {}), **{key: value for key, value in text.items() if value is not None}}
    made: dict[str, Any] = {ours: _number(text, theirs) for ours, theirs in _OURS}
    made["kv_heads"] = _number(text, "num_key_value_heads") if "num_key_value_heads" in text else made["heads"]
    if made["heads"] % made["kv_heads"]:
        raise said(f"must divide num_attention_heads ({made['heads']}); got {made['kv_heads']}", "num_key_value_heads")
    made["head_dim"] = _number(text, "head_dim") if "head_dim" in text else _head_dim(made)
    made["tied_embeddings"] = bool(text.get("tie_word_embeddings", given.get("tie_word_embeddings", False)))
    made |= known[inside](text)
    made |= _precisions(given, text)
    made["source"] = "Hugging Face config.json"
    made["name"] = str(given.get("_name_or_path") or "").rstrip("/").rpartition("/")[2] or inside
    # `sliding_window` is a number in a config and a mapping in a sheet
    return made | {
        key: value
        for key, value in given.items()
        if key in own_keys and (key != "sliding_window" or isinstance(value, Mapping))
    }


def _number(config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise said(f"the config.json needs a whole number there; got {value!r}", key)
    return value


def _head_dim(made: Mapping[str, Any]) -> int:
    hidden, heads = made["hidden"], made["heads"]
    if hidden % heads:
        raise said(f"must divide hidden_size ({hidden}) where there is no head_dim; got {heads}", "num_attention_heads")
    return int(hidden // heads)


def _window(config: Mapping[str, Any], layers: int) -> dict[str, Any]:
    tokens = config.get("sliding_window")
    if not tokens or not layers or config.get("use_sliding_window") is False:
        return {}
    return {"sliding_window": {"tokens": tokens, "layers": layers}}


def _windowed_layers(config: Mapping[str, Any]) -> int:
    """Layers with a sliding window: listed, or all of them."""
    kinds = config.get("layer_types")
    if isinstance(kinds, list):
        return sum(kind == "sliding_attention" for kind in kinds)
    layers = _number(config, "num_hidden_layers")
    if "sliding_window_pattern" not in config:
        return layers
    return layers - layers // _number(config, "sliding_window_pattern")


def _dense(config: Mapping[str, Any]) -> dict[str, Any]:
    return {"intermediate": _number(config, "intermediate_size"), **_window(config, _windowed_layers(config))}


def _gemma(config: Mapping[str, Any]) -> dict[str, Any]:
    return {"tied_embeddings": True, **_dense(config)}


def _mixtral(config: Mapping[str, Any]) -> dict[str, Any]:
    experts = {
        "count": _number(config, "num_local_experts"),
        "active": _number(config, "num_experts_per_tok"),
        "intermediate": _number(config, "intermediate_size"),
    }
    return {"experts": experts, **_window(config, _windowed_layers(config))}


def _qwen_moe(config: Mapping[str, Any]) -> dict[str, Any]:
    layers = _number(config, "num_hidden_layers")
    step = _number(config, "decoder_sparse_step") if "decoder_sparse_step" in config else 1
    named = config.get("mlp_only_layers", ())
    if not isinstance(named, list | tuple) or not all(isinstance(layer, int) for layer in named):
        raise said(f"must be a list of layers; got {named!r}", "mlp_only_layers")
    dense = set(named)
    sparse = sum(layer not in dense and (layer + 1) % step == 0 for layer in range(layers))
    experts = {
        "count": _number(config, "num_experts"),
        "active": _number(config, "num_experts_per_tok"),
        "intermediate": _number(config, "moe_intermediate_size"),
        "shared_intermediate": config.get("shared_expert_intermediate_size"),
        "layers": sparse,
    }
    if not sparse:
        return _dense(config)
    return {"intermediate": config.get("intermediate_size"), "experts": experts}


def _llama4(config: Mapping[str, Any]) -> dict[str, Any]:
    layers = _number(config, "num_hidden_layers")
    every = _number(config, "interleave_moe_layer_step") if "interleave_moe_layer_step" in config else 1
    width = _number(config, "intermediate_size")
    experts = {
        "count": _number(config, "num_local_experts"),
        "active": _number(config, "num_experts_per_tok"),
        "intermediate": width,
        "shared_intermediate": width,
        "layers": layers // every,
    }
    return {"intermediate": config.get("intermediate_size_mlp"), "experts": experts}


_OTHERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "gemma3": _gemma,
    "gemma3_text": _gemma,
    "gpt_oss": _mixtral,
    "llama4": _llama4,
    "llama4_text": _llama4,
    "mixtral": _mixtral,
    "qwen2_moe": _qwen_moe,
    "qwen3_moe": _qwen_moe,
}


def _precisions(given: Mapping[str, Any], text: Mapping[str, Any]) -> dict[str, Any]:
    """Formats of the weights: by the quantization, else by the dtype (float32 is served as bf16)."""
    quantization = given.get("quantization_config") or text.get("quantization_config")
    dtype = text.get("dtype") or text.get("torch_dtype") or given.get("dtype") or given.get("torch_dtype")
    plain = "fp16" if str(dtype).removeprefix("torch.") in ("float16", "half") else "bf16"
    if quantization is not None and not isinstance(quantization, Mapping):
        raise said(f"must be a mapping; got {quantization!r}", "quantization_config")
    if not quantization:
        return {"precision": plain}
    method = str(quantization.get("quant_method", "")).replace("fbgemm_", "")
    if method == "compressed-tensors" and _is_fp8(quantization):
        method = "fp8"
    if method not in ("fp8", "mxfp4"):
        raise said(
            f"weights quantised by '{method}' are not known here; known: fp8, mxfp4; write a model sheet instead",
            "quantization_config",
        )
    left = quantization.get("ignore") or quantization.get("modules_to_not_convert") or ()
    attention = {"attention_precision": plain} if any("self_attn" in str(name) for name in left) else {}
    return {"precision": method, **attention}


def _is_fp8(quantization: Mapping[str, Any]) -> bool:
    groups = quantization.get("config_groups")
    weights = [group.get("weights") for group in groups.values()] if isinstance(groups, Mapping) else []
    return bool(weights) and all(
        isinstance(kind, Mapping) and kind.get("num_bits") == 8 and kind.get("type") == "float" for kind in weights
    )
