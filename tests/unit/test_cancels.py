"""What a replica does with requests whose clients have gone, or that end with it, by hand; and what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sim import Result, load, simulate
from sim.config.errors import ConfigError
from sim.model.tables import COMPLETED, FAILED, TIMED_OUT
from tests.invariants import check
from tests.validation.fleet_policies import Turns

SLOT = {"replica": {"kind": "slots", "concurrency": 1}, "queue": {"kind": "central"}}
BATCH = {
    "latency": {"base_s": 1.0, "prefill_s_per_token": 0.01, "decode_s_per_seq": 0, "attention_s_per_token": 0},
    "kv_capacity_tokens": 10_000,
}
ONE = {"autoscaler": {"replicas": 1}, "price": {"on_demand": 3600}}


def replay(folder: Path, pool: dict[str, Any], clients: dict[str, Any], *rows: str) -> tuple[Result, Any, Any]:
    """One run that is checked, with its attempts and calls: a dollar is a second of a replica."""
    (folder / "trace.csv").write_text("\n".join(rows) + "\n")
    stream = {"trace": str(folder / "trace.csv"), "format": "plain", "clients": clients}
    keys = {"name": "cancels", "horizon": 40, "calendar": "simpy", "workload": stream}
    scenario = load(keys | {"pools": {"p": pool}})
    result = simulate(scenario)
    check(scenario, result.log)
    assert result.log.calls is not None
    return result, result.log.requests, result.log.calls


@pytest.mark.parametrize(
    ("cancels", "left_s", "second", "wasted_s"), [(True, 5.0, (5.5, COMPLETED), 5), (False, 10.0, (6.0, TIMED_OUT), 10)]
)
def test_a_slot_of_one_who_has_gone(
    tmp_path: Path, cancels: bool, left_s: float, second: tuple[float, int], wasted_s: float
) -> None:
    """The first gives up at 5 of the 10 s that it needs; the second, here from 1 s on, waits until 6 at most."""
    jobs = ("arrival_s,service_s", "0,10", "1,0.5")
    result, rows, calls = replay(tmp_path, {**SLOT, **ONE, "cancels": cancels}, {"total_timeout": 5}, *jobs)
    assert (rows["finish_s"][0], rows["outcome"][0], calls["left_s"][0]) == (5.0, TIMED_OUT, left_s)
    assert (rows["finish_s"][1], rows["outcome"][1]) == second
    summary = result.summary()
    assert summary["attempts"]["wasted"]["attempts"] == 1
    assert summary["ledger"]["usd"]["wasted"] == pytest.approx(wasted_s)
    assert summary["ledger"]["usd"]["useful"] == pytest.approx(0.5 if cancels else 0)


def test_a_first_token_that_is_late_on_its_way_is_late(tmp_path: Path) -> None:
    """Served by 0.9 s, but the answer is 0.3 s on its way, and a first token is waited for until 1 s."""
    pool = {**SLOT, **ONE, "overhead": 0.3}
    _, rows, calls = replay(tmp_path, pool, {"first_token_timeout": 1}, "arrival_s,service_s", "0,0.9", "5,0.2")
    assert (rows["finish_s"][0], rows["outcome"][0], calls["left_s"][0]) == (1.0, TIMED_OUT, 0.9)


@pytest.mark.parametrize(("cancels", "left_s", "tokens"), [(True, 6.0, 5), (False, 21.0, 20)])
def test_a_batch_with_one_who_has_gone(tmp_path: Path, cancels: bool, left_s: float, tokens: int) -> None:
    """Prefilled at 2 s, a token a second from then on; gone at 5.5 s. Another one, later, is answered."""
    jobs = ("arrival_s,prompt_tokens,output_tokens", "0,100,20", "30,10,2")
    result, rows, calls = replay(tmp_path, {**BATCH, **ONE, "cancels": cancels}, {"total_timeout": 5.5}, *jobs)
    assert (rows["finish_s"][0], calls["left_s"][0]) == (5.5, left_s)
    summary = result.summary()
    assert summary["attempts"]["wasted"] == {"attempts": 1, "prompt_tokens": 100, "output_tokens": tokens}
    ledger = summary["ledger"]["usd"]
    # a second of prefill; memory holds about 100 of the mean request, so each token is a hundredth of an iteration
    assert ledger["wasted"] == pytest.approx(1 + 0.01 * tokens, rel=1e-3)
    assert ledger["useful"] == pytest.approx(0.1 + 0.01 * 2, rel=1e-2)


@pytest.mark.parametrize("cancels", [True, False])
def test_a_request_that_fails_with_its_replica_leaves_behind_what_was_computed(tmp_path: Path, cancels: bool) -> None:
    """A prompt and five tokens of the one that began at 1 s; nothing of the one whose prefill is under way."""
    pool = {**BATCH, "autoscaler": Turns(turn_s=1000, switch_s=7.5, first=2, second=1), "price": {"on_demand": 3600}}
    pool |= {"drain": {"grace": 0, "lost": "fail"}, "cancels": cancels}
    clients = {"total_timeout": 30, "retry": {"kind": "fixed", "attempts": 2, "base": 0.5}}
    jobs = ("arrival_s,prompt_tokens,output_tokens", "0,100,9", "1,100,20")
    result, rows, calls = replay(tmp_path, pool, clients, *jobs)
    assert rows["outcome"].tolist() == [COMPLETED, FAILED, COMPLETED]
    assert (rows["done_tokens"][1], calls["prefilled"][1]) == (5, 100)
    assert (calls["first"][2], calls["attempt"][2], calls["backoff_s"][1]) == (1, 2, 0.5)
    assert (rows["done_tokens"][2], calls["prefilled"][2]) == (0, 0), "the next attempt begins with nothing"
    assert result.summary()["attempts"]["wasted"] == {"attempts": 1, "prompt_tokens": 100, "output_tokens": 5}
    assert result.summary()["ledger"]["usd"]["wasted"] > 1


def test_cancels_is_yes_or_no() -> None:
    pool = {**SLOT, **ONE, "cancels": "at_once"}
    stream = {"arrivals": {"kind": "poisson", "rate": 1}, "service": 1}
    with pytest.raises(ConfigError, match=r"pools\.p\.cancels.*(true|false)"):
        load({"name": "x", "horizon": 1, "workload": stream, "pools": {"p": pool}})
