"""Random scenarios in which clients wait, give up, retry and come back: every feature of theirs, in small runs.

The fleets are those of `elastic`, every other one without its faults and policies. With ties, whatever can be told as a
time stands on the grid on which arrivals, services and control stand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests import elastic

GRID_S = 4.0


def scenario(seed: int, *, ties: bool = False) -> dict[str, Any]:
    """A scenario with one or two pools, and clients that do what they can."""
    rng = np.random.default_rng([seed, 6])
    keys = elastic.scenario(seed, ties=ties)
    keys["name"] = f"overload {seed}"
    keys["horizon"] = "4m"
    pools, workload = keys["pools"], keys["workload"]
    streams = workload["streams"]
    for name, pool in pools.items():
        if rng.random() < 0.5:
            _settle(pool, rng)
        if rng.random() < 0.4:
            pool["cancels"] = bool(rng.random() < 0.3)
        streams[name] = _stream(streams[name] | {"pool": name}, rng, ties)
        if rng.random() < 0.5:
            streams[f"{name}2"] = streams[name] | {"pool": name}
    if rng.random() < 0.3:
        workload["clients"] = {"patience": _time(rng, ties, 12.0), "retry": _retry(rng, ties)}
    for stream in streams.values():
        if rng.random() < 0.85:
            stream["clients"] = _clients(rng, ties)
    classes = _classes(keys, rng) if rng.random() < 0.6 else []
    tenants = _tenants(keys, rng) if rng.random() < 0.4 else []
    for name, pool in pools.items():
        _queue(pool, rng, classes, len(tenants) > 1, ties)
        if all("total_timeout" in stream.get("clients", {}) for stream in streams.values() if stream["pool"] == name):
            pool["queue"]["reject"] = str(rng.choice(["at_once", "at_deadline"]))
    _ranks(keys)
    if len(pools) == 2 and len({pool["replica"]["kind"] for pool in pools.values()}) == 1:
        _between(keys, rng)
    return keys


def _stream(stream: dict[str, Any], rng: np.random.Generator, ties: bool) -> dict[str, Any]:
    """Every arrival by itself, or the beginning of a conversation; or a closed population."""
    drawn = rng.random()
    back = {"slow": 3 * GRID_S, "share": float(rng.choice([0.5, 1]))}
    back |= {"away": 2 * GRID_S} if rng.random() < 0.5 else {}
    if drawn < 0.25:
        closed = {"kind": "closed", "users": int(rng.integers(2, 12)), "think": _time(rng, ties, 8.0)}
        closed |= {"ramp": float(rng.choice([0, 32]))} if rng.random() < 0.5 else {}
        return stream | {"arrivals": closed | ({"comes_back": back} if rng.random() < 0.4 else {})}
    if drawn < 0.55:
        session: dict[str, Any] = {
            "turns": {"kind": "uniform", "low": 1, "high": 5},
            "think": 0 if rng.random() < 0.3 else _time(rng, ties, 4.0),
        }
        if "service" in stream:
            session["history"] = False
        else:
            session |= {"max_context": 2000, "prefix_cache": bool(rng.random() < 0.6)}
            if rng.random() < 0.5:
                few = {"kind": "uniform", "low": 1, "high": 40}
                session["tools"] = {"calls": int(rng.integers(1, 4)), "prompt_tokens": few, "output_tokens": few}
        return stream | {"session": session | ({"comes_back": back} if rng.random() < 0.4 else {})}
    return stream


def _queue(pool: dict[str, Any], rng: np.random.Generator, classes: list[str], tenants: bool, ties: bool) -> None:
    """Who goes first, who is turned away, who is told when to come back."""
    queue = pool["queue"]
    slots = pool["replica"]["kind"] == "slots"
    if len(classes) > 1 and rng.random() < 0.7:
        queue["order"] = str(rng.choice(["priority", "priority", "weighted_fair"]))
    if queue.get("order") == "priority":
        queue["preemptive"] = bool(rng.random() < 0.4)
        if rng.random() < 0.3:
            queue["aging"] = 5 * GRID_S
    if tenants and queue.get("order") != "weighted_fair" and "aging" not in queue and rng.random() < 0.5:
        queue["fair"] = "tenants"
    if rng.random() < 0.3:
        queue["max_waiting"] = int(rng.integers(0, 12))
    if not slots and rng.random() < 0.2:
        queue["max_waiting_tokens"] = int(rng.integers(1000, 4000))
    if classes and rng.random() < 0.3:
        queue["classes"] = {classes[0]: {"max_waiting": int(rng.integers(0, 6))}}
    drawn = rng.random()
    if classes and drawn < 0.15:
        queue["shed"] = {"kind": "load", "at": {classes[-1]: 2}}
    elif classes and drawn < 0.3:
        queue["shed"] = {"kind": "estimated_wait", "limit": dict.fromkeys(classes, 2 * GRID_S)}
    elif drawn < 0.45:
        queue["shed"] = {"kind": "codel", "target": GRID_S / 4, "interval": GRID_S}
    if rng.random() < 0.3:
        queue["retry_after"] = GRID_S if ties else float(rng.uniform(1, 10))
    if queue["kind"] == "per_replica" and rng.random() < 0.4:
        kinds = ["session_affinity", "prefix_aware"]
        names = ["power_of_two", "least_outstanding", *kinds[: 1 + (not slots)]]
        router: dict[str, Any] = {"kind": str(rng.choice(names))}
        if rng.random() < 0.5:
            router["refresh"] = float(rng.choice([0.25, GRID_S]))
        queue["router"] = router


def _between(keys: dict[str, Any], rng: np.random.Generator) -> None:
    """Requests that go to the other pool, by a rule or because there are too many."""
    one, other = keys["pools"].values()
    if rng.random() < 0.4:
        one["queue"]["spill"] = {"to": "b"} | ({"above": int(rng.integers(1, 5))} if rng.random() < 0.7 else {})
    if rng.random() < 0.2 and "spill" not in one["queue"]:
        other["queue"]["spill"] = {"to": "a", "above": 2}
    if rng.random() < 0.2:
        keys["routes"] = [{"stream": "a", "share": 0.3, "to": "b"}]


def _settle(pool: dict[str, Any], rng: np.random.Generator) -> None:
    """A fleet of fixed size that nothing happens to."""
    for name in ("faults", "supply", "rollouts", "metrics"):
        pool.pop(name, None)
    pool["autoscaler"] = {"kind": "fixed", "replicas": int(rng.integers(1, 4))}


def _clients(rng: np.random.Generator, ties: bool) -> dict[str, Any]:
    """What the clients of a stream bear and do."""
    found: dict[str, Any] = {}
    if rng.random() < 0.5:
        found["patience"] = _time(rng, ties, 8.0)
    if rng.random() < 0.4:
        found["first_token_timeout"] = _time(rng, ties, 12.0)
    if rng.random() < 0.3:
        found["total_timeout"] = _time(rng, ties, 20.0)
        first = found.get("first_token_timeout")
        if isinstance(first, float) and isinstance(found["total_timeout"], float):
            found["total_timeout"] = max(first, found["total_timeout"])
    if rng.random() < 0.15:
        found["token_timeout"] = float(rng.choice([0.125, 0.5, 2.0]))
        if isinstance(found.get("total_timeout"), float):
            found["token_timeout"] = min(found["token_timeout"], found["total_timeout"])
    if rng.random() < 0.25:
        found["max_in_flight"] = int(rng.integers(1, 12))
    if rng.random() < 0.6:
        found["retry"] = _retry(rng, ties)
    if rng.random() < 0.35:
        constants = [found[name] for name in ("first_token_timeout", "total_timeout") if name in found]
        least_s = min((value for value in constants if isinstance(value, float)), default=1000.0)
        after_s = _time(rng, ties, 6.0, constant=True)
        if after_s < least_s:
            found["hedge"] = {"after": after_s, "attempts": int(rng.integers(2, 4))}
    return found


def _time(rng: np.random.Generator, ties: bool, mean_s: float, constant: bool = False) -> Any:
    """A duration about the mean, or a law; on the grid it is a multiple of the step."""
    if ties:
        return GRID_S * float(rng.integers(2 if mean_s > 2 * GRID_S else 1, round(2 * mean_s / GRID_S) + 1))
    value_s = mean_s * float(rng.uniform(0.2, 2))
    return value_s if constant or rng.random() < 0.5 else {"kind": "exponential", "mean": value_s}


def _retry(rng: np.random.Generator, ties: bool) -> dict[str, Any]:
    kind = str(rng.choice(["fixed", "exponential"]))
    jitters = ["none", "full", "equal", "decorrelated"]
    retry: dict[str, Any] = {
        "kind": kind,
        "attempts": int(rng.integers(2, 5)),
        "base": GRID_S if ties else float(rng.uniform(0.1, 5)),
        "jitter": "none" if ties else str(rng.choice(jitters[:3] if kind == "fixed" else jitters)),
    }
    if kind == "fixed" and rng.random() < 0.4:
        retry["base"] = 0
    if kind == "exponential":
        retry["cap"] = 4 * GRID_S if ties else 12.0
    if rng.random() < 0.4:
        retry["budget"] = float(rng.choice([0.1, 0.5]))
        retry["budget_burst"] = int(rng.integers(1, 10))
    outcomes = [name for name in ("rejected", "timed_out", "failed", "abandoned") if rng.random() < 0.7]
    if outcomes and rng.random() < 0.5:
        retry["on"] = outcomes
    return retry


def _classes(keys: dict[str, Any], rng: np.random.Generator) -> list[str]:
    """Some streams are of a class, some are not; the names of the classes."""
    carried = set()
    for stream in keys["workload"]["streams"].values():
        if rng.random() < 0.7:
            stream["class"] = str(rng.choice(["gold", "free"]))
            carried.add(stream["class"])
    if carried and any("class" not in stream for stream in keys["workload"]["streams"].values()):
        carried.add("default")
    keys["classes"] = {name: {"weight": int(rng.integers(1, 5))} for name in sorted(carried)}
    return sorted(carried)


def _ranks(keys: dict[str, Any]) -> None:
    """A priority for each class that some queue orders by it, another for each; no such order where that is one."""
    streams, pools = keys["workload"]["streams"].values(), keys["pools"]
    for place, (name, each) in enumerate(keys.get("classes", {}).items()):
        own = {stream["pool"] for stream in streams if stream.get("class") == name}
        each["priority"] = place if any(pools[pool]["queue"].get("order") == "priority" for pool in own) else 0
    if not any(each["priority"] for each in keys.get("classes", {}).values()):
        for pool in pools.values():
            if pool["queue"].get("order") == "priority":
                for key in ("order", "preemptive", "aging"):
                    pool["queue"].pop(key, None)


def _tenants(keys: dict[str, Any], rng: np.random.Generator) -> list[str]:
    """Some streams belong to a tenant, and some tenants have a quota; the names of the tenants."""
    carried = set()
    for stream in keys["workload"]["streams"].values():
        if rng.random() < 0.7:
            stream["tenant"] = str(rng.choice(["acme", "globex"]))
            carried.add(stream["tenant"])
    keys["tenants"] = {name: _tenant(rng) for name in sorted(carried)}
    return sorted(carried)


def _tenant(rng: np.random.Generator) -> dict[str, Any]:
    tenant: dict[str, Any] = {"weight": int(rng.integers(1, 5))}
    quota: dict[str, Any] = {}
    if rng.random() < 0.4:
        quota |= {"requests": "0.25/s", "burst": 4}
    if rng.random() < 0.3:
        quota |= {"tokens": "200/s", "token_burst": 4000}
    return tenant | ({"quota": quota} if quota else {})
