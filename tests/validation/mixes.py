"""A workload for which two GPU types together are cheaper than either alone: short chat, and long documents.

At list prices an A100 decodes short requests for less money than a B200, and a B200 reads long prompts for half the
money of an A100.
"""

from __future__ import annotations

from typing import Any

from sim.config import catalogue
from sim.config.loader import read_file
from sim.hardware import GpuSheet
from sim.scenario import Scenario, load
from sim.study.purchased.fleets import Make

POOL: dict[str, Any] = {
    "model": "llama-3-8b",
    "gpu": "a100-80gb",
    "replica": {"kind": "batching", "max_num_seqs": 256, "max_batched_tokens": 8192},
    "autoscaler": {"kind": "fixed", "replicas": 8},
}
SLO = [
    {"metric": "ttft", "under": "1s", "share": "99%", "class": "chat"},
    {"metric": "tpot", "under": "80ms", "share": "99%", "class": "chat"},
    {"metric": "ttft", "under": "4s", "share": "95%", "class": "documents"},
]


def chat_and_documents(scale: float, horizon: str = "90s", warmup: str = "30s") -> Scenario:
    """At scale 1: 700 chats a second and 16 documents."""

    def law(mean: float, cv: float, **limits: float) -> dict[str, Any]:
        return {"kind": "lognormal", "mean": mean, "cv": cv, **limits}

    streams = {
        "chat": {
            "arrivals": {"kind": "poisson", "rate": f"{700 * scale}/s"},
            "prompt_tokens": law(80, 0.6, max=600),
            "output_tokens": law(150, 0.7, max=1000),
        },
        "documents": {
            "arrivals": {"kind": "poisson", "rate": f"{16 * scale}/s"},
            "prompt_tokens": law(7000, 0.3, min=2000, max=16000),
            "output_tokens": law(30, 0.5, max=200),
        },
    }
    told = {name: {**stream, "pool": "chat", "class": name} for name, stream in streams.items()}
    return load(
        {
            "name": "chat-and-documents",
            "seed": 3,
            "horizon": horizon,
            "warmup": warmup,
            "workload": {"streams": told},
            "pools": {"chat": POOL},
            "slo": SLO,
        }
    )


def make(gpu: str) -> Make:
    """One GPU of the catalogue to a replica."""
    file = catalogue.find(catalogue.GPUS, gpu)
    assert file is not None
    return Make(GpuSheet.model_validate(read_file(file).plain()), 1)
