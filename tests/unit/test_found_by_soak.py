"""What random scenarios have found, each in the smallest scenario that shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim import load, simulate
from sim.config.errors import ConfigError
from sim.theory import erlang_b, erlang_c

ENGINE: dict[str, Any] = {
    "latency": {"base_s": 0.03, "prefill_s_per_token": 1e-4, "decode_s_per_seq": 1e-3, "attention_s_per_token": 0},
    "kv_capacity_tokens": 3000,
    "autoscaler": {"kind": "fixed", "replicas": 1},
}
SLOTS: dict[str, Any] = {"replica": {"kind": "slots"}, "autoscaler": {"kind": "fixed", "replicas": 1}}


def told(**keys: Any) -> dict[str, Any]:
    """The summary of a scenario, as JSON must hold it."""
    summary = simulate(load({"name": "found", "horizon": 20, **keys})).summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    return summary


def law(value: float) -> dict[str, Any]:
    return {"kind": "constant", "value": value}


def tokens(prompt: float, output: float, **keys: Any) -> dict[str, Any]:
    arrivals = {"kind": "poisson", "rate": 2}
    return {"arrivals": arrivals, "prompt_tokens": law(prompt), "output_tokens": law(output), **keys}


@pytest.mark.parametrize("calendar", ["simpy", "compiled"])
def test_users_who_never_think_and_are_turned_away_at_once_end_the_run(calendar: str) -> None:
    """They asked for ever at one instant, and took more and more memory."""
    closed = {"arrivals": {"kind": "closed", "users": 3}, "service": law(5)}
    pool = SLOTS | {"queue": {"kind": "central", "max_waiting": 0}}
    scenario = load({"name": "found", "horizon": 20, "calendar": calendar, "workload": closed, "pools": {"main": pool}})
    with pytest.raises(ConfigError, match=r"workload\.arrivals\.think: users .* ask again without end at 0 s") as error:
        simulate(scenario)
    assert "think: 1s" in str(error.value)


def test_users_who_never_think_but_wait_are_served() -> None:
    closed = {"arrivals": {"kind": "closed", "users": 3}, "service": law(0.5)}
    assert told(workload=closed, pools={"main": SLOTS})["requests"]["completed"] == 42  # two of them after the horizon


def handing_over(**clients: Any) -> dict[str, Any]:
    """A pool whose answers take two seconds to its clients hands over to one whose answers are there at once."""
    sheet = {"model": "llama-3-8b", "gpu": "h100-sxm"}
    first = ENGINE | sheet | {"kv_transfer": {"to": "decode", "bandwidth": "100GB/s"}}
    first["latency"] = ENGINE["latency"] | {"overhead_s": 2.0}
    workload = tokens(100, 5, pool="prefill", **({"clients": clients} if clients else {}))
    return {"workload": workload, "pools": {"prefill": first, "decode": ENGINE | sheet}}


@pytest.mark.parametrize("calendar", ["simpy", "compiled"])
def test_no_answer_is_whole_before_its_first_token(calendar: str) -> None:
    """The way from the pool that prefills may be slower than that from the pool that decodes."""
    rows = simulate(load({"name": "found", "horizon": 20, "calendar": calendar, **handing_over()})).log.requests
    assert len(rows) > 20
    assert (rows["finish_s"] >= rows["first_token_s"]).all()


def test_work_wasted_between_two_pools_is_a_number() -> None:
    """Of clients who have gone before their first token got to them nobody knows when it came."""
    summary = told(**handing_over(first_token_timeout={"kind": "exponential", "mean": 1.5}))
    assert summary["requests"]["timed_out"] > 5
    assert summary["pools"]["decode"]["ledger"]["gpu_hours"]["wasted"] > 0


def test_memory_told_in_tokens_beside_memory_told_in_blocks() -> None:
    """An offer that says how many tokens it holds, in a pool whose sheets say how many blocks."""
    offers = [{"name": "told", "kv_capacity_tokens": 2000, "latency": ENGINE["latency"], "most": 1}, {"name": "sheet"}]
    pool = {"model": "llama-3-8b", "gpu": "h100-sxm", "autoscaler": {"kind": "fixed", "replicas": 2}, "supply": offers}
    summary = told(workload=tokens(100, 20), pools={"main": pool})
    assert summary["requests"]["completed"] == summary["requests"]["arrived"] > 20


def test_a_trace_of_which_nothing_comes_before_the_horizon(tmp_path: Path) -> None:
    trace = tmp_path / "late.csv"
    trace.write_text("arrival_s,prompt_tokens,output_tokens\n50,10,10\n60,10,10\n")
    assert told(workload={"trace": str(trace)}, pools={"main": ENGINE})["requests"]["arrived"] == 0


def test_answers_of_no_tokens_have_one() -> None:
    """A law may give 0, and each answer has a token: theory divided by none."""
    slo = [{"metric": "tpot", "under": 1, "share": 0.9}]
    assert told(workload=tokens(10, 0), pools={"main": ENGINE}, slo=slo)["requests"]["completed"] > 20


def test_conversations_that_never_begin() -> None:
    dip = {"kind": "spike", "rate": 1, "factor": 0, "at": 0, "duration": 1000}
    workload = tokens(10, 5, arrivals=dip, session={"turns": law(2)})
    assert told(workload=workload, pools={"main": ENGINE})["requests"]["arrived"] == 0


def test_a_curve_that_does_not_fit_its_file_is_told_where_it_stands(tmp_path: Path) -> None:
    """The place was that of the key below the stream, without the stream."""
    table = tmp_path / "rates.csv"
    table.write_text("t_s,rate_per_s\n0,1\n60,2\n")
    curve = tokens(10, 5, arrivals={"kind": "curve", "file": str(table), "repeat": True, "period": 10})
    scenario = load(
        {"name": "found", "horizon": 20, "workload": {"streams": {"one": curve}}, "pools": {"main": ENGINE}}
    )
    with pytest.raises(ConfigError, match=r"^workload\.streams\.one\.arrivals\.period: must be at least"):
        simulate(scenario)


@pytest.mark.parametrize(("servers", "load_"), [(0, 1.5), (1, 0.3), (10, 9.5), (50, 12.0), (200, 260.0), (7, 0.0)])
def test_erlangs_formula_is_the_recursion(servers: int, load_: float) -> None:
    blocked = 1.0
    for busy in range(1, servers + 1):
        blocked = load_ * blocked / (busy + load_ * blocked)
    assert erlang_b(servers, load_) == pytest.approx(blocked, rel=1e-12)


def test_erlangs_formula_of_ten_million_servers() -> None:
    """A rate of a million a second of services of ten seconds: the smallest fleet took minutes to find."""
    assert erlang_b(10_000_000, 10_000_000.0) == pytest.approx(np.sqrt(2 / np.pi / 1e7), rel=1e-3)  # heavy traffic
    assert erlang_c(10_000_000, 9_000_000.0) == 0.0
    assert erlang_b(10**9, 3.0) == 0.0


@pytest.mark.parametrize("calendar", ["simpy", "compiled"])
def test_who_is_turned_away_after_a_wait_hears_of_it_then(calendar: str) -> None:
    """A spot replica goes, and those who waited at it find the others full: as with clients that could give up."""
    stream = {"arrivals": {"kind": "poisson", "rate": 8}, "service": {"kind": "exponential", "mean": 2}}
    pool = {
        "replica": {"kind": "slots"},
        "queue": {"kind": "per_replica", "max_waiting": 6},
        "autoscaler": {"kind": "fixed", "replicas": 5},
        "supply": [{"name": "spot", "market": "spot", "spot": {"hazard": 0.02, "notice": 1}}],
    }
    keys: dict[str, Any] = {"name": "found", "horizon": 30, "calendar": calendar, "pools": {"p": pool}}
    rows = simulate(load({**keys, "workload": stream})).log.requests
    patient = simulate(load({**keys, "workload": {**stream, "clients": {"patience": 1e9}}})).log.requests
    assert (rows["finish_s"][np.isnan(rows["start_s"])] > rows["arrival_s"][np.isnan(rows["start_s"])]).any()
    np.testing.assert_array_equal(rows["finish_s"], patient["finish_s"])


def test_a_fixed_fleet_on_spot_orders_anew_at_the_notice() -> None:
    """Not when the notice is over: there is room for both while one drains, as beside a fault that never comes."""
    spot = {"name": "spot", "market": "spot", "spot": {"hazard": 0.02, "notice": 5}}
    pool = {**SLOTS, "supply": [spot], "autoscaler": {"kind": "fixed", "replicas": 3}}
    stream = {"arrivals": {"kind": "poisson", "rate": 4}, "service": {"kind": "exponential", "mean": 4}}
    keys: dict[str, Any] = {"name": "found", "horizon": 60, "workload": stream}
    faults = [{"kind": "crash", "mtbf": 1e15}]
    one, other = (simulate(load({**keys, "pools": {"p": each}})).log for each in (pool, {**pool, "faults": faults}))
    later = one.spans["ordered_s"] > 0
    assert later.any()
    assert np.isin(one.spans["ordered_s"][later], one.spans["draining_s"]).all()
    np.testing.assert_array_equal(one.spans["ordered_s"], other.spans["ordered_s"])


@pytest.mark.parametrize("calendar", ["simpy", "compiled"])
def test_speculation_never_holds_more_memory_than_there_is(calendar: str) -> None:
    """All tokens of an iteration come at once: the mean over iterations is ahead of them by up to a token each."""
    sampled = {"kind": "predictive", "per_replica": 0.25, "lead": 20, "bin": 10, "season": 120}
    replica = {"speculation": {"draft_tokens": 2, "acceptance": "50%"}}
    pool = {**ENGINE, "kv_capacity_tokens": 600, "replica": replica, "autoscaler": sampled}
    stream = tokens(1, 24)
    stream["arrivals"]["rate"] = 100
    keys = {"name": "found", "horizon": 8, "calendar": calendar}
    log = simulate(load({**keys, "workload": stream, "pools": {"p": pool}})).log
    held, there = (np.diff(log.samples[name]) for name in ("kv_tokens_s", "kv_capacity_s"))
    assert held.max() > 0.97 * there.max(), "the memory is never full"
    assert (held <= there * (1 + 1e-9)).all()


@pytest.mark.parametrize("calendar", ["simpy", "compiled"])
def test_a_prompt_computed_for_a_client_who_goes_before_it_is_handed_over_is_known(calendar: str) -> None:
    """In a pool that goes on for who has gone, the KV cache crosses the link first, and then nobody wants it."""
    first = {**ENGINE, "cancels": False, "kv_transfer": {"to": "b", "bandwidth": "1GB/s", "latency": "2s"}}
    model = {"model": "llama-3-8b", "gpu": "h100-sxm"}
    stream = tokens(100, 20, clients={"first_token_timeout": {"kind": "uniform", "low": 0.02, "high": 0.1}})
    keys = {"name": "found", "horizon": 20, "calendar": calendar}
    pools = {"a": {**first, **model}, "b": {**ENGINE, **model}}
    log = simulate(load({**keys, "workload": stream, "pools": pools})).log
    assert log.calls is not None
    gone = log.calls["given_up"] == 1
    assert gone.any()
    assert (log.calls["left_s"][gone] > log.requests["finish_s"][gone] + 2).all()
    assert (log.calls["prefilled"][gone] == 100).all()
