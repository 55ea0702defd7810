"""Demand that is drawn in chunks is the demand that is drawn at once, whatever the laws and the size of the chunks."""

from __future__ import annotations

from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.config.errors import ConfigError
from sim.workload import Workload
from sim.workload.chunks import chunks, why_whole
from sim.workload.demand import Demand
from tests.laws import ARRIVALS, DISTRIBUTIONS, chat, workload

ROWS = st.integers(1, 400)
FEW = settings(max_examples=12, deadline=None)
COLUMNS = (
    *("arrival_s", "stream", "prompt_tokens", "output_tokens", "service_s", "first_service_s", "cached_tokens"),
    *("ticket", "prefix0"),
)
OTHERS = {field.name for field in fields(Demand)} - {*COLUMNS, "notes", "streams", "prefixes", "prefix_sizes"}
TRACE = "arrival_s,prompt_tokens,output_tokens\n0.5,100,10\n2.5,200,20\n2.5,210,20\n3.5,300,30\n"


def check(drawn: Workload, rows: int, horizon_s: float | None = 120.0) -> list[int]:
    """The chunks are the demand, bit for bit; their sizes."""
    assert not why_whole(drawn)
    whole = drawn.demand(3, 1, horizon_s)
    made = list(chunks(drawn, 3, 1, horizon_s, rows))
    for name in COLUMNS:
        column = np.concatenate([getattr(chunk, name) for chunk in made])
        assert column.dtype == getattr(whole, name).dtype, name
        assert column.tobytes() == getattr(whole, name).tobytes(), name
    assert tuple(chain.from_iterable(chunk.notes for chunk in made)) == whole.notes
    assert all(chunk.streams == whole.streams for chunk in made)
    assert all(getattr(each, name) is None for name in OTHERS for each in (whole, *made))
    return [len(chunk) for chunk in made]


@pytest.mark.parametrize("kind", [kind for kind in ARRIVALS if kind != "closed"])
@FEW
@given(rows=ROWS)
def test_every_arrival_law_draws_on(kind: str, rows: int) -> None:
    arrivals = {"kind": kind, **ARRIVALS[kind]}
    sizes = check(workload(**chat(arrivals=arrivals, prompt_tokens={"kind": "exponential", "mean": 9})), rows)
    if kind != "batch":  # whose last batch may be a large one
        assert max(sizes) <= rows
        assert len(sizes) > sum(sizes) / rows


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@FEW
@given(rows=ROWS)
def test_every_law_of_a_length_a_gap_or_a_service_draws_on(name: str, rows: int) -> None:
    law = {"kind": name, **DISTRIBUTIONS[name]}
    check(workload(**chat(prompt_tokens=law, output_tokens={**law, "max": 50})), rows)
    check(workload(arrivals={"kind": "renewal", "gap": law}, service=law), rows)


@FEW
@given(rows=ROWS)
def test_service_by_the_token_and_cached_prompts_are_the_same(rows: int) -> None:
    lengths = {"kind": "lognormal", "mean": 50, "cv": 1}
    service = {"kind": "per_token", "base": 1, "prompt": 0.1, "output": 0.01}
    check(workload(**chat(prompt_tokens=lengths, output_tokens=lengths, service=service, cached_share=0.37)), rows)


@settings(max_examples=60, deadline=None)
@given(
    rows=ROWS,
    kinds=st.lists(st.sampled_from([kind for kind in ARRIVALS if kind != "closed"]), min_size=2, max_size=4),
    loop=st.booleans(),
    every_s=st.sampled_from([0, 0.25, 1]),
)
def test_merged_streams_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: int, kinds: list[str], loop: bool, every_s: float
) -> None:
    """With a trace, a rare stream, and streams on one grid, whose requests come together."""
    streams: dict[str, Any] = {
        f"{kind.partition(' ')[0]}{place}": chat(arrivals={"kind": kind, **ARRIVALS[kind]})
        for place, kind in enumerate(kinds)
    }
    streams["rare"] = chat(arrivals={"kind": "poisson", "rate": 0.02})
    if every_s:
        grid = {"kind": "renewal", "gap": {"kind": "constant", "value": every_s}}
        streams |= {"one": chat(arrivals=grid), "two": chat(arrivals=grid)}
        streams["heaps"] = chat(arrivals={"kind": "batch", "rate": 0.2, "size": {"kind": "constant", "value": 90}})
    streams["trace"] = {"trace": str(trace_file(tmp_path_factory)), "loop": loop}
    check(workload(streams=streams), rows)


def trace_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("traces") / "trace.csv"
    file.write_text(TRACE)
    return file


@FEW
@given(rows=st.integers(1, 9), horizon_s=st.sampled_from([None, 0.4, 2.5, 3.0, 9.0]), limit=st.sampled_from([None, 3]))
def test_traces_are_cut_and_looped(
    tmp_path_factory: pytest.TempPathFactory, rows: int, horizon_s: float | None, limit: int | None
) -> None:
    file = str(trace_file(tmp_path_factory))
    check(workload(trace=file, limit=limit, speed=1.5), rows, horizon_s)
    if horizon_s is not None:
        check(workload(trace=file, limit=limit, loop=True), rows, horizon_s)


def test_hashes_of_prompts_are_refused_and_can_be_left_out(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text('{"timestamp": 0, "input_length": 758, "output_length": 5, "hash_ids": [0, 1]}\n' * 3)
    hashed = workload(trace=str(file))
    with pytest.raises(ConfigError, match="prefixes: false") as caught:
        list(chunks(hashed, 1, 0, 9.0, 2))
    assert caught.value.problems[0].path == "workload.prefixes"
    check(workload(trace=str(file), prefixes=False), 2)


def test_what_only_comes_whole_is_told_with_its_place() -> None:
    closed = {"arrivals": {"kind": "closed", **ARRIVALS["closed"]}}
    streams = {
        "users": chat(**closed),
        "talks": chat(session={"turns": 3, "think": "5s"}),
        "hasty": chat(clients={"patience": "2s"}),
        "few": chat(clients={"max_in_flight": 3}),
        "calm": chat(),
    }
    told = {problem.path: problem.message for problem in why_whole(workload(streams=streams))}
    assert set(told) == {
        "workload.streams.users.arrivals",
        "workload.streams.talks.session",
        "workload.streams.hasty.clients",
        "workload.streams.few.clients",
    }


def test_a_stream_without_requests_is_noted_at_the_end() -> None:
    quiet = chat(arrivals={"kind": "poisson", "rate": 1e-9})
    assert check(workload(streams={"quiet": quiet, "busy": chat()}), 50)[-1] == 0
    assert check(workload(**quiet), 50) == [0]
