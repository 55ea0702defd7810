"""What benchmark files call models and GPUs, as names of the catalogue; an unsure name is none."""

from __future__ import annotations

import pytest

from sim.config import catalogue
from sim.study.fidelity.called import gpu_called, model_called


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", ("llama-3-8b", "")),
        ("meta-llama/Meta-Llama-3-8B", ("llama-3-8b", "")),
        ("/models/meta-llama/Llama-3.3-70B-Instruct/", ("llama-3-70b", "")),
        ("neuralmagic/Meta-Llama-3.1-70B-Instruct-FP8", ("llama-3-70b", "fp8")),
        ("meta-llama/Llama-2-7b-chat-hf", ("llama-2-7b", "")),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", ("mixtral-8x7b", "")),
        ("codellama/CodeLlama-34b-Instruct-hf", ("codellama-34b", "")),
        ("Qwen/Qwen2.5-7B-Instruct", ("qwen2.5-7b", "")),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", ("qwen3-30b-a3b", "")),
        ("Llama-4-Scout-17B-16E-Instruct-FP8-dynamic", None),
        ("Qwen/Qwen3-0.6B", None),
        ("meta-llama/Llama-3.2-3B", None),
        ("neuralmagic/Llama-2-70b-chat-quantized.w4a16", None),
        ("", None),
    ],
)
def test_models(text: str, name: tuple[str, str] | None) -> None:
    assert model_called(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("NVIDIA-H100-80GB-HBM3", "h100-sxm"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("H100", None),
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("NVIDIA A100-SXM4-40GB", "a100-40gb"),
        ("A100", None),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA L40", None),
        ("NVIDIA A10G", "a10g"),
        ("NVIDIA B200", "b200"),
        ("NVIDIA GB200", "gb200"),
        ("AMD Instinct MI300X", "mi300x"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "rtx-pro-6000"),
        ("", None),
    ],
)
def test_gpus(text: str, name: str | None) -> None:
    assert gpu_called(text) == name


def test_a_name_of_the_catalogue_is_itself() -> None:
    assert all(model_called(name) == (name, "") for name in catalogue.names(catalogue.MODELS))
    assert all(gpu_called(name) == name for name in catalogue.names(catalogue.GPUS))
