"""Request logs of many tools as traffic, and the laws that are fitted to it."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from sim.config.errors import ConfigError, DataError
from sim.exchange.traffic.fit import fitted, workload_of
from sim.exchange.traffic.goodness import goodness
from sim.exchange.traffic.log import read_log
from sim.exchange.traffic.written import imported
from sim.workload.arrivals import Cox, Poisson
from sim.workload.randomness import rngs_of

CSV = "arrival_s,prompt_tokens,output_tokens\n0,10,1\n5,20,2\n9,30,3\n"


def log_file(folder: Path, text: str | bytes, name: str = "log.csv") -> str:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def requests(folder: Path, arrival_s: np.ndarray, **columns: Any) -> str:
    """A log of these arrivals; lengths are 100 and 10 where not given."""
    table = {"arrival_s": arrival_s, "prompt_tokens": 100, "output_tokens": 10, **columns}
    path = folder / "requests.parquet"
    pd.DataFrame(table).to_parquet(path)
    return str(path)


def jsonl(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


LITELLM = [
    {"startTime": "2026-01-05T10:00:00Z", "prompt_tokens": 10, "completion_tokens": 4},
    {"startTime": "2026-01-05T10:00:05Z", "prompt_tokens": 20, "completion_tokens": 5},
]
OPENAI = [
    {"created": 1767607200, "usage": {"prompt_tokens": 10, "completion_tokens": 4}},
    {"created": 1767607205, "usage": {"prompt_tokens": 20, "completion_tokens": 5}},
]
MOONCAKE = [
    {"timestamp": 27, "input_length": 10, "output_length": 4},
    {"timestamp": 5027, "input_length": 20, "output_length": 5},
]
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,10,4\n2023-11-16 18:15:51.68,20,5\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("azure.csv", AZURE),
        ("burst.csv", "Timestamp,Model,Request tokens,Response tokens\n45,a,10,4\n50,a,20,5\n"),
        ("mooncake.jsonl", jsonl(*MOONCAKE)),
        ("ns.csv", "input_toks,output_toks,arrival_time_ns\n10,4,1000000000\n20,5,6000000000\n"),
        ("litellm.jsonl", jsonl(*LITELLM)),
        ("openai.jsonl", jsonl(*OPENAI)),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_logs_of_many_tools_are_known_by_their_columns(tmp_path: Path, name: str, text: str, packed: bool) -> None:
    path = log_file(tmp_path, gzip.compress(text.encode()) if packed else text, f"{name}.gz" if packed else name)
    (found,) = read_log(path)
    assert found.arrival_s is not None
    np.testing.assert_allclose(np.diff(found.arrival_s), [5])
    assert (found.prompt.mean, found.output.mean) == (15, 4.5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("arrival_s,prompt_tokens,output_tokens\n", "has no requests"),
        ("time,value\n0,1\n", "no column for prompt_tokens and output_tokens; its columns: time, value. Name"),
        ("arrival_s,prompt_tokens,output_tokens\n0,1,1\n5,-2,1\n", "3: prompt_tokens: must be at least 0, got '-2'"),
        ("arrival_s,prompt_tokens,output_tokens\n0,1,1\n5,nan,1\n", "3: prompt_tokens: must be a number, got 'nan'"),
        ("arrival_s,prompt_tokens,output_tokens\n0,1,1\nnan,2,1\n", "3: arrival_s: must be a number, got 'nan'"),
        ("arrival_s,prompt_tokens,output_tokens\n0,1,1\n5,2\n", "3: 2 fields where the header has 3"),
        ("arrival_s,prompt_tokens,output_tokens\n0,1,1\n0,2,1\n", "all requests have the same time"),
        ("arrival_s,prompt_tokens,output_tokens\n0,1,1\n9e14,2,1\n", "name their unit with --time-unit"),
        ("arrival_s,prompt_tokens,output_tokens\n0,1,0\n5,2,0\n", "no request was completed"),
        ("time,prompt_tokens,output_tokens\n2026-01-05 10:00,1,1\nsoon,2,1\n", "3: time: must be a time such as"),
        (b"\x1f\x8b\x08\x00\x00", "is cut off or damaged"),
    ],
)  # fmt: skip
def test_a_wrong_log_is_refused_with_its_place(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(DataError) as error:
        read_log(log_file(tmp_path, text))
    assert told in str(error.value)


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = log_file(tmp_path, "when,q,a\n0,10,1\n2000,30,3\n")
    (found,) = read_log(path, {"time": "when", "prompt_tokens": "q", "output_tokens": "a"}, 1e-3)
    assert found.arrival_s is not None
    assert found.arrival_s.tolist() == [0, 2]
    with pytest.raises(DataError, match="no such column, which --map names for time"):
        read_log(path, {"time": "then"})
    with pytest.raises(ConfigError, match="did you mean 'prompt_tokens'"):
        read_log(path, {"promt_tokens": "q"})


def test_rows_out_of_order_are_sorted_and_told(tmp_path: Path) -> None:
    (found,) = read_log(log_file(tmp_path, CSV + "7,40,4\n"))
    assert found.arrival_s is not None
    assert found.arrival_s.tolist() == [0, 5, 7, 9]
    assert found.notes == ("1 rows stood before a later one: sorted by time",)


def test_stamps_without_a_zone_are_of_the_zone_that_is_named(tmp_path: Path) -> None:
    text = "time,prompt_tokens,output_tokens\n2026-07-01 12:00:00,1,1\n2026-07-01T10:00:05Z,2,1\n"
    path = log_file(tmp_path, text)
    assert read_log(path, zone=ZoneInfo("Europe/Berlin"))[0].arrival_s == pytest.approx([0, 5])
    assert read_log(path)[0].counts.span_s == pytest.approx(7195, abs=10)


def test_failed_requests_count_but_their_lengths_do_not(tmp_path: Path) -> None:
    text = "arrival_s,prompt_tokens,output_tokens,status_code\n0,10,1,200\n1,900,,500\n2,20,2,200\n3,,,429\n"
    (found,) = read_log(log_file(tmp_path, text))
    assert (found.requests, found.prompt.mean) == (4, 15)


def test_a_column_makes_streams(tmp_path: Path) -> None:
    rows = "".join(f"{i},{10 if i % 3 else 99},5,{'a/chat' if i % 3 else 'code'}\n" for i in range(3000))
    path = log_file(tmp_path, "arrival_s,prompt_tokens,output_tokens,model\n" + rows)
    streams = workload_of([fitted(each) for each in read_log(path, {"stream": "model"})])["streams"]
    assert {name: stream["prompt_tokens"]["value"] for name, stream in streams.items()} == {"a-chat": 10, "code": 99}
    assert streams["code"]["arrivals"]["gap"]["mean"] == pytest.approx(3, rel=0.01)


def test_bursts_are_told_from_chance(tmp_path: Path) -> None:
    plain = Poisson(rate=20.0).arrivals(rngs_of(1, 0, ""), 3600.0)
    drifts = Cox(rate=20.0, cv=0.4, correlation=60.0).arrivals(rngs_of(1, 0, ""), 7000.0)
    even = np.arange(4000) / 4.0
    assert fitted(read_log(requests(tmp_path, plain))[0]).document["arrivals"] == {
        "kind": "poisson",
        "rate": pytest.approx(20, rel=0.02),
    }
    law = fitted(read_log(requests(tmp_path, drifts))[0]).document["arrivals"]
    assert law["kind"] == "cox"
    assert law["cv"] == pytest.approx(0.4, rel=0.25)
    assert law["correlation"] == pytest.approx(60, rel=0.6)
    law = fitted(read_log(requests(tmp_path, even))[0]).document["arrivals"]
    assert (law["kind"], law["gap"]["cv"]) == ("renewal", 0.001)  # fmt: skip


def test_a_day_becomes_a_curve_with_drift(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    drift = Cox(rate=4.0, cv=0.5, correlation=120.0).arrivals(rngs_of(2, 0, ""), 86_400.0)
    kept = drift[rng.random(len(drift)) < 0.5 + 0.4 * np.sin(drift / 86_400 * 2 * np.pi)]
    fit = fitted(read_log(requests(tmp_path, kept))[0])
    assert fit.shape == "history"
    drift_of = fit.document["arrivals"]["drift"]
    assert drift_of["cv"] == pytest.approx(0.5, rel=0.3)
    good = goodness(fit)
    for _, measured, law in good.bursts:
        assert law == pytest.approx(measured, rel=0.3)
    assert good.rate_error["3600 s"] < 0.05


def test_a_table_of_quantiles_is_close_to_any_lengths(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    lengths = np.where(rng.random(20_000) < 0.3, 4096, np.exp(rng.normal(6, 1.2, 20_000)).clip(1, 9000)).round()
    log = requests(tmp_path, np.arange(20_000) / 10.0, prompt_tokens=lengths, output_tokens=lengths[::-1])
    good = goodness(fitted(read_log(log)[0]))
    assert good.prompt.ks < 0.015
    assert good.prompt.mean_out == pytest.approx(good.prompt.mean_in, rel=0.02)


def test_patience_is_told_where_the_log_shows_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    n = 20_000
    answer_s, patience_s = rng.exponential(4.0, n), rng.exponential(20.0, n)
    gone = patience_s < answer_s
    columns = {"e2e_s": np.minimum(answer_s, patience_s), "outcome": np.where(gone, "abandoned", "completed")}
    fit = fitted(read_log(requests(tmp_path, np.arange(n) / 5.0, **columns))[0])
    law = fit.document["clients"]["total_timeout"]
    assert law == {"kind": "exponential", "mean": pytest.approx(20, rel=0.05)}
    columns = {"e2e_s": np.minimum(answer_s, 15.0), "finish_reason": np.where(answer_s > 15, "timeout", "stop")}
    fit = fitted(read_log(requests(tmp_path, np.arange(n) / 5.0, **columns))[0])
    assert fit.document["clients"] == {"total_timeout": 15}


def test_cached_tokens_are_a_share(tmp_path: Path) -> None:
    rows = []
    for i in range(50):
        cached = {"cached_tokens": 40 if i % 2 else 0}
        usage = {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": cached}
        rows.append({"created": i, "usage": usage})
    path = log_file(tmp_path, jsonl(*rows), "log.jsonl")
    assert fitted(read_log(path)[0]).document["cached_share"] == pytest.approx(0.2)


def test_the_history_is_by_the_hour_of_the_clock(tmp_path: Path) -> None:
    begins_s = 1_767_571_200.0 + 1234.5
    columns = {"created": begins_s + np.arange(30_000) * 2.0, "prompt_tokens": 10, "completion_tokens": 5}
    pd.DataFrame(columns).to_parquet(tmp_path / "log.parquet")
    traffic = read_log(str(tmp_path / "log.parquet"))
    history = imported("log.parquet", [fitted(each) for each in traffic]).history()
    assert (history.start_s, history.step_s) == (1_767_571_200.0, 3600.0)
    np.testing.assert_allclose(history.rate_per_s, 0.5, rtol=0.01)


rows = st.tuples(st.sampled_from([0, 0.25, 1, 7, 3600, 90_000]), st.integers(0, 5000), st.integers(1, 900))


@settings(max_examples=8, deadline=None, derandomize=True, phases=[Phase.generate])
@given(st.lists(rows, min_size=2, max_size=40), st.sampled_from(["auto", "history", "week", "day", "constant"]))
def test_any_log_becomes_a_workload_that_can_be_drawn(found: list[tuple[float, int, int]], shape: Any) -> None:
    gaps, prompts, outputs = zip(*found, strict=True)
    assume(sum(gaps[1:]) > 0)
    with tempfile.TemporaryDirectory() as folder:
        lengths = {"prompt_tokens": prompts, "output_tokens": outputs}
        (traffic,) = read_log(requests(Path(folder), np.cumsum(gaps), **lengths))
    told = imported("log.csv", [fitted(traffic, shape)])
    json.dumps(told.as_document(), allow_nan=False)
    read_back = yaml.safe_load(told.text())
    assert read_back.keys() == told.workload.keys()
    good = told.fitness[0]
    assert good.requests == len(found)
    assert good.rate_per_s > 0
