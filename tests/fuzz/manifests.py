"""Manifests of autoscalers: read as a policy, as a block of a scenario, and written again with what stood in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sim.autoscaling.manifest_file import policy_node, read_manifest
from sim.exchange.manifests import difference, manifest_of
from sim.scenario import load
from tests.fuzz.reader import Reader
from tests.studies import SCENARIO

_SCALED = """\
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: chat, annotations: {fleetcast/controller: '{"sync_period": "15s", "start_replicas": 2}'}}
spec:
  scaleTargetRef: {name: chat}
  pollingInterval: 15
  cooldownPeriod: 300
  minReplicaCount: 1
  maxReplicaCount: 9
  idleReplicaCount: 0
  fallback: {failureThreshold: 3, replicas: 6}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {scaleUp: {policies: [{type: Percent, value: 100, periodSeconds: 15}]}}
  triggers:
    - type: prometheus
      metadata:
        serverAddress: http://prometheus:9090
        query: sum(avg_over_time(vllm:num_requests_waiting{model_name="m"}[1m]))
        threshold: "5"
        activationThreshold: "1"
    - type: cron
      metadata: {timezone: Europe/Berlin, start: 0 6 * * 1-5, end: 0 20 * * 1-5, desiredReplicas: "4"}
"""
_HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: chat
  annotations:
    fleetcast/queries: '{"ttft_p99": {"metric": "vllm:time_to_first_token_seconds", "how": "p99", "over": "5m"}}'
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
  minReplicas: 2
  maxReplicas: 12
  metrics:
    - type: Pods
      pods:
        metric: {name: "vllm:num_requests_waiting", selector: {matchLabels: {model_name: chat}}}
        target: {type: AverageValue, averageValue: "4"}
    - {type: External, external: {metric: {name: ttft_p99}, target: {type: Value, value: 800m}}}
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}
  behavior:
    scaleUp: {policies: [{type: Percent, value: 100, periodSeconds: 15}], tolerance: 50m}
    scaleDown: {stabilizationWindowSeconds: 60, selectPolicy: Min}
"""
_KNATIVE = """\
apiVersion: v1
kind: ConfigMap
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: chat}
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/class: kpa.autoscaling.knative.dev
        autoscaling.knative.dev/min-scale: "1"
        autoscaling.knative.dev/max-scale: "9"
        autoscaling.knative.dev/metric: concurrency
        autoscaling.knative.dev/target: "8.5"
        autoscaling.knative.dev/window: 1m30s
        autoscaling.knative.dev/panic-window-percentage: "20"
    spec: {containerConcurrency: 10, containers: [{image: example/vllm}]}
"""
_RAY = """\
applications:
  - name: app
    import_path: a:b
    deployments:
      - name: llm
        autoscaling_config: {min_replicas: 1, max_replicas: 9, target_ongoing_requests: 2, upscale_delay_s: 5}
"""
_RAY_SERVICE = "apiVersion: ray.io/v1\nkind: RayService\nmetadata: {name: llm}\nspec:\n  serveConfigV2: |\n" + "".join(
    f"    {line}\n" for line in _RAY.splitlines()
)


def seeds() -> Sequence[bytes]:
    """One of each family."""
    return [text.encode() for text in (_SCALED, _HPA, _KNATIVE, _RAY, _RAY_SERVICE)]


def _manifest(path: Path) -> object:
    found = read_manifest(path)
    return found.policy, policy_node(path)


def _like(path: Path) -> object:
    """`export autoscaler --like FILE`: the document is written again, with all else that stands in it."""
    found: Any = read_manifest(path)
    pools = {"main": {**SCENARIO["pools"]["main"], "autoscaler": {"manifest": str(path)}}}
    scenario = load({**SCENARIO, "pools": pools})
    return difference(found.document, manifest_of(scenario, "main", found.document), "before", "after")


READERS = (
    Reader("manifest", _manifest, seeds, "yaml", 4, "input.yaml"),
    Reader("manifest, in a scenario", _like, seeds, "yaml", 0.5, "input.yaml"),
)
