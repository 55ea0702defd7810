"""What becomes of requests when their replica ends, by hand; which one ends first; policies that hear of changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim import Result, load, simulate
from sim.autoscaling.base import Elastic
from sim.autoscaling.history import unanswerable
from sim.autoscaling.observation import BUSY_SHARE, CONCURRENCY, REQUESTS, WAITING, Pipeline, Query
from sim.model.tables import COMPLETED, FAILED
from tests.property.test_elastic import left
from tests.validation.fleet_policies import OffWhenIdle, RetireOnCompletion, Turns

SLOTS = {"replica": {"kind": "slots", "concurrency": 1}, "queue": {"kind": "central"}}
BATCHING = {
    "latency": {"base_s": 1.0, "prefill_s_per_token": 0.01, "decode_s_per_seq": 0, "attention_s_per_token": 0},
    "kv_capacity_tokens": 10_000,
}
POISSON = {"arrivals": {"kind": "poisson", "rate": 3.0}, "service": {"kind": "exponential", "mean": 1.0}}


def run(pools: dict[str, Any], workload: Any, calendar: str, horizon_s: float = 400.0) -> Result:
    keys = {"name": "ends", "seed": 1, "horizon": horizon_s, "calendar": calendar, "workload": workload}
    return simulate(load(keys | {"pools": pools}))


def replay(tmp_path: Path, pools: dict[str, Any], header: str, *rows: str, calendar: str = "simpy") -> Any:
    """Request rows of these arrivals."""
    (tmp_path / "trace.csv").write_text("\n".join((header, *rows)) + "\n")
    stream: dict[str, Any] = {"trace": str(tmp_path / "trace.csv"), "format": "plain"}
    if len(pools) > 1:
        stream = {"streams": {"only": stream | {"pool": next(iter(pools))}}}
    return run(pools, stream, calendar).log.requests


@pytest.mark.parametrize("calendar", ["simpy", "compiled"])
@pytest.mark.parametrize(
    ("lost", "finish_s"),
    [("resume", [300.0, 100.5, 104.5]), ("retry", [300.0, 107.5, 204.0]), ("fail", [300.0, 8.0, 104.0])],
)
def test_a_service_that_a_kill_cuts_off(tmp_path: Path, lost: str, finish_s: list[float], calendar: str) -> None:
    """Two servers, one from 8 s, two again from 100 s; the second request has had 7 s of 7.5 s when its server goes."""
    policy = Turns(turn_s=100, switch_s=8, first=2, second=1)
    pool = SLOTS | {"autoscaler": policy, "drain": {"grace": 0, "lost": lost}}
    jobs = ("arrival_s,service_s", "0,300", "1,7.5", "2,4")
    rows = replay(tmp_path, {"p": pool}, *jobs, calendar=calendar)
    assert rows["finish_s"].tolist() == finish_s
    assert rows["lost"].tolist() == [0, 1, 1 if lost == "retry" else 0], "at 108 s the third is cut off"
    assert rows["outcome"].tolist() == [COMPLETED, FAILED if lost == "fail" else COMPLETED, COMPLETED]
    assert rows["start_s"][1] == 1.0, "it started when it first did"
    if lost == "resume":
        assert rows["first_token_s"][1] == 100.5, "without tokens the answer is the first one"


@pytest.mark.parametrize("calendar", ["simpy", "compiled"])
@pytest.mark.parametrize(
    ("lost", "first_token_s", "finish_s"), [("resume", 3.0, 7.5 + 2.05 + 14), ("retry", 9.5, 9.5 + 19)]
)
def test_tokens_that_a_kill_cuts_off(
    tmp_path: Path, lost: str, first_token_s: float, finish_s: float, calendar: str
) -> None:
    """Five of 20 tokens are out when the replica goes; prompt and these are prefilled at the other, which idles."""
    policy = Turns(turn_s=1000, switch_s=7.5, first=2, second=1)
    pool = BATCHING | {"autoscaler": policy, "drain": {"grace": 0, "lost": lost}}
    jobs = ("arrival_s,prompt_tokens,output_tokens", "0,100,3", "1,100,20")
    row = replay(tmp_path, {"p": pool}, *jobs, calendar=calendar)[1]
    assert (row["start_s"], row["first_token_s"]) == (1.0, first_token_s)
    assert row["finish_s"] == pytest.approx(finish_s, abs=1e-9)
    assert (row["lost"], row["done_tokens"]) == (1, 5 if lost == "resume" else 0)


@pytest.mark.parametrize(
    ("lost", "first_token_s", "finish_s"),
    [
        ("resume", 4.0, 9.25 + 2.05 + 14),  # five tokens are out, and prefilled where the others are made
        ("retry", 11.25, 11.25 + 0.5131072 + 19),  # prefill, the link and all tokens once more
    ],
)
def test_who_decodes_in_another_pool_goes_on_there(
    tmp_path: Path, lost: str, first_token_s: float, finish_s: float
) -> None:
    transfer = {"to": "decode", "bandwidth": "1GB/s", "latency": "0.5s"}
    pool = BATCHING | {"model": "llama-3-8b", "gpu": "h100-sxm"}
    policy = Turns(turn_s=1000, switch_s=9.25, first=2, second=1)
    pools = {
        "prefill": pool | {"autoscaler": {"replicas": 1}, "kv_transfer": transfer},
        "decode": pool | {"autoscaler": policy, "drain": {"grace": 0, "lost": lost}},
    }
    jobs = ("arrival_s,prompt_tokens,output_tokens", "0,100,4", "0.5,100,20")
    row = replay(tmp_path, pools, *jobs)[1]
    assert (row["lost"], row["first_token_s"]) == (1, first_token_s)
    assert row["finish_s"] == pytest.approx(finish_s, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lost", ["retry", "resume", "fail"])
def test_pools_that_hand_over_while_replicas_fail(lost: str, seed: int) -> None:
    """Whatever is lost on the way, every invariant holds (they are checked on each run), in both calendars."""
    pool = {
        "model": "llama-3-8b",
        "gpu": "h100-sxm",
        "kv_capacity_tokens": 20_000,
        "drain": {"lost": lost},
        "faults": [{"kind": "crash", "mtbf": "40s", "repair": "5s"}],
        "autoscaler": {"replicas": 3},
    }
    keys = {
        "name": "hand over",
        "seed": seed,
        "horizon": "2m",
        "workload": {
            "arrivals": {"kind": "poisson", "rate": "6/s"},
            "prompt_tokens": {"kind": "lognormal", "mean": 1500, "cv": 1, "max": 6000},
            "output_tokens": {"kind": "uniform", "low": 1, "high": 200},
        },
        "pools": {
            "prefill": pool | {"kv_transfer": {"to": "decode", "bandwidth": "0.5GB/s", "latency": "10ms"}},
            "decode": pool,
        },
    }
    one, other = (simulate(load(keys | {"calendar": calendar})) for calendar in ("simpy", "compiled"))
    assert left(one) == left(other)
    assert one.summary()["faults"]["lost"] > 20


@pytest.mark.parametrize(("first", "goes"), [("newest", 2), ("oldest", 0), ("least_busy", 1)])
def test_which_replica_is_scaled_in_first(tmp_path: Path, first: str, goes: int) -> None:
    policy = Turns(turn_s=1000, switch_s=8, first=3, second=2)
    pool = SLOTS | {"autoscaler": policy, "drain": {"first": first}}
    (tmp_path / "trace.csv").write_text("arrival_s,service_s\n0,50\n1,5\n2,50\n")
    spans = run({"p": pool}, {"trace": str(tmp_path / "trace.csv"), "format": "plain"}, "simpy").log.spans
    assert np.flatnonzero(np.isfinite(spans["draining_s"])).tolist() == [goes]


def test_setups_go_before_replicas_that_serve() -> None:
    pool = SLOTS | {
        "autoscaler": OffWhenIdle(max_replicas=4, staggered=True),
        "boot": {"kind": "exponential", "mean": 2.0},
        "drain": {"first": "least_busy"},
    }
    spans = run({"p": pool}, POISSON, "simpy").log.spans
    begun, over = spans["ordered_s"], np.minimum(spans["ready_s"], spans["gone_s"])
    assert (begun[1:] >= over[:-1]).all(), "one setup at a time"
    again = begun[1:] == over[:-1]
    assert again.sum() > 20, "the next setup begins as soon as one ends, without waiting for a request to come or go"


@pytest.mark.parametrize(
    "policy",
    [
        OffWhenIdle(max_replicas=4),
        OffWhenIdle(max_replicas=4, staggered=True),
        RetireOnCompletion(turn_s=50, switch_s=20, first=5, second=3),
    ],
)
@pytest.mark.parametrize("lost", ["retry", "resume"])
def test_calendars_agree_on_policies_that_hear_of_every_change(policy: Elastic, lost: str) -> None:
    pool = SLOTS | {
        "autoscaler": policy,
        "boot": {"kind": "uniform", "low": 0.5, "high": 3},
        "drain": {"first": "least_busy", "grace": 0, "lost": lost},
        "faults": [{"kind": "crash", "mtbf": "20s", "repair": "2s"}],
    }
    one, other = (left(run({"p": pool}, POISSON, calendar)) for calendar in ("simpy", "compiled"))
    assert [name for name in one if one[name] != other[name]] == []


@pytest.mark.parametrize(
    ("query", "fine"),
    [
        (Query(CONCURRENCY), True),
        (Query(WAITING), True),
        (Query(WAITING, "mean", 30.0), False),
        (Query(WAITING, across="each"), False),
        (Query(REQUESTS, "rate", 30.0), False),
        (Query(BUSY_SHARE), False),
    ],
)
def test_without_samples_only_gauges_as_they_are_now(query: Query, fine: bool) -> None:
    assert (unanswerable(query, Pipeline(scrape_s=0.0)) is None) == fine
