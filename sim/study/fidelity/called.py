"""What benchmark files call a model or a GPU, as names of the catalogue. Nothing is guessed: an unsure name is none."""

from __future__ import annotations

import re

from sim.config import catalogue

_IDLE_WORDS = (
    "meta",
    "instruct",
    "chat",
    "hf",
    "it",
    "base",
    "dynamic",
    "v0.1",
    "v0.2",
    "v0.3",
    "bf16",
    "fp16",
    "2507",
)
"""Parts of a model's name that do not change how fast it runs."""
_FAMILIES = (("llama-3.1-", "llama-3-"), ("llama-3.3-", "llama-3-"), ("llama3", "llama-3"), ("llama2", "llama-2"))
"""Versions of the same shape."""

_GPUS = (
    (r"gb200", "gb200"),
    (r"b200", "b200"),
    (r"h200", "h200"),
    (r"h100.*pcie", "h100-pcie"),
    (r"h100.*(sxm|hbm3)", "h100-sxm"),
    (r"a100.*80", "a100-80gb"),
    (r"a100.*40", "a100-40gb"),
    (r"a10g", "a10g"),
    (r"l40s", "l40s"),
    (r"\bl4\b", "l4"),
    (r"mi300x", "mi300x"),
    (r"rtx.*pro.*6000", "rtx-pro-6000"),
)
"""As drivers and tools spell them; a plain H100 may be either board."""


def model_called(text: str) -> tuple[str, str] | None:
    """Catalogue name and precision ('' for the model's own) of a model such as `meta-llama/Llama-3.1-8B-Instruct`."""
    words = text.rstrip("/").rpartition("/")[2].lower().replace("_", "-")
    known = catalogue.names(catalogue.MODELS)
    for fp8 in ("", "fp8"):
        plain = "-".join(word for word in words.split("-") if word not in (*_IDLE_WORDS, fp8))
        for old, new in _FAMILIES:
            plain = plain.replace(old, new)
        if plain in known:
            return plain, fp8
    return None


def gpu_called(text: str) -> str | None:
    """Catalogue name of a GPU such as `NVIDIA-H100-80GB-HBM3`."""
    words = re.sub(r"[\s_]+", "-", text.strip().lower())
    if words in catalogue.names(catalogue.GPUS):
        return words
    return next((name for pattern, name in _GPUS if re.search(pattern, words)), None)
