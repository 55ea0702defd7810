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
    pools, streams = keys["pools"], keys["workload"]["streams"]
    for pool in pools.values():
        if rng.random() < 0.5:
            _settle(pool, rng)
        if rng.random() < 0.4:
            pool["cancels"] = bool(rng.random() < 0.3)
    for name in list(streams):
        streams[name]["pool"] = name
        if rng.random() < 0.5:
            streams[f"{name}2"] = streams[name] | {"pool": name}
    if rng.random() < 0.3:
        keys["workload"]["clients"] = _clients(rng, ties)
    for stream in streams.values():
        if rng.random() < 0.85:
            stream["clients"] = _clients(rng, ties)
    if rng.random() < 0.5:
        _classes(keys, rng)
    if rng.random() < 0.4:
        _tenants(keys, rng)
    return keys


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
        return GRID_S * float(rng.integers(1, round(2 * mean_s / GRID_S) + 1))
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


def _classes(keys: dict[str, Any], rng: np.random.Generator) -> None:
    """Some streams are of a class, some are not."""
    carried = set()
    for stream in keys["workload"]["streams"].values():
        if rng.random() < 0.7:
            stream["class"] = str(rng.choice(["gold", "free"]))
            carried.add(stream["class"])
    keys["classes"] = {name: {"weight": int(rng.integers(1, 5))} for name in sorted(carried)}


def _tenants(keys: dict[str, Any], rng: np.random.Generator) -> None:
    """Some streams belong to a tenant, and some tenants have a quota."""
    carried = set()
    for stream in keys["workload"]["streams"].values():
        if rng.random() < 0.7:
            stream["tenant"] = str(rng.choice(["acme", "globex"]))
            carried.add(stream["tenant"])
    keys["tenants"] = {name: _tenant(rng) for name in sorted(carried)}


def _tenant(rng: np.random.Generator) -> dict[str, Any]:
    tenant: dict[str, Any] = {"weight": int(rng.integers(1, 5))}
    quota: dict[str, Any] = {}
    if rng.random() < 0.4:
        quota |= {"requests": "0.25/s", "burst": 4}
    if rng.random() < 0.3:
        quota |= {"tokens": "200/s", "token_burst": 4000}
    return tenant | ({"quota": quota} if quota else {})
