"""Queues in the scenario: what the model is told of them, and what cannot be is said at its place."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sim import load, simulate
from sim.config.errors import ConfigError
from sim.fleet import queueing
from sim.model.specs import ClassLimit
from sim.scenario import Scenario
from tests.laws import chat

POOL = {
    "latency": {"base_s": 0.01, "prefill_s_per_token": 1e-4, "decode_s_per_seq": 1e-3, "attention_s_per_token": 1e-6},
    "kv_capacity_tokens": "400k",
    "autoscaler": {"kind": "fixed", "replicas": 1},
}
CLASSES = {"paid": {"priority": 0, "weight": 4}, "free": {"priority": 1}}
TWO = {"a": {"class": "paid", "tenant": "acme"}, "b": {"class": "free", "tenant": "globex"}}


def scenario(queue: dict[str, Any], streams: dict[str, dict[str, Any]] = TWO, **said: Any) -> Scenario:
    workload = {"streams": {name: chat(**own) for name, own in streams.items()}}
    if any("class" in own for own in streams.values()):
        said = {"classes": CLASSES, **said}
    return load({"name": "x", "horizon": "1m", "workload": workload, "pools": {"p": {**POOL, "queue": queue}}, **said})


def test_a_plain_queue_is_first_come_first_served() -> None:
    told = queueing.told(scenario({}, {"a": {}}), "p")
    assert told == {
        "order": "fcfs",
        "preemptive": False,
        "aging_s": math.inf,
        "fair_tenants": False,
        "max_waiting_tokens": None,
        "silent": False,
        "retry_after_s": 0.0,
        "class_limits": (),
    }


def test_what_is_said_reaches_the_model() -> None:
    queue = {
        "order": "priority", "aging": "30s", "preemptive": True, "max_waiting_tokens": "20k", "retry_after": "5s",
        "classes": {"free": {"max_waiting": 7, "max_waiting_tokens": 900}},
        "shed": {"kind": "load", "at": {"free": 4, "paid": 16}},
    }  # fmt: skip
    told = queueing.told(scenario(queue), "p")
    assert (told["order"], told["aging_s"], told["preemptive"], told["max_waiting_tokens"]) == (
        "priority", 30.0, True, 20_000,
    )  # fmt: skip
    assert told["class_limits"] == (ClassLimit(shed_at=16.0), ClassLimit(7, 900, 4.0))
    assert (told["shed"], told["retry_after_s"]) == ("load", 5.0)
    delay = queueing.told(scenario({"shed": {"kind": "codel", "target": "200ms"}}), "p")
    assert (delay["shed"], delay["target_s"], delay["interval_s"]) == ("codel", 0.2, 1.0)


def test_the_longest_wait_is_what_the_slo_says() -> None:
    slo = [
        {"metric": "ttft", "under": "3s", "share": 0.9},
        {"metric": "queue_wait", "under": "2s", "share": 0.9},
        {"metric": "ttft", "under": "5s", "share": 0.9, "class": "free"},
        {"metric": "ttft", "under": "1s", "share": 0.9, "tenant": "acme"},
        {"metric": "e2e", "under": "1s", "share": 0.9},
    ]
    limits = queueing.told(scenario({"shed": {"kind": "estimated_wait"}}, slo=slo), "p")["class_limits"]
    assert [limit.shed_at for limit in limits] == [2.0, 5.0]
    own = queueing.told(scenario({"shed": {"kind": "estimated_wait", "limit": {"paid": "1s"}}}, slo=slo), "p")
    assert [limit.shed_at for limit in own["class_limits"]] == [1.0, 5.0]
    nobody = queueing.told(scenario({"shed": {"kind": "estimated_wait"}}, {"a": {}}, slo=slo[:1]), "p")
    assert nobody["class_limits"] == (ClassLimit(shed_at=3.0),)


def test_without_classes_all_requests_are_of_the_default_one() -> None:
    for shed in ({"kind": "estimated_wait", "limit": {"default": "1s"}}, {"kind": "load", "at": {"default": 1}}):
        assert queueing.told(scenario({"shed": shed}, {"a": {}}), "p")["class_limits"] == (ClassLimit(shed_at=1.0),)


PATIENT = {"a": {"class": "paid"}, "b": {"class": "free", "clients": {"total_timeout": "9s"}}}


@pytest.mark.parametrize(
    ("queue", "streams", "key", "words"),
    [
        ({"preemptive": True}, TWO, "preemptive", "needs 'order: priority'"),
        ({"aging": "3s", "order": "weighted_fair"}, TWO, "aging", "needs 'order: priority'"),
        ({"order": "priority", "aging": "3s"}, {"a": {}}, "aging", "no stream carries a class"),
        ({"order": "priority", "preemptive": True}, {"a": {"class": "paid"}}, "preemptive", "every class has priority"),
        ({"order": "weighted_fair"}, {"a": {}}, "order", "there are not two of them"),
        ({"fair": "tenants"}, {"a": {"tenant": "acme"}}, "fair", "there are not two of them"),
        ({"fair": "tenants", "order": "weighted_fair"}, TWO, "fair", "shares between classes already"),
        ({"fair": "tenants", "order": "priority", "aging": "3s"}, TWO, "aging", "cannot be with 'fair'"),
        ({"classes": {"fre": {"max_waiting": 3}}}, TWO, "classes.fre", "did you mean 'free'?"),
        ({"classes": {"free": {}}}, TWO, "classes.free", "needs 'max_waiting' or"),
        ({"shed": {"kind": "load", "at": {"fre": 3}}}, TWO, "shed.at.fre", "did you mean 'free'?"),
        ({"shed": {"kind": "load", "at": {}}}, TWO, "shed.at", "must name at least one class"),
        ({"shed": {"kind": "estimated_wait"}}, TWO, "shed", "class 'paid' has no SLO on ttft or queue_wait"),
        ({"shed": {"kind": "estimated_wait", "limit": {"paid": 1}}}, TWO, "shed", "class 'free' has no SLO"),
        ({"shed": {"kind": "codel", "target": "3s"}}, TWO, "shed.target", "must not be above the interval (1 s)"),
        ({"reject": "at_deadline"}, PATIENT, "reject", "the clients of stream 'a' have no deadline"),
    ],
)
def test_what_cannot_be_is_said_at_its_place(
    queue: dict[str, Any], streams: dict[str, dict[str, Any]], key: str, words: str
) -> None:
    classes = {name: CLASSES[name] for name in {own["class"] for own in streams.values() if "class" in own}}
    if "order" not in queue and streams is not TWO:
        classes = {name: {} for name in classes}
    with pytest.raises(ConfigError) as caught:
        scenario(queue, streams, **({"classes": classes} if classes else {}))
    problems = [str(problem) for problem in caught.value.problems]
    assert any(f"pools.p.queue.{key}: " in problem and words in problem for problem in problems), problems


def test_tokens_of_slots_cannot_be_limited() -> None:
    work = {"arrivals": {"kind": "poisson", "rate": 1}, "service": {"kind": "exponential", "mean": 1}}
    pool = {"replica": {"kind": "slots"}, "queue": {"max_waiting_tokens": 3}, "autoscaler": POOL["autoscaler"]}
    with pytest.raises(ConfigError, match="the requests of slots have no tokens"):
        load({"name": "x", "horizon": "1m", "workload": work, "pools": {"p": pool}})


def test_priorities_show_in_the_results_of_classes() -> None:
    """One slot at 90 % load, a request of each class in two."""
    work = {"arrivals": {"kind": "poisson", "rate": 0.45}, "service": {"kind": "exponential", "mean": 1}}
    pool = {"replica": {"kind": "slots"}, "queue": {"order": "priority"}, "autoscaler": POOL["autoscaler"]}
    keys = {"name": "x", "horizon": "20m", "classes": CLASSES, "pools": {"p": pool}}
    streams = {name: work | {"class": name} for name in CLASSES}
    found = simulate(load({**keys, "workload": {"streams": streams}})).summary()["classes"]
    waits_s = [found[name]["latency"]["queue_wait_s"]["mean"] for name in ("paid", "free")]
    assert 3 * waits_s[0] < waits_s[1]
