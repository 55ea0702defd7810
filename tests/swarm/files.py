"""Data files that scenarios refer to, written into a folder: traces of every format, tables of rates and lengths."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tests.swarm.values import Drawer

FORMATS = ("plain", "plain gz", "plain parquet", "plain service", "azure", "burstgpt", "mooncake", "mooncake hashes")

MANIFESTS = (
    """apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: chat}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
  minReplicas: 1
  maxReplicas: 5
  metrics:
    - type: Pods
      pods: {metric: {name: vllm:num_requests_running}, target: {type: AverageValue, averageValue: "2"}}
""",
    """apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: chat}
spec:
  scaleTargetRef: {name: chat}
  minReplicaCount: 1
  maxReplicaCount: 4
  triggers:
    - type: prometheus
      metadata: {query: "sum(vllm:num_requests_waiting)", threshold: "3", serverAddress: "http://prometheus:9090"}
""",
    """apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: chat}
spec:
  template:
    metadata: {annotations: {autoscaling.knative.dev/min-scale: "1", autoscaling.knative.dev/max-scale: "5"}}
    spec: {containerConcurrency: 4, containers: [{image: chat}]}
""",
)
"""Of the systems whose files a scenario may name."""


class Files:
    """Those of one scenario, named by what they are and a number, so that the same draws give the same names."""

    def __init__(self, folder: Path, stem: str) -> None:
        self.folder, self.stem = folder, stem
        self.count = 0
        self.format = ""
        """Of the last trace."""

    def path(self, suffix: str) -> Path:
        self.count += 1
        return self.folder / f"{self.stem}-{self.count}{suffix}"

    def trace(self, drawer: Drawer) -> str:
        """A trace of some tens of requests."""
        rng = drawer.rng
        count = int(rng.integers(1, 60))
        at_s = np.cumsum(rng.choice([0, 0.25, 0.5, 1, 4] if drawer.ties else [0.0, 0.013, 0.37, 1.9, 3.1], count))
        prompt, output = rng.integers(1, 400, count), rng.integers(1, 60, count)
        service_s = rng.choice([0.25, 0.5, 2, 4] if drawer.ties else [0.0, 0.21, 0.9, 3.3], count)
        kind = str(rng.choice(FORMATS))
        self.format = kind.partition(" ")[0]
        if kind == "azure":
            start = np.datetime64("2023-11-16T18:00:00")
            stamps = [str(start + np.timedelta64(round(s * 1e6), "us")).replace("T", " ") for s in at_s]
            rows = [f"{stamp},{p},{o}" for stamp, p, o in zip(stamps, prompt, output, strict=True)]
            return self.csv("TIMESTAMP,ContextTokens,GeneratedTokens", rows)
        if kind == "burstgpt":
            rows = [
                f"{s:.0f},ChatGPT,{p},{o},{p + o},Conversation log"
                for s, p, o in zip(at_s, prompt, output, strict=True)
            ]
            return self.csv("Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type", rows)
        if kind.startswith("mooncake"):
            lines = []
            for s, p, o in zip(at_s, prompt, output, strict=True):
                line: dict[str, Any] = {
                    "timestamp": round(float(s) * 1000),
                    "input_length": int(p),
                    "output_length": int(o),
                }
                if kind.endswith("hashes"):
                    long = int(rng.integers(1, 4))
                    line |= {
                        "input_length": 512 * long,
                        "hash_ids": [*(7, 8, 9)[: long - 1], 10 + int(rng.integers(0, 4))],
                    }
                lines.append(json.dumps(line))
            path = self.path(".jsonl")
            path.write_text("\n".join(lines) + "\n")
            return str(path)
        columns = {"arrival_s": at_s}
        if kind != "plain service":
            columns |= {"prompt_tokens": prompt, "output_tokens": output}
        if kind == "plain service" or rng.random() < 0.7:
            columns |= {"service_s": service_s}
        if kind == "plain parquet":
            import pandas as pd

            path = self.path(".parquet")
            pd.DataFrame(columns).to_parquet(path, index=False)
            return str(path)
        rows = [",".join(map(repr, row)) for row in zip(*(c.tolist() for c in columns.values()), strict=True)]
        return self.csv(",".join(columns), rows, packed=kind.endswith("gz"))

    def table(self, drawer: Drawer, owner: str) -> str:
        """A table of rates over time (`at_s`, `per_s`), or of values and weights."""
        rng = drawer.rng
        if owner == "Curve":
            at_s = np.cumsum([0, *rng.choice([4, 8, 16, 60], 5)])
            return self.csv("at_s,per_s", [f"{s},{r}" for s, r in zip(at_s, [0.25, 2, 0, 1, 4, 0.5], strict=True)])
        if owner == "Histogram":
            values = np.cumsum(rng.integers(1, 40, 4))
            return self.csv("value,weight", [f"{v},{w}" for v, w in zip(values, rng.integers(1, 9, 4), strict=True)])
        if owner == "MonthlyFile":
            return self.csv("month,p50", [f"2026-{month:02d},{100 + month}" for month in range(1, 13)])
        rows = [f"2026-{1 + day // 28:02d}-{1 + day % 28:02d},{100 + day}" for day in range(300)]
        return self.csv("date,requests", rows)

    def manifest(self, drawer: Drawer) -> str:
        """What another system would be given to scale a fleet by."""
        path = self.path(".yaml")
        path.write_text(drawer.one_of(MANIFESTS))
        return str(path)

    def csv(self, head: str, rows: list[str], packed: bool = False) -> str:
        text = "\n".join([head, *rows]) + "\n"
        path = self.path(".csv.gz" if packed else ".csv")
        path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
        return str(path)


def all_files(keys: Any) -> list[str]:
    """The data files that a scenario refers to."""
    if isinstance(keys, dict):
        own = [value for key, value in keys.items() if key in ("trace", "file", "manifest") and isinstance(value, str)]
        return own + [path for value in keys.values() for path in all_files(value)]
    return [path for value in keys for path in all_files(value)] if isinstance(keys, list) else []
