"""What holds for every workload and every trace text, whatever is in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from sim.config.errors import ConfigError, DataError
from sim.workload import Workload, read_trace
from sim.workload.rates import curve_through, steps
from sim.workload.rows import csv_blocks
from sim.workload.traces import format_names, formats, peek
from tests.laws import ARRIVALS, DISTRIBUTIONS, prefix_lists, workload

FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
AZURE_ROW = "2023-11-16 18:17:03.9799600,4808,10"
HEADERS = [
    "TIMESTAMP,ContextTokens,GeneratedTokens",
    "Timestamp,Request tokens,Response tokens",
    "arrival_s,prompt_tokens,output_tokens",
    "arrival_s,service_s",
]
FIELDS = st.one_of(
    st.integers(-3, 10**11).map(str),
    st.floats().map(str),
    st.sampled_from(
        ["", " ", "nan", "-", "1e5", "1_0", '"', '"1"', "2023-11-16 18:17:03.9799600", "2262-12-01 00:00:00Z"]
    ),
    st.text(max_size=6),
)


def only_told(act: Callable[[], Any]) -> None:
    """Whatever happens, it is a result or an error of ours that says something."""
    said = "nothing wrong"
    try:
        act()
    except (DataError, ConfigError) as error:
        said = str(error)
    assert said.strip()


@FOLDER
@given(text=st.text(max_size=300), kind=st.sampled_from([None, *format_names()]))
@example(text='{"timestamp":', kind=None)
@example(text="\x00", kind="azure")
@example(text='arrival_s,service_s\n"', kind=None)
def test_any_text_is_a_trace_or_one_clear_error(tmp_path: Path, text: str, kind: str | None) -> None:
    file = tmp_path / "trace.csv"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    only_told(lambda: read_trace(str(file), kind))
    only_told(lambda: peek(str(file), kind))


@FOLDER
@given(
    header=st.sampled_from(HEADERS),
    rows=st.lists(st.lists(FIELDS, min_size=1, max_size=4), max_size=6),
    kind=st.sampled_from([None, *format_names()]),
)
@example(header="TIMESTAMP,ContextTokens,GeneratedTokens", rows=[AZURE_ROW.split(","), AZURE_ROW.split(",")], kind=None)
@example(header="TIMESTAMP,ContextTokens,GeneratedTokens", rows=[["2262-12-01 00:00:00Z", "1", "1"]], kind=None)
def test_any_rows_are_a_trace_or_one_clear_error(
    tmp_path: Path, header: str, rows: list[list[str]], kind: str | None
) -> None:
    file = tmp_path / "trace.csv"
    file.write_bytes("\n".join([header, *(",".join(row) for row in rows)]).encode("utf-8", "surrogatepass"))
    only_told(lambda: read_trace(str(file), kind))


@FOLDER
@given(
    rows=st.lists(
        st.dictionaries(
            st.sampled_from(["timestamp", "input_length", "output_length", "hash_ids"]),
            st.one_of(
                st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.integers())
            ),
        ),
        max_size=5,
    )
)
def test_any_json_lines_are_a_trace_or_one_clear_error(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    only_told(lambda: read_trace(str(file), "mooncake"))


@FOLDER
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_table_or_one_clear_error(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(data)
    only_told(lambda: list(csv_blocks(str(file), ("t_s", "rate_per_s"))))
    file.write_bytes(b"PAR1" + data)
    only_told(lambda: read_trace(str(file)))


REQUESTS = st.lists(
    st.tuples(st.integers(0, 4000), st.integers(0, 10**6), st.integers(1, 10**6)), min_size=1, max_size=30
).map(sorted)


@FOLDER
@given(requests=REQUESTS)
def test_the_same_requests_in_every_format_are_the_same_trace(
    tmp_path: Path, requests: list[tuple[int, int, int]]
) -> None:
    """Times on a grid of 1/8 s, so that every format holds them exactly; Azure counts from its first row."""
    first = requests[0][0]
    texts = {
        "azure": "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        + "".join(
            f"{np.datetime64('2023-11-16T00:00:00') + np.timedelta64(t * 125, 'ms')},{p},{o}\n" for t, p, o in requests
        ),
        "burstgpt": "Timestamp,Request tokens,Response tokens\n"
        + "".join(f"{t / 8},{p},{o}\n" for t, p, o in requests),
        "mooncake": "".join(
            json.dumps({"timestamp": t * 125, "input_length": p, "output_length": o}) + "\n" for t, p, o in requests
        ),
        "plain": "arrival_s,prompt_tokens,output_tokens\n" + "".join(f"{t / 8},{p},{o}\n" for t, p, o in requests),
    }
    assert set(texts) == {form.kind for form in formats()}
    for kind, text in texts.items():
        file = tmp_path / f"{kind}.trace"
        file.write_text(text)
        trace = read_trace(str(file))
        since = first if kind == "azure" else 0
        assert trace.arrival_s.tolist() == [(t - since) / 8 for t, _, _ in requests], kind
        assert trace.prompt_tokens is not None
        assert trace.output_tokens is not None
        assert list(zip(trace.prompt_tokens.tolist(), trace.output_tokens.tolist(), strict=True)) == [
            (p, o) for _, p, o in requests
        ]


# Few ids, and few tokens around whole blocks of 512, so that requests share blocks, or nearly do.
PROMPTS = st.tuples(
    st.integers(0, 20),
    st.sampled_from([0, 1, 512, 513, 1024, 1500, 2048]),
    st.none() | st.lists(st.sampled_from([0, 1, 2, 2**40, 2**63 - 1]), unique=True),
)
TRACES = st.lists(PROMPTS, min_size=2, max_size=12).map(lambda rows: sorted(rows, key=lambda row: row[0]))


def mooncake_line(t: int, prompt: int, ids: list[int] | None) -> str:
    row = {"timestamp": t * 125, "input_length": prompt, "output_length": 1}
    return json.dumps(row | ({} if ids is None else {"hash_ids": ids[: -(-prompt // 512)]})) + "\n"


def blocks_of(prompt: int, ids: list[int] | None) -> list[Any]:
    """Every block of a prompt that has an id, told by the ids up to it and its tokens."""
    return [
        (tuple((ids or [])[: at + 1]), min(512, prompt - 512 * at))
        for at in range(min(len(ids or []), -(-prompt // 512)))
    ]


@FOLDER
@given(
    traces=st.lists(TRACES, min_size=1, max_size=3),
    keys=st.fixed_dictionaries(
        {}, optional={"loop": st.just(True), "limit": st.integers(2, 9), "start": st.just("1s")}
    ),
    horizon_s=st.floats(0.5, 60),
)
@example(traces=[[(0, 512, [7]), (8, 100, [7])]], keys={"loop": True}, horizon_s=40.0)
@example(traces=[[(0, 1024, [0, 1]), (8, 1024, [2, 1])]], keys={}, horizon_s=40.0)
def test_a_prefix_id_is_one_block_of_one_repeat_and_all_before_it(
    tmp_path: Path, traces: list[list[tuple[int, int, list[int] | None]]], keys: dict[str, Any], horizon_s: float
) -> None:
    """Against blocks told by all that their prompts hold up to them, written out; times on a grid of 1/8 s."""
    streams, expected = {}, []
    for number, rows in enumerate(traces):
        file = tmp_path / f"{number}.jsonl"
        file.write_text("".join(mooncake_line(*row) for row in rows))
        streams[f"s{number}"] = {"trace": str(file), **keys}
        kept = [row for row in rows if "start" not in keys or row[0] >= 8][: keys.get("limit")]
        assume(kept and not ("loop" in keys and kept[0][0] == kept[-1][0]))
        expected.append([blocks_of(prompt, ids) for _, prompt, ids in kept])
    demand = workload(streams=streams).demand(1, 0, horizon_s)
    turns = [0] * len(traces)
    number_of: dict[Any, int] = {}
    for stream, ids in zip(demand.stream.tolist(), prefix_lists(demand), strict=True):
        turn, row = divmod(turns[stream], len(expected[stream]))
        turns[stream] += 1
        blocks = [(stream, turn, block) for block in expected[stream][row]]
        assert ids == [number_of.setdefault(block, len(number_of)) for block in blocks]
    assert demand.prefix_blocks == len(number_of)
    first = demand.prefix0[demand.prefix0 >= 0]
    assert first.tolist() == sorted(set(first.tolist())), "lists stand in the order of their requests"
    assert len(demand.prefixes) == sum(map(len, prefix_lists(demand))) + len(first), "and nothing stands between them"
    assert demand.prefix0.shape == (len(demand),)
    assert demand.prefix0.dtype == demand.prefixes.dtype == np.int32


LAWS = st.sampled_from([{"kind": name, **keys} for name, keys in DISTRIBUTIONS.items()])
STREAMS = st.fixed_dictionaries(
    {
        "arrivals": st.sampled_from([{"kind": name.split()[0], **keys} for name, keys in ARRIVALS.items()]),
        "prompt_tokens": LAWS,
        "output_tokens": LAWS,
    },
    optional={
        "service": LAWS | st.just({"kind": "per_token", "prompt": "1ms", "output": "45ms"}),
        "session": st.fixed_dictionaries(
            {"turns": st.integers(1, 4)},
            optional={"think": LAWS, "prompt_tokens": LAWS, "history": st.just(False), "prefix_cache": st.just(False)},
        ),
    },
).filter(lambda keys: keys["arrivals"]["kind"] != "closed" or "session" not in keys)
WORKLOADS = st.one_of(
    STREAMS,
    st.dictionaries(st.sampled_from(["chat", "code", "batch"]), STREAMS, min_size=1).map(lambda of: {"streams": of}),
).map(lambda keys: workload(**keys))


@settings(deadline=None, max_examples=60)
@given(demand=WORKLOADS, horizon_s=st.floats(0.5, 200), seed=st.integers(0, 2**63 - 1), share=st.floats(0.1, 1))
def test_every_demand_is_a_demand(demand: Workload, horizon_s: float, seed: int, share: float) -> None:
    rows = demand.demand(seed, 0, horizon_s)
    own = np.count_nonzero(rows.arrival_s < np.inf)
    follow = np.zeros(len(rows), bool) if rows.links is None else rows.links.waits > 0
    assert (follow == (np.arange(len(rows)) >= own)).all()
    assert (np.diff(rows.arrival_s[:own]) >= 0).all()
    assert ((rows.arrival_s[:own] >= 0) & (rows.arrival_s[:own] < horizon_s)).all()
    assert (rows.output_tokens >= 1).all()
    assert (rows.prompt_tokens >= 1).all()
    assert ((rows.ticket >= 0) & (rows.ticket < 1)).all()
    assert ((rows.first_service_s >= 0) & (rows.first_service_s <= rows.service_s)).all()
    for name, stream in zip(rows.streams, demand.by_name().values(), strict=True):
        assert rows.service_s[rows.stream == rows.streams.index(name)].any() <= stream.brings_service
    shorter = demand.demand(seed, 0, horizon_s * share)
    kept = int(np.searchsorted(rows.arrival_s, horizon_s * share))
    assert np.count_nonzero(shorter.arrival_s < np.inf) == kept
    for column in ("arrival_s", "stream", "prompt_tokens", "output_tokens", "service_s", "first_service_s", "ticket"):
        assert np.array_equal(getattr(shorter, column)[:kept], getattr(rows, column)[:kept]), column


POINTS = st.lists(st.tuples(st.integers(0, 50), st.sampled_from([0.0, 0.0, 0.5, 3.0, 40.0])), min_size=1, max_size=8)


@given(points=POINTS, period_s=st.none() | st.floats(0.5, 20), shares=st.lists(st.floats(0, 1), max_size=30))
def test_inversion_undoes_the_cumulative_rate(
    points: list[tuple[int, float]], period_s: float | None, shares: list[float]
) -> None:
    """For any piecewise-linear rate with jumps and silences, repeating or not."""
    points = sorted(points, key=lambda point: point[0])
    period_s = None if period_s is None else points[-1][0] + period_s
    curve = curve_through([(float(t), rate) for t, rate in points], period_s=period_s)
    assume(curve.before[-1] > 0)
    total = curve.expected(500.0)
    goals = np.sort(np.array(shares) * total)
    times = curve.stretch(goals.copy())
    assert (np.diff(times) >= 0).all()
    for time, goal in zip(times, goals, strict=True):
        assert curve.expected(time) == pytest.approx(goal, rel=1e-9, abs=1e-9)


@given(rates=st.lists(st.sampled_from([0.0, 0.25, 1.0, 7.0]), min_size=1, max_size=10))
def test_steps_are_a_curve_with_jumps(rates: list[float]) -> None:
    starts = np.arange(len(rates), dtype=float) * 2
    corners = [point for at, rate in zip(starts, rates, strict=True) for point in ((at, rate), (at + 2, rate))][:-1]
    one, other = steps(starts, np.array(rates)), curve_through(corners)
    for time in np.linspace(0, 2.0 * len(rates) + 3, 50):
        assert one.expected(time) == pytest.approx(other.expected(time))
