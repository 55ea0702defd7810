"""Run logs made by hand and scenarios that stand in for real ones, for the tests of results, reports and `run`."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from sim.model import calls as model_calls
from sim.model.tables import COMPLETED, NONE, OUTCOMES, REJECTED, REQUEST
from sim.model.work import WorkLaw
from sim.result import DecisionRow, RunLog
from sim.result.log import DOWN, SAMPLE, SPAN, WHY

NAN = float("nan")


def target(metric: str, under_s: float, share: float) -> Any:
    return SimpleNamespace(metric=metric, under_s=under_s, share=share)


def scenario(pools: dict[str, dict[str, Any]] | None = None, **changes: Any) -> Any:
    """A stand-in with the attributes of a scenario that results read. Pools: gpus_per_replica, USD a replica-hour."""
    pools = {"main": {}} if pools is None else pools
    made = {}
    for name, given in pools.items():
        usd = given.get("usd_per_replica_hour")
        made[name] = pool = SimpleNamespace(
            gpus_per_replica=given.get("gpus_per_replica", 1),
            usd_per_replica_hour=usd or 0.0,
            priced=usd is not None,
            autoscaler=SimpleNamespace(kind="fixed", floor_replicas=given.get("floor_replicas", 1), most_replicas=1),
            law_facts=given.get("law_facts"),
            kv_transfer=None,
            billing=SimpleNamespace(granularity_s=given.get("granularity_s", 0.0), minimum_s=0.0),
            offers=(SimpleNamespace(name="on_demand", market="on_demand", region=""),),
            gpu=None,
            listed=None,
            egress=None,
            interruptible_share=0.0,
            supply=(),
            faults=(),
            rollouts=(),
        )
        pool.versions = (pool,)
        pool.as_offered = lambda _, pool=pool: pool
    values = {
        "name": "made",
        "seed": 1,
        "horizon_s": 10.0,
        "warmup_s": 0.0,
        "slo": (),
        "slowness": (),
        "revenue": (),
        "pools": made,
        "description": "",
        "contracts": {},
        "starts": None,
    }
    values |= changes
    text = "".join(f"{key}: {value!r}\n" for key, value in values.items())
    digest = hashlib.sha256(text.encode()).hexdigest()
    nobody = SimpleNamespace(stream_names=(), by_name=dict)  # no stream, so theory has nothing to say
    unsaid = {"workload": nobody, "stream_pools": (), "customers": {}}
    return SimpleNamespace(**unsaid | values, digest=digest, to_yaml=lambda: text)


def requests(*rows: dict[str, Any]) -> np.ndarray:
    """Request rows from what differs from a completed one-token request."""
    table = np.zeros(len(rows), REQUEST)
    table["prefix0"] = NONE
    table["next"] = NONE
    for place, given in enumerate(rows):
        values = {"start_s": NAN, "first_token_s": NAN, "finish_s": NAN, "prompt_tokens": 1, "output_tokens": 1} | given
        outcome = values.pop("outcome", "completed")
        for name, value in values.items():
            table[place][name] = value
        table[place]["outcome"] = OUTCOMES.index(outcome)
    return table


def lives(*rows: dict[str, Any]) -> np.ndarray:
    """Life spans from what is known of each; `why` by name. All else: ordered and launched at 0, never the rest."""
    made = np.zeros(len(rows), SPAN)
    for name in ("image_s", "weights_s", "engine_s", "ready_s", "draining_s", "gone_s"):
        made[name] = math.inf
    for place, given in enumerate(rows):
        for name, value in given.items():
            made[place][name] = WHY.index(value) if name == "why" else value
    return made


def calls(table: np.ndarray, *rows: dict[str, Any]) -> np.ndarray:
    """Call rows beside request rows, from what differs from the only attempt of a client who bears anything."""
    made = model_calls.table(table)
    made["sent"] = 1
    for place, given in enumerate(rows):
        for name, value in given.items():
            made[place][name] = value
    return made


def downs(*rows: tuple[int, float, float]) -> np.ndarray:
    """Times down: (row of the life, from_s, to_s)."""
    return np.array(list(rows), DOWN)


def log(
    table: np.ndarray,
    edges_s: list[float],
    spans: list[tuple[int, int, float, float]] | np.ndarray,
    samples: list[tuple[float, ...]] | None = None,
    **changes: Any,
) -> RunLog:
    """A log around request rows. Spans: (pool, replica, ready_s, gone_s), or `lives`. Samples: rows of `SAMPLE`."""
    if isinstance(spans, list):
        spans = lives(
            *(
                {"pool": pool, "replica": replica, "launched_s": ready_s, "ready_s": ready_s, "gone_s": gone_s}
                for pool, replica, ready_s, gone_s in spans
            )
        )
    pools = changes.get("pools", ("main",))
    rooms = tuple(int(spans["replica"][spans["pool"] == pool].max(initial=-1)) + 1 for pool in range(len(pools)))
    if samples is None:
        samples = [
            (at_s, pool, 1, at_s, at_s / 2, at_s, 2 * at_s, 30 * at_s, 100 * at_s)
            for at_s in sorted({*edges_s, changes.pop("warmup_s", 0.0)})
            for pool in range(len(pools))
        ]
    values: dict[str, Any] = {
        "calendar": "simpy",
        "streams": ("requests",),
        "pools": pools,
        "rooms": rooms,
        "down": downs(),
        "decisions": (DecisionRow(0.0, "main", 0, 1, "fixed at 1"),),
        "notes": (),
        "end_s": edges_s[-1],
        "events": 2 * len(table),
        "preemptions": 0,
        "wall_s": 0.5,
        "engine_s": 0.25,
    }
    values |= changes
    values.setdefault("work", tuple(WorkLaw(row, s_per_service_s=1.0) for row in range(len(values["pools"]))))
    return RunLog(requests=table, samples=np.array(samples, SAMPLE), edges_s=np.array(edges_s), spans=spans, **values)


def queue_log(
    count: int, horizon_s: float, bins: int, servers: int, seed: int = 1, load: float = 0.9, rejected: float = 0.01
) -> RunLog:
    """A large log that looks like a run: random waits and services, some rejected, samples of a fixed fleet."""
    rng = np.random.default_rng(seed)
    table = np.zeros(count, REQUEST)
    table["prefix0"] = NONE
    table["arrival_s"] = np.sort(rng.uniform(0, horizon_s, count))
    table["prompt_tokens"] = rng.integers(1, 2000, count)
    table["output_tokens"] = rng.integers(1, 100, count)
    table["replica"] = rng.integers(0, servers, count)
    service_s = rng.exponential(load * servers * horizon_s / count, count)
    swell = 1 + 40 * np.exp(-(((table["arrival_s"] / horizon_s - 0.6) / 0.06) ** 2))
    table["start_s"] = table["arrival_s"] + rng.exponential(0.05, count) * swell * (rng.random(count) < 0.8)
    table["first_token_s"] = table["start_s"] + service_s * 0.1
    table["finish_s"] = table["start_s"] + service_s
    table["outcome"] = COMPLETED
    out = rng.random(count) < rejected
    for name in ("start_s", "first_token_s", "finish_s"):
        table[name][out] = NAN
    table["outcome"][out], table["replica"][out] = REJECTED, NONE
    edges_s = np.linspace(0, horizon_s, bins + 1)
    samples = np.zeros(bins + 1, SAMPLE)
    samples["at_s"] = edges_s
    samples["ready"] = servers
    samples["ready_s"] = servers * edges_s
    samples["busy_s"] = np.concatenate(
        ([0], np.cumsum(servers * np.diff(edges_s) * (load + 0.1 * np.sin(np.linspace(0, 6, bins)))))
    )
    samples["running_s"] = samples["busy_s"] * 4
    samples["seats_s"] = samples["ready_s"] * 8
    samples["kv_tokens_s"] = samples["busy_s"] * 1000
    samples["kv_capacity_s"] = samples["ready_s"] * 2000
    spans = lives(*({"replica": place, "ready_s": 0.0} for place in range(servers)))
    end_s = float(np.fmax.reduce(table["finish_s"], initial=horizon_s))
    return RunLog(
        "compiled", table, samples, edges_s, spans, downs(),
        (DecisionRow(0.0, "main", 0, servers, f"fixed at {servers}"),),
        (WorkLaw(0, s_per_service_s=0.25),), ("requests",), ("main",), (servers,), (), end_s, 3 * count, 0, 1.0, 0.8,
    )  # fmt: skip


def elastic_log(count: int = 20_000, horizon_s: float = 7200.0, bins: int = 288) -> RunLog:
    """A run of a pool of 2 to 12 replicas that follows a swell: boots of 4 min, drains of 1 min, one reclaimed."""
    at_s = np.arange(0.0, horizon_s, 60.0)
    load = 2 + 9 * np.exp(-(((at_s / horizon_s - 0.5) / 0.12) ** 2)) + 1.5 * np.sin(at_s / 900)
    proposed = np.ceil(load * 1.2).astype(int)
    wanted = np.clip([proposed[max(0, place - 5) : place + 1].max() for place in range(len(at_s))], 2, 12)
    there: list[dict[str, Any]] = [{"replica": place, "ready_s": 0.0} for place in range(int(wanted[0]))]
    for now_s, want in zip(at_s.tolist(), wanted.tolist(), strict=True):
        alive = [life for life in there if "draining_s" not in life]
        used = {life["replica"] for life in there if life.get("gone_s", math.inf) > now_s}
        free = [row for row in range(40) if row not in used]
        for row in free[: max(0, want - len(alive))]:
            stages = dict.fromkeys(("ordered_s", "launched_s", "image_s", "weights_s", "engine_s"), now_s)
            there.append({"replica": row, "ready_s": now_s + 240.0, **stages})
        ready = [life for life in alive if life["ready_s"] <= now_s]
        for life in ready[len(ready) - max(0, len(alive) - want) :]:
            life |= {"draining_s": now_s, "gone_s": now_s + 60.0, "why": "scaled_in"}
    there[0] |= {"gone_s": horizon_s * 0.7, "why": "reclaimed", "spot": 1}
    spans = lives(*there)
    made = queue_log(count, horizon_s, bins, servers=40, load=0.1)
    edges_s = made.edges_s
    down = downs((1, horizon_s * 0.3, horizon_s * 0.4))

    def ready_s(at: float) -> float:
        served_s = np.maximum(np.minimum(spans["gone_s"], at) - spans["ready_s"], 0).sum()
        return float(served_s - max(0.0, min(at, down["to_s"][0]) - down["from_s"][0]))

    samples = made.samples
    samples["ready_s"] = [ready_s(at) for at in edges_s.tolist()]
    work_s = np.minimum(np.diff(samples["ready_s"]), np.interp(edges_s[1:], at_s, load) * np.diff(edges_s) * 0.8)
    samples["busy_s"] = np.concatenate(([0.0], np.cumsum(work_s)))
    samples["running_s"], samples["seats_s"] = samples["busy_s"] * 4, samples["ready_s"] * 8
    samples["kv_tokens_s"], samples["kv_capacity_s"] = samples["busy_s"] * 1000, samples["ready_s"] * 2000
    work = np.interp(at_s, edges_s, samples["running_s"]).tolist()
    decisions = tuple(
        DecisionRow(now_s, "main", want, want, f"<b>{ask}</b> by load; window 5m", ask, 0, ready_s(now_s), running_s)
        for now_s, want, ask, running_s in zip(at_s.tolist(), wanted.tolist(), proposed.tolist(), work, strict=True)
    )
    return replace(made, spans=spans, down=down, decisions=decisions, rooms=(40,))


__all__ = [
    *("NAN", "UNFINISHED", "calls", "downs", "elastic_log", "lives", "log", "queue_log", "requests", "scenario"),
    "target",
]
