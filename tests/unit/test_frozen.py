"""Changed copies of models that work out values once."""

from __future__ import annotations

from typing import Any

from sim.autoscaling import Hpa
from sim.scenario import load

SCENARIO: dict[str, Any] = {
    "name": "copied",
    "seed": 1,
    "horizon": "20m",
    "workload": {"arrivals": {"kind": "poisson", "rate": "4/s"}, "service": {"kind": "exponential", "mean": "1s"}},
    "pools": {
        "chat": {
            "replica": {"kind": "slots"},
            "queue": {"kind": "central"},
            "autoscaler": {
                "kind": "hpa",
                "max_replicas": 3,
                "metrics": [{"metric": "num_requests_running", "target": 0.5}],
            },
        }
    },
}


def test_a_policy_that_has_run_obeys_the_bounds_of_its_copy() -> None:
    """The HPA works its controller out once: a copy with other bounds has another one."""
    policy = load(SCENARIO).pools["chat"].autoscaler
    assert isinstance(policy, Hpa)
    assert policy.controller.max_replicas == 3
    assert policy.model_copy(update={"max_replicas": 7}).controller.max_replicas == 7


def test_a_pool_with_another_boot_boots_by_it() -> None:
    pool = load(SCENARIO).pools["chat"]
    assert pool.stages.is_instant
    other = load({**SCENARIO, "pools": {"chat": {**SCENARIO["pools"]["chat"], "boot": {"node": "60s"}}}})
    assert not pool.model_copy(update={"boot": other.pools["chat"].boot}).stages.is_instant
