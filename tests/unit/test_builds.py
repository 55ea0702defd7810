"""The two builds of the model: a run that needs what the small one leaves out asks for the whole one."""

from __future__ import annotations

from typing import Any

import pytest

from sim import load, simulate
from sim.model import compiled

SLOTS = {"replica": {"kind": "slots"}, "autoscaler": {"kind": "fixed", "replicas": 2}}
WORK = {"arrivals": {"kind": "poisson", "rate": 1}, "service": {"kind": "constant", "value": 0.5}}
RANKS = {"paid": {"priority": 0}, "free": {"priority": 1}}
SHARES = {"paid": {"weight": 2}, "free": {"weight": 1}}
NAMES: dict[str, Any] = {"paid": {}, "free": {}}


def asks(monkeypatch: pytest.MonkeyPatch, queue: dict[str, Any], work: dict[str, Any], **more: Any) -> bool:
    """Whether a run of two pools, of which the first has this queue, asks for the whole build."""
    asked: list[bool] = []
    monkeypatch.setattr(compiled, "widen", lambda: asked.append(True))
    streams = {"a": WORK | {"pool": "one"} | work, "b": WORK | {"pool": "one"}, "c": WORK | {"pool": "two"}}
    if "classes" in more:
        streams["a"] |= {"class": "paid"}
        streams["b"] |= {"class": "free"}
    pools = {"one": SLOTS | {"queue": queue}, "two": SLOTS}
    simulate(load({"name": "x", "horizon": "10s", "workload": {"streams": streams}, "pools": pools, **more}))
    return bool(asked)


@pytest.mark.parametrize(
    "queue",
    [
        {"kind": "central", "max_waiting": 3},
        {"kind": "per_replica", "router": "random", "max_waiting": 3},
        {"kind": "per_replica", "router": "least_tokens"},
    ],
)
def test_the_small_build_is_enough_for_most(monkeypatch: pytest.MonkeyPatch, queue: dict[str, Any]) -> None:
    assert not asks(monkeypatch, queue, {})


@pytest.mark.parametrize(
    ("queue", "classes"),
    [
        ({"kind": "central", "spill": {"to": "two"}}, None),
        ({"kind": "central", "shed": {"kind": "codel"}}, None),
        ({"kind": "per_replica", "router": {"kind": "least_outstanding", "refresh": "1s"}}, None),
        ({"kind": "per_replica", "router": "session_affinity"}, None),
        ({"kind": "central", "order": "priority"}, RANKS),
        ({"kind": "central", "order": "priority", "preemptive": True}, RANKS),
        ({"kind": "central", "order": "weighted_fair"}, SHARES),
        ({"kind": "central", "classes": {"free": {"max_waiting": 1}}}, NAMES),
    ],
    ids=str,
)
def test_a_queue_of_one_pool_is_reason_enough(
    monkeypatch: pytest.MonkeyPatch, queue: dict[str, Any], classes: dict[str, Any] | None
) -> None:
    said = {} if classes is None else {"classes": classes}
    assert asks(monkeypatch, queue, {}, **said)


@pytest.mark.parametrize("clients", [{"patience": "3s"}, {"max_in_flight": 1, "total_timeout": "5s"}], ids=str)
def test_clients_who_act_are_too(monkeypatch: pytest.MonkeyPatch, clients: dict[str, Any]) -> None:
    assert asks(monkeypatch, {"kind": "central"}, {"clients": clients})


def test_so_is_a_tenants_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    tenants = {"acme": {"quota": {"requests": "1/s"}}}
    assert asks(monkeypatch, {"kind": "central"}, {"tenant": "acme"}, tenants=tenants)
