"""Real documents in and out: round trips, what is kept of an original, and the place of everything that is wrong."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from sim.autoscaling.kubernetes.hpa import Hpa
from sim.autoscaling.kubernetes.hpa_metrics import Asked
from sim.autoscaling.kubernetes.keda import Keda
from sim.autoscaling.kubernetes.promql import UnknownQueryError, understood, written
from sim.autoscaling.manifest import ManifestError, policy_from
from sim.autoscaling.observation import BUSY_SHARE, KV_USAGE, WAITING
from tests.validation.reference import SHARED

HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: chat, labels: {team: serving}, annotations: {owner: someone}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
  minReplicas: 2
  maxReplicas: 12
  metrics:
    - type: Pods
      pods:
        metric: {name: "vllm:num_requests_waiting", selector: {matchLabels: {model_name: chat}}}
        target: {type: AverageValue, averageValue: "4"}
    - {type: External, external: {metric: {name: vllm_kv_cache_usage_perc}, target: {type: Value, value: 800m}}}
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}
  behavior:
    scaleUp: {policies: [{type: Percent, value: 100, periodSeconds: 15}], tolerance: 50m}
    scaleDown: {stabilizationWindowSeconds: 60, selectPolicy: Min}
status: {currentReplicas: 3}
"""
KEDA = """
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: chat}
spec:
  scaleTargetRef: {name: chat}
  pollingInterval: 15
  minReplicaCount: 1
  idleReplicaCount: 0
  fallback: {failureThreshold: 3, replicas: 6}
  advanced:
    restoreToOriginalReplicaCount: false
    horizontalPodAutoscalerConfig: {behavior: {scaleDown: {stabilizationWindowSeconds: 120}}}
  triggers:
    - type: prometheus
      metadata:
        serverAddress: http://prometheus:9090
        query: sum(vllm:num_requests_waiting{model_name="chat"})
        threshold: "4"
    - type: prometheus
      metricType: Value
      metadata:
        serverAddress: http://prometheus:9090
        query: histogram_quantile(0.95, sum(rate(vllm:time_to_first_token_seconds_bucket[5m])) by (le))
        threshold: "0.5"
        activationThreshold: "0.1"
        ignoreNullValues: "false"
    - {type: cron, metadata: {timezone: UTC, start: 0 6 * * *, end: 0 20 * * *, desiredReplicas: "4"}}
"""


def document(text: str, *path: str | int, value: Any = None) -> Any:
    """A document, with one value in it changed."""
    found = yaml.safe_load(text)
    if path:
        below = found
        for step in path[:-1]:
            below = below[step]
        below[path[-1]] = value
    return found


def problems(found: Any) -> dict[str, str]:
    with pytest.raises(ManifestError) as error:
        policy_from(found)
    return {".".join(map(str, at)): text for at, text in error.value.problems}


def test_an_hpa_is_read_as_it_is() -> None:
    policy = policy_from(document(HPA))
    assert isinstance(policy, Hpa)
    assert (policy.min_replicas, policy.max_replicas) == (2, 12)
    assert [(each.metric, each.type, each.target, each.origin) for each in policy.metrics] == [
        (WAITING, "AverageValue", 4.0, "pods"),
        (KV_USAGE, "Value", 0.8, "external"),
        (BUSY_SHARE, "Utilization", 80.0, "resource"),
    ]
    assert policy.behavior is not None
    up, down = policy.behavior.scale_up, policy.behavior.scale_down
    assert (up.tolerance, len(up.policies), up.stabilization_window_s) == (0.05, 1, 0.0)
    assert (down.stabilization_window_s, down.select_policy, down.policies[0].value) == (60.0, "Min", 100)


def test_a_scaled_object_is_read_as_it_is() -> None:
    policy = policy_from(document(KEDA))
    assert isinstance(policy, Keda)
    assert (policy.min_replicas, policy.idle_replicas, policy.max_replicas) == (1, 0, 100)
    assert (policy.polling_interval_s, policy.cooldown_period_s) == (15.0, 300.0)
    waiting, ttft, cron = policy.triggers
    assert waiting.model_dump(exclude_defaults=True) == {"metric": WAITING, "threshold": 4.0}
    assert (ttft.metric_spec.how, ttft.metric_spec.over_s, ttft.metric_spec.type) == ("p95", 300.0, "Value")
    assert (ttft.activation_threshold, ttft.ignore_null_values) == (0.1, False)
    assert cron.cron.desired_replicas == 4


@pytest.mark.parametrize("text", [HPA, KEDA])
def test_documents_come_back(text: str) -> None:
    original = document(text)
    policy: Any = policy_from(original)
    assert policy.to_manifest("other", like=original) == original
    assert original == document(text)
    assert policy_from(policy.to_manifest("chat")) == policy


@pytest.mark.parametrize("name", ["hpa_v2", "keda_scaledobject"])
def test_the_reference_examples_come_back(name: str) -> None:
    path = SHARED / "reference" / "schemas" / f"{name}.yaml"
    if not path.exists():
        pytest.skip(f"no ../shared/reference/schemas/{name}.yaml beside the checkout")
    original = yaml.safe_load(path.read_text())
    policy: Any = policy_from(original)
    assert policy.to_manifest("x", like=original) == original
    assert policy_from(policy.to_manifest("x")) == policy


def test_what_a_document_cannot_hold_is_noted_in_it() -> None:
    fields = {
        "metrics": [
            {"metric": "time_to_first_token_seconds", "how": "p99", "over": "2m", "target": 0.5, "type": "Value"},
            {"metric": WAITING, "target": 2, "across": "max", "source": "object", "how": "max", "over": "30s"},
        ],
        "sync_period": "30s",
        "start_replicas": 3,
        "tolerance": 0.2,
    }
    policy = Hpa.model_validate(fields)
    back = policy.to_manifest("chat")
    assert [next(iter(each.values())) for each in back["spec"]["metrics"]] == ["External", "Object"]
    assert policy_from(back) == policy
    night = {"start": "0 6 * * 1-5", "end": "0 20 * * *", "timezone": "Europe/Paris", "desired_replicas": 4}
    keda = Keda.model_validate(
        {
            "triggers": [{"cron": night}, {"metric": KV_USAGE, "type": "Value", "threshold": 0.123456789}],
            "run_starts": "2024-02-01",
            "sync_period": "20s",
            "behavior": {},
        }
    )
    assert policy_from(keda.to_manifest("chat")) == keda


def test_only_what_changed_is_written_into_the_original() -> None:
    original = document(HPA)
    policy = policy_from(original)
    assert isinstance(policy, Hpa)
    first = policy.metrics[0].model_copy(update={"target": 6.0})
    changed = policy.model_copy(update={"max_replicas": 20, "metrics": (first, *policy.metrics[1:]), "behavior": None})
    wanted = copy.deepcopy(original)
    wanted["spec"]["maxReplicas"] = 20
    del wanted["spec"]["behavior"]
    wanted["spec"]["metrics"][0]["pods"] = {
        "metric": {"name": "vllm_num_requests_waiting"},
        "target": {"type": "AverageValue", "averageValue": "6"},
    }
    assert changed.to_manifest("chat", like=original) == wanted


def test_what_no_document_can_hold_is_told_at_its_key() -> None:
    half = {"scale_up": {"stabilization_window": "500ms"}}
    policy = Hpa.model_validate(
        {"metrics": [{"metric": KV_USAGE, "type": "Utilization", "target": 80}], "behavior": half}
    )
    with pytest.raises(ManifestError) as error:
        policy.to_manifest("chat")
    assert [at for at, _ in error.value.problems] == [
        ("metrics", 0, "source"),
        ("behavior", "scale_up", "stabilization_window"),
    ]
    slow = Keda.model_validate({"triggers": [{"metric": WAITING, "threshold": 1}], "cooldown_period": "1500ms"})
    with pytest.raises(ManifestError, match="cooldown_period: Kubernetes counts whole seconds"):
        slow.to_manifest("chat")


METRIC = ("spec", "metrics", 1)
CONTAINER = {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "vllm"}}
MEMORY = {
    "type": "Resource",
    "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 5}},
}


@pytest.mark.parametrize(
    ("path", "value", "at", "text"),
    [
        (("spec", "maxReplica"), 5, "spec.maxReplica", "did you mean 'maxReplicas'"),
        (("spec", "maxReplicas"), "12", "spec.maxReplicas", "must be a whole number"),
        (("spec", "minReplicas"), 20, "spec.minReplicas", "must be at most max_replicas (12)"),
        (("spec", "metrics"), [], "spec.metrics", "is missing"),
        (METRIC, CONTAINER, "spec.metrics.1.containerResource", "is not simulated"),
        (METRIC, MEMORY, "spec.metrics.1.resource.name", "memory is not simulated"),
        ((*METRIC, "type"), "Pods", "spec.metrics.1.pods", "is missing"),
        (
            (*METRIC, "external", "target", "type"),
            "AverageValue",
            "spec.metrics.1.external.target.averageValue",
            "goal",
        ),
        ((*METRIC, "external", "target", "value"), "80%", "spec.metrics.1.external.target.value", "a quantity"),
        (
            (*METRIC, "external", "metric", "name"),
            "queue_depth",
            "spec.metrics.1.external.metric.name",
            "fleetcast/queries",
        ),
        (
            (*METRIC, "external", "metric", "name"),
            "vllm_prompt_tokens_total",
            "spec.metrics.1.external.metric.name",
            "needs a rate over a window",
        ),
        (
            (*METRIC, "external", "metric", "selector"),
            {"matchLabels": {"finished_reason": "stop"}},
            "spec.metrics.1.external.metric.selector.matchLabels",
            "selects by the label finished_reason",
        ),
        (
            ("spec", "behavior", "scaleUp", "policies", 0, "periodSeconds"),
            3600,
            "spec.behavior.scaleUp.policies.0.periodSeconds",
            "must be at most 1800",
        ),
        (("spec", "behavior", "scaleUp", "window"), 0, "spec.behavior.scaleUp.window", "no such key"),
        (("apiVersion",), "autoscaling/v1", "apiVersion", "'autoscaling/v1' is not one of autoscaling/v2"),
        (
            ("metadata", "annotations", "fleetcast/controller"),
            '{"sync": 1}',
            "metadata.annotations.fleetcast/controller",
            "no such key: sync",
        ),
    ],
)
def test_what_is_wrong_with_an_hpa(path: tuple[str | int, ...], value: Any, at: str, text: str) -> None:
    found = problems(document(HPA, *path, value=value))
    assert list(found) == [at]
    assert text in found[at]


TRIGGER = ("spec", "triggers", 0)


@pytest.mark.parametrize(
    ("path", "value", "at", "text"),
    [
        ((*TRIGGER, "metadata", "threshold"), 4, "spec.triggers.0.metadata.threshold", "must be text"),
        ((*TRIGGER, "metadata", "threshold"), "500m", "spec.triggers.0.metadata.threshold", "must be a number"),
        ((*TRIGGER, "metadata", "treshold"), "5", "spec.triggers.0.metadata.treshold", "no such key"),
        ((*TRIGGER, "metadata", "query"), "", "spec.triggers.0.metadata.query", "is missing"),
        ((*TRIGGER, "metadata", "query"), "sum(up)", "spec.triggers.0.metadata.query", "names up"),
        ((*TRIGGER, "metadata", "ignoreNullValues"), "maybe", "spec.triggers.0.metadata.ignoreNullValues", "'true'"),
        ((*TRIGGER, "type"), "kafka", "spec.triggers.0.type", "kafka is not simulated"),
        ((*TRIGGER, "useCachedMetrics"), True, "spec.triggers.0.useCachedMetrics", "is not simulated"),
        ((*TRIGGER, "metricType"), "Utilization", "spec.triggers.0.metricType", "must be AverageValue or Value"),
        (("spec", "triggers", 2, "metadata", "start"), "at six", "spec.triggers.2", "must be minute, hour"),
        (("spec", "idleReplicaCount"), 1, "spec.idleReplicaCount", "must be below min_replicas"),
        (("spec", "fallback", "behavior"), "currentReplicas", "spec.fallback.behavior", "use static"),
        (
            ("spec", "advanced", "scalingModifiers"),
            {"formula": "a + b"},
            "spec.advanced.scalingModifiers.formula",
            "is not simulated",
        ),
        (
            ("metadata", "annotations"),
            {"autoscaling.keda.sh/paused-replicas": "0"},
            "metadata.annotations.autoscaling.keda.sh/paused-replicas",
            "is not simulated",
        ),
    ],
)
def test_what_is_wrong_with_a_scaled_object(path: tuple[str | int, ...], value: Any, at: str, text: str) -> None:
    found = problems(document(KEDA, *path, value=value))
    assert list(found) == [at]
    assert text in found[at]


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = document(KEDA, *TRIGGER, "type", value="kafka")
    found["spec"]["fallback"]["behavior"] = "currentReplicas"
    assert set(problems(found)) == {"spec.triggers.0.type", "spec.fallback.behavior"}


def test_other_documents_are_refused() -> None:
    assert problems({"apiVersion": "apps/v1", "kind": "Deployment"}) == {
        "": "not the manifest of an autoscaler that is simulated: apps/v1/Deployment"
    }


def test_names_of_an_adapter_can_be_explained() -> None:
    found = document(HPA, *METRIC, "external", "metric", "name", value="ttft_p99")
    found["metadata"]["annotations"]["fleetcast/queries"] = (
        '{"ttft_p99": {"metric": "vllm:time_to_first_token_seconds", "how": "p99", "over": "5m"}}'
    )
    policy = policy_from(found)
    assert isinstance(policy, Hpa)
    assert policy.metrics[1].query.over_s == 300.0
    assert policy.to_manifest("chat", like=found) == found


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ('sum(vllm:num_requests_waiting{namespace="a", model_name=~"b.*"})', (WAITING, "last", 0.0, "sum")),
        ("avg(vllm_gpu_cache_usage_perc)", (KV_USAGE, "last", 0.0, "mean")),
        ("((max by (model_name) (vllm:num_requests_waiting)))", (WAITING, "last", 0.0, "max")),
        ("sum(avg_over_time(vllm:num_requests_waiting[1m30s])) or vector(0)", (WAITING, "mean", 90.0, "sum")),
        ("sum(rate(vllm:prompt_tokens_total[1m])) by (namespace)", ("vllm:prompt_tokens_total", "rate", 60.0, "sum")),
        (
            "sum(rate(vllm:inter_token_latency_seconds_sum[5m]))/sum(rate(vllm:inter_token_latency_seconds_count[5m]))",
            ("vllm:inter_token_latency_seconds", "mean", 300.0, "sum"),
        ),
        (
            'histogram_quantile(0.99, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket{job="x"}[2m])))',
            ("vllm:time_to_first_token_seconds", "p99", 120.0, "sum"),
        ),
    ],
)
def test_queries_that_are_understood(query: str, asked: tuple[str, str, float, str]) -> None:
    found = understood(query)
    fields = Asked.model_validate(found.asked)
    assert (fields.query.metric, fields.query.how, fields.query.over_s, fields.query.across) == asked
    assert found.zero_if_absent == ("vector(0)" in query)
    assert Asked.model_validate(understood(written(fields)).asked) == fields


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("vllm:num_requests_waiting", r"as in sum\(vllm:num_requests_waiting\)"),
        ("sum(vllm:num_requests_waiting) + sum(vllm:num_requests_running)", "is not a query that is simulated"),
        ("sum(vllm:num_requests_wating)", "did you mean 'vllm:num_requests_waiting'"),
        ("sum by (pod) (vllm:num_requests_waiting)", "groups by pod, which makes one value a pod"),
        ('sum(vllm:request_success_total{finished_reason="stop"})', "selects by the label finished_reason"),
        ("sum(vllm:num_requests_waiting{model_name=3})", "cannot be read"),
        ("sum(vllm:prompt_tokens_total)", r"it needs rate\(\)"),
        ("sum(rate(vllm:num_requests_waiting[1m]))", "it needs no rate"),
        ("sum(rate(vllm:prompt_tokens_total))", "needs a range"),
        ("sum(vllm:num_requests_waiting[1m])", "has a range but no function"),
        ("sum(irate(vllm:prompt_tokens_total[1m]))", r"uses irate\(\)"),
        ("min(vllm:num_requests_waiting)", "aggregates with min"),
        ("histogram_quantile(0.7, sum(rate(x_bucket[1m])) by (le))", "quantile 0.7"),
        ("sum(rate(a_sum[1m])) / sum(rate(b_count[1m]))", "divides two different series"),
        ("sum(((", "is not a query that is simulated"),
    ],
)
def test_queries_that_are_not(query: str, complaint: str) -> None:
    with pytest.raises(UnknownQueryError, match=complaint):
        understood(query)
