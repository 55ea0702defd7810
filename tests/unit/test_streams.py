"""Streams become one table of requests: names, pools, merging, service times, and randomness that never leaks."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from pydantic import ValidationError

from sim.config import machine
from sim.config.errors import ConfigError, DataError
from sim.workload import Demand
from sim.workload.rates import check_size
from tests.laws import chat, complaint, workload

COLUMNS = ("arrival_s", "stream", "prompt_tokens", "output_tokens", "service_s", "first_service_s", "ticket")


def same(one: Demand, other: Demand) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS)


def only(demand: Demand, stream: str) -> dict[str, Any]:
    """The rows of one stream, by column."""
    rows = demand.stream == demand.streams.index(stream)
    return {name: getattr(demand, name)[rows].tolist() for name in COLUMNS if name != "stream"}


def philox(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(7, spawn_key=key)))


def test_random_numbers_are_keyed_by_replication_purpose_and_stream() -> None:
    """Written out once more by hand, so that a change of key or of draw order cannot pass unseen."""
    demand = workload(**chat(prompt_tokens={"kind": "exponential", "mean": 900})).demand(7, 3, 10.0)
    key = crc32(b"requests")
    gaps = philox(3, crc32(b"arrivals"), key).standard_exponential(len(demand))
    assert demand.arrival_s.tolist() == pytest.approx((np.cumsum(gaps) / 5).tolist(), rel=1e-15)
    lengths = philox(3, crc32(b"prompt_tokens"), key).standard_exponential(len(demand)) * 900
    assert demand.prompt_tokens.tolist() == np.maximum(np.rint(lengths), 1).tolist()
    assert demand.ticket.tolist() == philox(3, crc32(b"ticket"), key).random(len(demand)).tolist()


def test_columns_have_their_types_and_ranges() -> None:
    demand = workload(**chat(output_tokens={"kind": "exponential", "mean": 0.2})).demand(1, 0, 100.0)
    types = {name: str(getattr(demand, name).dtype) for name in COLUMNS}
    assert types == dict(
        zip(COLUMNS, ["float64", "int16", "int32", "int32", "float64", "float64", "float64"], strict=True)
    )
    assert demand.streams == ("requests",)
    assert demand.output_tokens.min() == 1
    assert (np.diff(demand.arrival_s) >= 0).all()
    assert demand.arrival_s[-1] < 100
    assert not demand.service_s.any()
    assert len(demand) == len(demand.ticket) > 400


def test_same_seed_same_demand_other_replication_another() -> None:
    one = workload(**chat())
    assert same(one.demand(1, 0, 50.0), one.demand(1, 0, 50.0))
    assert not same(one.demand(1, 0, 50.0), one.demand(1, 1, 50.0))
    assert not same(one.demand(1, 0, 50.0), one.demand(2, 0, 50.0))


def test_a_new_stream_never_changes_the_others() -> None:
    two = {"chat": chat(), "code": chat(arrivals={"kind": "cox", "rate": 3, "cv": 0.3, "correlation": "5s"})}
    three = {"batch": chat(arrivals={"kind": "poisson", "rate": 50}), **two}
    before, after = workload(streams=two).demand(1, 0, 60.0), workload(streams=three).demand(1, 0, 60.0)
    for name in two:
        assert only(before, name) == only(after, name)


def test_streams_are_independent() -> None:
    pair = workload(streams={"a": chat(), "b": chat()}).demand(1, 0, 60.0)
    assert only(pair, "a")["arrival_s"] != only(pair, "b")["arrival_s"]


def test_changing_lengths_leaves_arrivals_and_service_alone() -> None:
    service = {"kind": "lognormal", "mean": 2, "cv": 1}
    one = workload(**chat(service=service)).demand(1, 0, 60.0)
    other = workload(**chat(service=service, prompt_tokens={"kind": "gamma", "mean": 9, "cv": 2})).demand(1, 0, 60.0)
    for name in ("arrival_s", "service_s", "output_tokens", "ticket"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_a_longer_horizon_starts_with_the_shorter_run() -> None:
    streams = workload(streams={"a": chat(), "b": chat(service={"kind": "hyperexponential", "mean": 2, "cv": 2})})
    short, long = streams.demand(1, 0, 60.0), streams.demand(1, 0, 600.0)
    for name in COLUMNS:
        assert np.array_equal(getattr(short, name), getattr(long, name)[: len(short)]), name


def test_streams_are_merged_by_time_and_ties_keep_their_order() -> None:
    grid = {"kind": "renewal", "gap": {"kind": "constant", "value": 0.5}}
    slow = {"kind": "renewal", "gap": {"kind": "constant", "value": 1.0}}
    demand = workload(streams={"late": chat(arrivals=slow), "early": chat(arrivals=grid)}).demand(1, 0, 2.1)
    assert demand.streams == ("late", "early")
    assert demand.arrival_s.tolist() == [0.5, 1, 1, 1.5, 2, 2]
    assert demand.stream.tolist() == [1, 0, 1, 1, 0, 1]


def test_thousands_of_ties_keep_the_order_of_the_streams() -> None:
    grid = chat(arrivals={"kind": "renewal", "gap": {"kind": "constant", "value": 0.25}})
    demand = workload(streams={"a": grid, "b": grid, "c": grid}).demand(1, 0, 1000.0)
    assert np.array_equal(demand.stream.reshape(-1, 3), np.tile([0, 1, 2], (len(demand) // 3, 1)))


def test_service_comes_whole_unless_it_is_per_token() -> None:
    whole = workload(arrivals={"kind": "poisson", "rate": 5}, service={"kind": "exponential", "mean": "1s"})
    demand = whole.demand(1, 0, 50.0)
    assert np.array_equal(demand.service_s, demand.first_service_s)
    assert demand.service_s.mean() == pytest.approx(1, rel=0.3)
    assert set(demand.prompt_tokens.tolist()) == {0}
    assert set(demand.output_tokens.tolist()) == {1}


def test_per_token_service_follows_the_lengths() -> None:
    service = {"kind": "per_token", "base": "100ms", "prompt": "1ms", "output": "45ms"}
    demand = workload(**chat(service=service, output_tokens={"kind": "exponential", "mean": 30})).demand(1, 0, 50.0)
    expected = 0.1 + 0.001 * 100 + 0.045 * demand.output_tokens
    assert demand.service_s.tolist() == pytest.approx(expected.tolist())
    assert demand.first_service_s.tolist() == pytest.approx([0.1 + 0.1 + 0.045] * len(demand))
    single = demand.output_tokens == 1
    assert single.any()
    assert np.array_equal(demand.service_s[single], demand.first_service_s[single]), "to the bit"


def test_one_column_of_zeros_serves_both_service_times_of_a_batching_stream() -> None:
    """11 million requests should not pay for two columns of zeros, nor for two copies of one service time."""
    demand = workload(streams={"a": chat(), "b": chat()}).demand(1, 0, 5.0)
    assert demand.service_s is demand.first_service_s


def test_a_constant_prompt_of_zero_stays_zero() -> None:
    demand = workload(**chat(prompt_tokens={"kind": "constant", "value": 0})).demand(1, 0, 5.0)
    assert not demand.prompt_tokens.any()


def test_names_pools_and_what_streams_bring(tmp_path: Path) -> None:
    timed = tmp_path / "timed.csv"
    timed.write_text("arrival_s,service_s\n1,2\n")
    several = workload(
        streams={
            "chat": chat(pool="big"),
            "image": {"arrivals": {"kind": "poisson", "rate": 1}, "service": {"kind": "constant", "value": 9}},
            "replay": {"trace": str(timed)},
        }
    )
    assert several.stream_names == ("chat", "image", "replay")
    assert [several.stream_pool(name) for name in several.stream_names] == ["big", None, None]
    assert [several.has_service(name) for name in several.stream_names] == [False, True, True]
    assert [several.has_tokens(name) for name in several.stream_names] == [True, False, False]
    assert not several.is_finite
    assert workload(trace=str(timed)).is_finite
    assert not workload(trace=str(timed), loop=True).is_finite
    assert workload(**chat()).stream_names == ("requests",)


def test_expected_requests_is_near_what_comes() -> None:
    several = workload(streams={"a": chat(), "b": chat(arrivals={"kind": "poisson", "rate": 2})})
    assert several.expected_requests(1000.0) == pytest.approx(7000)
    assert len(several.demand(1, 0, 1000.0)) == pytest.approx(7000, rel=0.05)


def test_no_request_at_all_is_said() -> None:
    demand = workload(**chat(arrivals={"kind": "curve", "points": [[0, 0], [60, 0], [61, 5]]})).demand(1, 0, 30.0)
    assert len(demand) == 0
    assert demand.notes == ("stream requests: no request arrives",)


def test_workloads_survive_pickling() -> None:
    """Replications run in other processes."""
    several = workload(streams={"a": chat(arrivals={"kind": "diurnal", "rate": 5, "peak": 2, "trough": 0.3})})
    several.demand(1, 0, 100.0)
    back = pickle.loads(pickle.dumps(several))
    assert back == several
    assert same(back.demand(1, 0, 100.0), several.demand(1, 0, 100.0))


WRONG: list[tuple[Any, str]] = [
    ({}, "needs exactly one of: arrivals (generated requests), trace (a file to replay), streams (several, by name)"),
    ({**chat(), "trace": "x.csv"}, "needs exactly one of: arrivals"),
    ({"streams": {"a": {"streams": {"b": chat()}}}}, "a: needs exactly one of: arrivals (generated requests), trace"),
    ({"streams": {}}, "streams: must hold between 1 and 32,767 streams, got 0"),
    ({"streams": {"a.b": chat()}}, "[key]: a stream's name may hold letters, digits, '_' and '-' (at most 60 char"),
    ({"arrivals": {"kind": "poisson", "rate": 5}}, "needs prompt_tokens and output_tokens (for batching replicas) or"),
    ({**chat(), "output_tokens": None}, "needs output_tokens (for batching replicas) or service (for slots replicas)"),
    ({**chat(), "tokens": 5}, "tokens: Extra inputs are not permitted"),
    ({**chat(), "prompt_tokens": {"kind": "constant", "value": "5s"}}, "value: must be a number, such as"),
    ({**chat(), "service": {"kind": "constant", "value": "5k"}}, "value: must be a duration, such as"),
    ({**chat(), "service": {"kind": "per_token"}}, "per_token: needs base, prompt or output above 0"),
    (
        {"arrivals": {"kind": "poisson", "rate": 5}, "service": {"kind": "per_token", "output": 1}},
        "service.output: is a time per output token, but the stream has no output_tokens",
    ),
    ({"trace": ""}, "trace: names no file; give the path of a trace, for example --set workload.trace=PATH"),
    ({"trace": None}, "trace: names no file; give the path of a trace, for example --set workload.trace=PATH"),
    (
        {"trace": "x", "format": "azur"},
        "format: 'azur' is not one of azure, burstgpt, mooncake, plain; did you mean 'az",
    ),
    ({"trace": "x", "speed": 0}, "speed: must be above 0, got 0"),
    ({"trace": "x", "start": "-5s"}, "start: must be at least 0, got '-5s'"),
    ({"trace": "x", "limit": 0}, "limit: must be above 0, got 0"),
    ({"trace": "x", "loop": "maybe"}, "loop: Input should be a valid boolean"),
]


@pytest.mark.parametrize(("keys", "said"), WRONG, ids=lambda value: str(value)[:50])
def test_wrong_workloads_are_told(keys: Any, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        workload(**keys)
    (line,) = complaint(caught.value)
    assert said in line


@pytest.mark.parametrize(
    ("keys", "horizon_s", "said"),
    [
        (chat(), None, "workload: needs a horizon: generated arrivals never end by themselves"),
        (
            chat(prompt_tokens={"kind": "lognormal", "mean": 1e9, "cv": 100}),
            1000.0,
            "workload.prompt_tokens: drew 5.599e+11 tokens for one request; give the law a `max`",
        ),
        (
            {"streams": {"big": chat(arrivals={"kind": "poisson", "rate": "1G/s"})}},
            100.0,
            "workload: about 1e+11 requests before the horizon; one run holds at most 2,147,483,647: shorten the "
            "horizon or lower the rate",
        ),
        (
            {"streams": {"drift": chat(arrivals={"kind": "cox", "rate": 1, "cv": 1, "correlation": "1us"})}},
            1000.0,
            "workload.streams.drift.arrivals.correlation: is too short for this horizon",
        ),
    ],
)
def test_demand_that_cannot_be_drawn_is_told(keys: Any, horizon_s: float | None, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        workload(**keys).demand(1, 0, horizon_s)
    assert str(caught.value).startswith(said)


def test_a_trace_that_loops_needs_a_horizon(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("arrival_s,service_s\n0,2\n")
    looping = workload(trace=str(file), loop=True)
    with pytest.raises(ConfigError, match="workload: needs a horizon: a trace that loops never ends by itself"):
        looping.demand(1, 0, None)
    with pytest.raises(DataError, match="cannot loop: all its requests arrive at one instant"):
        looping.demand(1, 0, 10.0)


def test_a_trace_with_service_times_takes_no_law_for_them(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("arrival_s,service_s\n0,2\n")
    with pytest.raises(ConfigError, match=r"workload\.service: .*trace\.csv has service times of its own"):
        workload(trace=str(file), service={"kind": "constant", "value": 1}).demand(1, 0, None)


def test_a_replayed_stream_may_get_service_times_from_a_law(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("arrival_s,prompt_tokens,output_tokens\n0,10,20\n1,10,40\n")
    replay = workload(trace=str(file), service={"kind": "per_token", "output": "50ms"})
    assert replay.has_service("requests")
    assert replay.demand(1, 0, None).service_s.tolist() == [1, 2]


def test_more_requests_than_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: 1.5 * 2**30)
    check_size(1e7)
    with pytest.raises(ConfigError, match=r"1e\+08 requests .* take about 14 GiB of memory, and this machine has 1.5:"):
        check_size(1e8)


def test_the_machine_has_memory() -> None:
    assert machine.memory_bytes() > 2**28
