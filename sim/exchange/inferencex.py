"""InferenceX (InferenceMAX before): `agg_*.json`, one flat object a point; every latency in seconds."""

from __future__ import annotations

from typing import ClassVar

from sim.config.units import shown
from sim.exchange.base import Format, has, point_a_record
from sim.exchange.documents import Document, Fields
from sim.study.fidelity.measured import Measured, OperatingPoint, Spread

_PRECISIONS = {"fp8": "fp8", "bf16": "bf16", "fp16": "fp16", "mxfp4": "mxfp4"}
REQUESTS_PER_SEAT = 10
"""Requests that its runner sends for each one in flight; the file does not say."""


class InferenceX(Format):
    """One operating point an object: a closed loop, on one replica with tensor parallelism."""

    kind: ClassVar[str] = "inferencex"
    about: ClassVar[str] = "InferenceX or InferenceMAX, agg_*.json"

    @classmethod
    def fits(cls, document: Document) -> bool:
        first = document.first[0] if isinstance(document.first, list) and document.first else document.first
        return has(first, "infmax_model_prefix", "tput_per_gpu")

    @classmethod
    def read(cls, document: Document) -> Measured:
        return point_a_record(document, _point)


def _point(run: Fields, name: str) -> OperatingPoint:
    for key, plain in (
        ("disagg", (False, "false")),
        ("is_multinode", (False, "false")),
        ("spec_decoding", ("none", "")),
    ):
        if run.values.get(key) not in (None, *plain):
            run.refuse("calibrate takes one engine that does both prefill and decode, token by token", key)
    if run.values.get("dp_attention") not in (None, False, "false"):
        run.refuse("attention was not split over the GPUs: there is no law for that here", "dp_attention")
    for key in ("pp", "ep"):
        if (run.optional_count(key, least=1) or 1) > 1:
            run.refuse(f"there is no law for that here, got {shown(run.values[key])}", key)
    cap, gpus = run.count("conc", least=1), run.count("tp", least=1)
    output = run.number("osl", least=1)
    per_gpu = run.optional("output_tput_per_gpu")
    return OperatingPoint(
        name=name,
        file=run.file,
        format=InferenceX.kind,
        prompt_tokens=run.number("isl"),
        output_tokens=output,
        requests=REQUESTS_PER_SEAT * cap,
        max_in_flight=cap,
        achieved_per_s=None if per_gpu is None else per_gpu * gpus / output,
        ttft=_spread(run, "ttft"),
        tpot=_spread(run, "tpot"),
        itl=_spread(run, "itl"),
        e2e=_spread(run, "e2el"),
        model=run.text("model"),
        gpu=run.text("hw"),
        gpus_per_replica=gpus,
        precision=_PRECISIONS.get(run.text("precision").lower(), ""),
    )


def _spread(run: Fields, metric: str) -> Spread:
    return Spread(*(run.optional(f"{name}_{metric}") for name in ("mean", "median", "p99", "p90", "p95")))
