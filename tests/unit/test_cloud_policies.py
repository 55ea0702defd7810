"""Laws of the cloud and LLM policies together: a resolved one loads again, memory is pure, picklable and bounded."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, TypeAdapter

from sim.autoscaling.clouds.aws import TargetTracking
from sim.autoscaling.clouds.aws_step import StepScaling
from sim.autoscaling.clouds.gcp_mig import GcpMig
from sim.autoscaling.observation import BUSY_SHARE, KV_USAGE, Observation, Phase, Pod, Query
from sim.autoscaling.serving.dynamo import DynamoPlanner
from sim.autoscaling.serving.wva import Wva

BUSY = {"metric": "busy_share", "target": "50%"}
WAITING = {
    "metric": "num_requests_waiting",
    "threshold": 40,
    "comparison": "GreaterThanThreshold",
    "steps": [{"lower": 0, "upper": 30, "adjustment": 1}, {"lower": 30, "adjustment": 4}],
}
LEAST = {
    "metric": "num_requests_waiting",
    "threshold": 20,
    "comparison": "LessThanThreshold",
    "adjustment_type": "PercentChangeInCapacity",
    "steps": [{"upper": 0, "adjustment": -10}],
}
POLICIES: dict[str, tuple[type[BaseModel], dict[str, Any]]] = {
    "aws tracking": (TargetTracking, {"metrics": [BUSY]}),
    "aws tracking of a group": (
        TargetTracking,
        {"style": "asg", "metrics": [BUSY, {"metric": "requests_total", "target": "120/min"}]},
    ),
    "aws steps": (StepScaling, {"policies": [WAITING, LEAST]}),
    "aws steps of a group": (StepScaling, {"style": "asg", "instance_warmup": "2m", "policies": [WAITING, LEAST]}),
    "gcp": (
        GcpMig,
        {
            "signals": [{"metric": "concurrency", "target": 8}],
            "scale_in_control": {"max_scaled_in_percent": "20%", "time_window": "5m"},
        },
    ),
    "dynamo, both loops": (
        DynamoPlanner,
        {"requests_per_s_per_replica": "2/s", "load_predictor": "kalman", "enable_load_scaling": True},
    ),
    "dynamo, easy": (DynamoPlanner, {"optimization_target": "latency", "kv_capacity_tokens": "100k"}),
    "wva v1": (Wva, {}),
    "wva v2": (Wva, {"version": "v2", "kv_capacity_tokens": "100k"}),
}


def made(name: str) -> Any:
    model, keys = POLICIES[name]
    return model.model_validate({"max_replicas": 20, **keys})


@pytest.mark.parametrize("name", POLICIES)
def test_a_resolved_policy_loads_again(name: str) -> None:
    policy = made(name)
    dumped = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert TypeAdapter(type(policy)).validate_python(dumped) == policy


def seen_at(rng: np.random.Generator, policy: Any, at_s: float, current: int) -> Observation:
    """A pool in any state: replicas on their way or failed, metrics of any size, some missing."""
    ready = max(current - int(rng.choice([0, 0, 0, 1, 2])), 0)
    phases: list[Phase] = ["ready"] * ready + list(rng.choice(["pending", "starting", "failed"], current - ready))

    def values(queries: list[Query], lost: float) -> dict[Query, float]:
        most = {KV_USAGE: 1.0, BUSY_SHARE: 1.0}
        return {query: float(rng.random() * most.get(query.metric, 90.0)) for query in queries if rng.random() > lost}

    each = [query for query in policy.queries if query.across == "each"]
    pods = tuple(Pod(i, phase, values(each, 0.01) if phase == "ready" else {}) for i, phase in enumerate(phases))
    pooled = values([query for query in policy.queries if query.across != "each"], 0.1)
    return Observation(at_s, current, ready, current - ready, pooled, pods if each else ())


@pytest.mark.parametrize("name", POLICIES)
def test_decisions_are_pure_within_bounds_and_remember_little(name: str) -> None:
    rng, policy = np.random.default_rng(4), made(name)
    memory, at_s, current, most_bytes = None, 0.0, policy.initial_replicas, []
    sizes = set()
    for _ in range(600):
        seen = seen_at(rng, policy, at_s, current)
        frozen = pickle.dumps(memory)
        decision, after = policy.decide(seen, memory)
        assert (decision, after) == policy.decide(seen, pickle.loads(frozen))
        assert pickle.dumps(memory) == frozen
        assert policy.min_replicas <= decision.replicas <= policy.max_replicas
        assert decision.reason
        next_s = at_s + policy.period_s if decision.next_s is None else decision.next_s
        assert next_s > at_s
        at_s, current, memory = next_s, decision.replicas, after
        sizes.add(current)
        most_bytes.append(len(pickle.dumps(memory)))
    assert len(sizes) > 1
    assert max(most_bytes[300:]) <= 1.3 * max(most_bytes[:300])
