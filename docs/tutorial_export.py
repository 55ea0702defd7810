"""What a reader of the tutorial would already have: two weeks of a chat service in its Prometheus, and its HPA.

python -m docs.tutorial_export    # writes export.json and hpa.yaml into the current folder

The service has two pods of vLLM, a wave a day, quiet weekends, and one restart. Everything follows from one seed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEED = 20260105
STEP_S, STEPS = 900, 14 * 96
START_S = 1_767_571_200  # Monday 2026-01-05, 00:00 UTC
PODS = 2
ANSWER_S = 85
RESTART = {1: 700}
"""The step at which a pod's counters begin again at 0."""
BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""Buckets of vLLM's length histograms."""
LABELS = {"model_name": "llama-3-70b", "engine": "0", "namespace": "prod"}

HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: chat
  namespace: prod
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
  minReplicas: 2
  maxReplicas: 12
  metrics:
    - type: External
      external:
        metric: {name: vllm_num_requests_running}
        target: {type: AverageValue, averageValue: "16"}
  behavior:
    scaleDown:
      stabilizationWindowSeconds: 300
      policies:
        - {type: Percent, value: 50, periodSeconds: 60}
"""

Floats = NDArray[np.float64]


def rates() -> Floats:
    """Requests a second in each step: most at three in the afternoon, half as many at weekends."""
    at_h = np.arange(STEPS) * STEP_S / 3600
    day = 1 + 0.65 * np.cos((at_h % 24 - 15) / 24 * 2 * np.pi)
    return np.asarray(0.6 * day * np.where(at_h // 24 % 7 >= 5, 0.5, 1.1))


def export() -> list[dict[str, Any]]:
    """Answers to `query_range`, one a metric."""
    rng = np.random.default_rng(SEED)
    prompts = np.exp(rng.normal(6.6, 0.8, 20_000)).clip(1, 8000).round()
    outputs = rng.gamma(1.6, 800, 20_000).clip(1, 8000).round()
    series: dict[str, list[dict[str, Any]]] = {}

    def add(name: str, values: Floats, **labels: str) -> None:
        samples = [[START_S + (at + 1) * STEP_S, f"{value:.0f}"] for at, value in enumerate(values)]
        series.setdefault(name, []).append({"metric": {"__name__": name, **LABELS, **labels}, "values": samples})

    for pod in range(PODS):
        counts = rng.poisson(rates() / PODS * STEP_S)
        name = f"chat-{pod}"
        restart = RESTART.get(pod, STEPS)

        def grown(each_step: Floats, restart: int = restart) -> Floats:
            """A counter, which a restart sets to 0."""
            total = np.cumsum(each_step, axis=0)
            total[restart:] -= total[restart - 1]
            return total

        add("vllm:request_success_total", grown(counts.astype(float)), pod=name, finished_reason="stop")
        add("vllm:num_requests_running", np.round(rates() * ANSWER_S / PODS), pod=name)
        for what, lengths in (("prompt", prompts), ("generation", outputs)):
            shares = np.diff(np.searchsorted(np.sort(lengths), BOUNDS, side="right") / len(lengths), prepend=0.0)
            # every fourth hour is enough for a histogram of lengths
            buckets = np.cumsum(grown(rng.multinomial(counts, shares).astype(float)), axis=1)
            whole = f"vllm:request_{what}_tokens"
            for bound, column in zip((*map(str, BOUNDS), "+Inf"), (*buckets.T, buckets[:, -1]), strict=True):
                add(f"{whole}_bucket", column, pod=name, le=bound)
            add(f"{whole}_sum", grown(counts * lengths.mean()), pod=name)
            add(f"{whole}_count", grown(counts.astype(float)), pod=name)
    return [{"status": "success", "data": {"resultType": "matrix", "result": result}} for result in series.values()]


def main() -> None:
    lines = "".join(f"{json.dumps(answer)}\n" for answer in export())
    Path("export.json").write_text(lines, encoding="utf-8")
    Path("hpa.yaml").write_text(HPA, encoding="utf-8")


if __name__ == "__main__":
    main()
