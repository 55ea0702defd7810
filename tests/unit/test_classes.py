"""Classes and tenants: who carries which, what the model is told of them, and what cannot be."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sim.config.errors import ConfigError
from sim.fleet import callers
from sim.model.specs import TenantSpec
from sim.scenario import PerReplica, Scenario, load
from tests.laws import chat

POOL = {
    "latency": {"base_s": 0.01, "prefill_s_per_token": 1e-4, "decode_s_per_seq": 1e-3, "attention_s_per_token": 1e-6},
    "kv_capacity_tokens": "400k",
    "autoscaler": {"kind": "fixed", "replicas": 1},
}
ORDERED = "order" in PerReplica.model_fields
POOLS = {"p": {**POOL, "queue": {"order": "priority"}} if ORDERED else POOL}


def scenario(streams: dict[str, dict[str, Any]], pools: dict[str, Any] = POOLS, **said: Any) -> Scenario:
    workload = {"streams": {name: chat(**own) for name, own in streams.items()}}
    return load({"name": "x", "horizon": "1m", "workload": workload, "pools": pools, **said})


def complaints(streams: dict[str, dict[str, Any]], pools: dict[str, Any] = POOLS, **said: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        scenario(streams, pools, **said)
    return [str(problem) for problem in caught.value.problems]


def test_without_classes_there_are_none() -> None:
    of = scenario({"a": {}, "b": {}})
    assert of.request_classes == {}
    assert of.customers == {}
    assert of.stream_classes == of.stream_tenants == (None, None)
    assert callers.tenants(of) == []
    assert [(spec.group, spec.tenant, spec.level, spec.weight) for spec in callers.senders(of)] == [(0, None, 0, 1)] * 2


def test_classes_that_only_streams_name_are_equal_and_in_order_of_mention() -> None:
    of = scenario({"a": {"class": "free"}, "b": {}, "c": {"class": "paid"}, "d": {"class": "free"}})
    assert list(of.request_classes) == ["free", "paid", "default"]
    assert of.stream_classes == ("free", "default", "paid", "free")
    assert [(spec.group, spec.level, spec.weight) for spec in callers.senders(of)] == [
        (0, 0, 1),
        (2, 0, 1),
        (1, 0, 1),
        (0, 0, 1),
    ]


def test_classes_of_the_file_have_its_order_priorities_and_weights() -> None:
    classes = {"free": {"priority": 2}, "default": {"priority": 1}, "paid": {"weight": 4}}
    of = scenario({"a": {"class": "paid"}, "b": {"class": "free"}, "c": {}}, classes=classes)
    assert list(of.request_classes) == ["free", "default", "paid"]
    assert [(spec.group, spec.level, spec.weight) for spec in callers.senders(of)] == [(2, 0, 4), (0, 2, 1), (1, 1, 1)]
    assert load(of.model_dump(mode="json", by_alias=True, exclude_none=True)) == of


def test_a_class_by_its_name_in_python() -> None:
    assert scenario({"a": {"class_name": "paid"}}).stream_classes == ("paid",)


def test_a_lone_stream_carries_its_class_and_tenant() -> None:
    of = load({"name": "x", "horizon": "1m", "workload": chat(**{"class": "paid"}, tenant="acme"), "pools": POOLS})
    (spec,) = callers.senders(of)
    assert (list(of.request_classes), list(of.customers), spec.group, spec.tenant) == (["paid"], ["acme"], 0, 0)


def test_tenants_and_their_quotas() -> None:
    quota = {"requests": "600/min", "burst": 100, "tokens": "50k/s", "token_burst": "1M"}
    tenants = {
        "acme": {"weight": 2, "quota": quota},
        "few": {"quota": {"requests": "0.5/s"}},
        "long": {"quota": {"tokens": "100/s"}},
        "free": {},
    }
    of = scenario({name: {"tenant": name} for name in ("free", "few", "acme", "long")} | {"none": {}}, tenants=tenants)
    assert [spec.tenant for spec in callers.senders(of)] == [3, 1, 0, 2, None]
    assert callers.tenants(of) == [
        TenantSpec(2, requests_per_s=10, request_burst=100, tokens_per_s=50_000, token_burst=1e6),
        TenantSpec(requests_per_s=0.5, request_burst=1),
        TenantSpec(tokens_per_s=100, token_burst=6000),
        TenantSpec(1, math.inf, math.inf, math.inf, math.inf),
    ]


def test_tenants_that_only_streams_name_are_in_order_of_mention() -> None:
    of = scenario({"a": {"tenant": "y"}, "b": {"tenant": "x"}, "c": {"tenant": "y"}})
    assert [spec.tenant for spec in callers.senders(of)] == [0, 1, 0]
    assert callers.tenants(of) == [TenantSpec()] * 2


def test_promises_may_be_to_a_class_or_a_tenant() -> None:
    promise = {"metric": "ttft", "under": "1s", "share": "99%"}
    slo = [promise, {**promise, "class": "paid"}, {**promise, "tenant": "acme", "class": "default"}]
    of = scenario({"a": {"class": "paid"}, "b": {"tenant": "acme"}}, slo=slo)
    told = [(target.class_name, target.tenant) for target in of.slo]
    assert told == [(None, None), ("paid", None), ("default", "acme")]


PROMISE = {"metric": "ttft", "under": "1s", "share": "99%"}


@pytest.mark.parametrize(
    ("streams", "more", "said"),
    [
        (
            {"a": {"class": "pad"}},
            {"classes": {"paid": {}}},
            [
                "workload.streams.a.class: no class is called 'pad'; did you mean 'paid'?",
            ],
        ),
        (
            {"a": {"tenant": "acme"}, "b": {"tenant": "zenith"}},
            {"tenants": {"acme": {}}},
            ["workload.streams.b.tenant: no tenant is called 'zenith'; there are: acme"],
        ),
        (
            {"a": {}},
            {"tenants": {"acme": {}}},
            ["tenants.acme: no stream carries it: no request is ever of it; give a stream 'tenant: acme'"],
        ),
        (
            {"a": {"class": "paid"}},
            {"classes": {"paid": {}, "default": {}}},
            ["classes.default: no stream carries it: no request is ever of it; give a stream 'class: default'"],
        ),
        (
            {"a": {}},
            {"slo": [{**PROMISE, "class": "paid"}]},
            ["slo.0.class: no stream is of class 'paid'; give a stream 'class: paid', or take it out"],
        ),
        (
            {"a": {"class": "free"}},
            {"slo": [PROMISE, {**PROMISE, "class": "default"}]},
            ["slo.1.class: no stream is of class 'default'; there are: free"],
        ),
        (
            {"a": {"tenant": "acme"}},
            {"slo": [{**PROMISE, "tenant": "acne"}]},
            ["slo.0.tenant: no stream is of tenant 'acne'; did you mean 'acme'?"],
        ),
        (
            {"a": {"tenant": "acme", "class": "paid"}, "b": {"tenant": "zenith"}},
            {"slo": [{**PROMISE, "tenant": "zenith", "class": "paid"}]},
            ["slo.0: no stream of class 'paid' is of tenant 'zenith'"],
        ),
        (
            {"a": {"class": "a.b"}},
            {},
            [
                "workload.streams.a.class: a class's name may hold letters, digits, '_' and '-' (at most 60 "
                "characters); got 'a.b'"
            ],
        ),
        ({"a": {"class": "x"}}, {"classes": {"x": {"weight": 0}}}, ["classes.x.weight: must be above 0, got 0"]),
        (
            {"a": {"class": "x"}},
            {"classes": {"x": {"priority": -1}}},
            ["classes.x.priority: must be at least 0, got -1"],
        ),
        (
            {"a": {"tenant": "x"}},
            {"tenants": {"x": {"quota": {}}}},
            ["tenants.x.quota: needs 'requests' or 'tokens', such as 10/s or 50k/s"],
        ),
        (
            {"a": {"tenant": "x"}},
            {"tenants": {"x": {"quota": {"requests": "1/s", "token_burst": 5}}}},
            ["tenants.x.quota.token_burst: is how many may come at once; give 'tokens' too, a rate"],
        ),
        (
            {"a": {"tenant": "x"}},
            {"tenants": {"x": {"quota": {"requests": "1/s", "burst": "50%"}}}},
            ["tenants.x.quota.burst: must be a number, such as 1024, 4k or 1.5M; got '50%'"],
        ),
    ],
)
def test_what_cannot_be_is_said_at_its_place(
    streams: dict[str, dict[str, Any]], more: dict[str, Any], said: list[str]
) -> None:
    assert complaints(streams, **more) == said


@pytest.mark.skipif(not ORDERED, reason="queues have no order yet")
def test_a_priority_that_no_queue_looks_at() -> None:
    streams = {"a": {"class": "paid", "pool": "q"}, "b": {"class": "free", "pool": "p"}, "c": {"class": "free"}}
    streams["c"]["pool"] = "r"
    pools = {"p": POOL, "q": POOLS["p"], "r": POOL}
    classes = {"paid": {"priority": 1}, "free": {"priority": 2}}
    assert complaints(streams, pools, classes=classes) == [
        "classes.free.priority: is 2, but no queue of its requests orders by priority; give pools.p.queue "
        "'order: priority', or take it out"
    ]
    scenario(streams, {**pools, "r": POOLS["p"]}, classes=classes)


def test_a_class_may_be_changed_from_outside() -> None:
    source = {"name": "x", "horizon": "1m", "workload": chat(**{"class": "paid"}), "pools": POOLS}
    changed = load({**source, "classes": {"paid": {}}}, ["classes.paid.weight=3", "workload.clients.patience=4s"])
    assert changed.request_classes["paid"].weight == 3
    assert changed.workload.clients_of("requests").patience_s == 4
