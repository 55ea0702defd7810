"""Streamed runs: when a run is one, what is refused, how the table grows, and the files that it writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim import load, simulate
from sim.config.errors import ConfigError
from sim.fleet import feed
from sim.model import lines, retiring, state
from sim.result import files, rows_draft
from sim.scenario import Scenario
from tests import runs
from tests.laws import chat
from tests.ordered import levels, served, slots

SLOTS = {"replica": {"kind": "slots", "concurrency": 2}, "autoscaler": {"kind": "fixed", "replicas": 3}}
LINE = {
    "horizon": "5m",
    "workload": {"arrivals": {"kind": "poisson", "rate": 4}, "service": {"kind": "exponential", "mean": 1.2}},
    "pools": {"one": SLOTS},
}


def line(**parts: Any) -> Scenario:
    return load({"name": "line", **LINE, **parts})


def refused(scenario: Scenario) -> dict[str, str]:
    """The places of what stands against streaming, and what is said of each."""
    with pytest.raises(ConfigError) as caught:
        simulate(scenario, stream=True)
    return {problem.path: problem.message for problem in caught.value.problems}


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "CHUNK_ROWS", 20)


def test_large_runs_are_streamed_by_themselves_where_they_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "STREAMED_FROM", 1000)
    assert simulate(line()).log.tally is not None
    assert simulate(line(), stream=False).log.tally is None
    assert simulate(line(horizon="2m")).log.tally is None
    patient = {**LINE["workload"], "clients": {"patience": "60s"}}
    assert simulate(line(workload=patient)).log.tally is None


def test_what_needs_all_requests_at_once_is_refused_with_its_place() -> None:
    streams = {"a": {**LINE["workload"], "clients": {"patience": "9s"}}, "b": LINE["workload"]}
    elastic = SLOTS | {"autoscaler": {"kind": "clairvoyant", "max_replicas": 4}}
    told = refused(line(workload={"streams": streams}, pools={"a": SLOTS, "b": elastic}))
    assert set(told) == {"workload.streams.a.clients", "pools.b.autoscaler"}
    assert "do more than wait" in told["workload.streams.a.clients"]


def test_a_trace_without_a_horizon_is_refused(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,service_s\n1,2\n2,3\n")
    assert set(refused(load({"name": "trace", "workload": {"trace": str(trace)}, "pools": {"one": SLOTS}}))) == {
        "horizon"
    }


@pytest.mark.usefixtures("small_chunks")
def test_the_table_holds_what_is_in_flight_and_grows_for_one_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of a thousand seconds keeps all that came after it in the table, and no more."""
    longest: list[int] = []
    retire = feed.retiring.retire

    def watched(tables: Any, count: int) -> None:
        longest.append(len(tables.requests))
        retire(tables, count)

    monkeypatch.setattr(feed.retiring, "retire", watched)
    told = simulate(line(), stream=True).log
    assert told.tally is not None
    assert told.tally.count > 1000
    assert max(longest) < 150
    longest.clear()
    stays = {"arrivals": {"kind": "poisson", "rate": 0.01}, "service": {"kind": "constant", "value": 1000}}
    streams = {"one": LINE["workload"], "long": stays | {"pool": "one"}}
    told = simulate(line(workload={"streams": streams}), stream=True).log
    assert told.tally is not None
    assert told.tally.count > 1000
    assert max(longest) > 500


def test_an_overload_without_end_stops_before_memory_does(small_chunks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed.machine, "memory_bytes", lambda: 400_000.0)
    flood = {**LINE["workload"], "arrivals": {"kind": "poisson", "rate": 40}}
    told = r"^at [\d.]+ s \d,\d{3} requests are under way at once.*does not keep up; give it more replicas"
    with pytest.raises(ConfigError, match=told):
        simulate(line(workload=flood), stream=True)
    bounded = SLOTS | {"queue": {"kind": "central", "max_waiting": 50}}
    summary = simulate(line(workload=flood, pools={"one": bounded}, horizon="2m"), stream=True).summary()
    assert summary["requests"]["rejected"] > 3_000, "what is turned away takes no room"
    assert simulate(line(), stream=True).summary()["requests"]["completed"] > 1000


@pytest.mark.parametrize("rate", [4, 1e-9])
@pytest.mark.parametrize("calendar", ["simpy", "compiled"])
@pytest.mark.usefixtures("small_chunks")
def test_progress_counts_all_requests(monkeypatch: pytest.MonkeyPatch, calendar: str, rate: float) -> None:
    monkeypatch.setattr("sim.engine.calendars.SLICE_EVENTS", 400)
    seen: list[tuple[float, int, int, int]] = []
    workload = {**LINE["workload"], "arrivals": {"kind": "poisson", "rate": rate}}
    of = line(workload=workload, calendar=calendar)
    told = simulate(of, progress=lambda *now: seen.append(now), stream=True).log
    assert told.tally is not None
    if rate < 1:
        assert told.tally.count == 0
        assert "stream requests: no request arrives" in told.notes
        return
    assert len(seen) > 3
    assert [one[1] for one in seen] == sorted(one[1] for one in seen)
    assert all(ended <= arrived <= total for _, arrived, ended, total in seen)
    assert seen[-1][1] > 900
    assert seen[-1][3] == pytest.approx(told.tally.count, rel=0.2)


@pytest.mark.usefixtures("small_chunks")
def test_a_request_that_cannot_be_served_is_told_by_its_number() -> None:
    pool = {
        "latency": {"base_s": 0.01, "prefill_s_per_token": 1e-5, "decode_s_per_seq": 1e-5, "attention_s_per_token": 0},
        "kv_capacity_tokens": 3000,
        "autoscaler": {"kind": "fixed", "replicas": 2},
    }
    long = {"kind": "lognormal", "mean": 300, "cv": 1.5}
    of = load({"name": "long", "horizon": "5m", "workload": chat(prompt_tokens=long), "pools": {"one": pool}})
    needs = of.workload.demand(of.seed, 0, of.horizon_s).prompt_tokens + 99
    first = int(np.argmax(needs > 3000))
    assert first >= 20
    with pytest.raises(ConfigError) as caught:
        simulate(of, stream=True)
    number = int(re.findall(r"request (\d+) of", str(caught.value))[0])
    assert first <= number < first + 20
    assert needs[number] > 3000


def test_quotas_are_judged_by_the_smallest_request_of_all(small_chunks: None) -> None:
    tenants = {"acme": {"quota": {"tokens": "1/s", "token_burst": 150}}}
    workload = chat(tenant="acme", prompt_tokens={"kind": "uniform", "low": 1, "high": 2000})
    pool = {
        "latency": {"base_s": 0.01, "prefill_s_per_token": 1e-5, "decode_s_per_seq": 1e-5, "attention_s_per_token": 0},
        "kv_capacity_tokens": 9000,
        "autoscaler": {"kind": "fixed", "replicas": 2},
    }
    keys = {"name": "quota", "horizon": "5m", "workload": workload, "pools": {"one": pool}, "tenants": tenants}
    assert simulate(load(keys), stream=True).log.tally is not None
    keys["tenants"] = {"acme": {"quota": {"tokens": "1/s", "token_burst": 90}}}
    with pytest.raises(ConfigError) as streamed:
        simulate(load(keys), stream=True)
    with pytest.raises(ConfigError) as kept:
        simulate(load(keys), stream=False)
    assert str(streamed.value) == str(kept.value)


@pytest.mark.parametrize("group", [1 << 18, 100])
def test_rows_written_on_the_way_are_the_bytes_of_rows_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_chunks: None, group: int
) -> None:
    monkeypatch.setattr(files, "ROW_GROUP", group)
    monkeypatch.setattr(rows_draft, "ROW_GROUP", group)
    kept = simulate(line(), stream=False).save(tmp_path / "kept", requests=True)
    with rows_draft.rows_draft(tmp_path / "made" / "streamed") as draft:
        result = simulate(line(), stream=True, retired=draft.begin)
        streamed = result.save(tmp_path / "made" / "streamed", requests=draft.close())
    assert (streamed / "requests.parquet").read_bytes() == (kept / "requests.parquet").read_bytes()
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["streamed"]


def test_a_run_that_fails_leaves_no_rows_behind(tmp_path: Path, small_chunks: None) -> None:
    def failing() -> None:
        with rows_draft.rows_draft(tmp_path / "made" / "streamed") as draft:

            def begin(names: Any) -> Any:
                add = draft.begin(names)

                def given(rows: Any, now_s: float) -> None:
                    add(rows, now_s)
                    if now_s > 100:
                        raise RuntimeError("stop")

                return given

            simulate(line(), stream=True, retired=begin)

    with pytest.raises(RuntimeError, match="stop"):
        failing()
    assert not list(tmp_path.iterdir())


def test_rows_that_were_not_kept_are_not_given(tmp_path: Path) -> None:
    result = simulate(line(), stream=True)
    with pytest.raises(ConfigError, match="--no-stream"):
        _ = result.requests
    with pytest.raises(ConfigError, match="--no-stream"):
        result.save(tmp_path / "run", requests=True)
    assert not (result.save(tmp_path / "run") / "requests.parquet").exists()


def test_a_line_keeps_its_order_when_rows_leave_the_table() -> None:
    """The fourth stands before the third; the first two have ended, and leave."""
    s = state.build([slots()], runs.table([served(at_s, 0, 1) for at_s in range(4)]), levels(0))
    lines.append(s.queues, s.requests, 0, 2)
    lines.prepend(s.queues, s.requests, 0, 3)
    retiring.retire(s, 2)
    assert [lines.pop(s.queues, s.requests, 0) for _ in range(2)] == [1, 0]
