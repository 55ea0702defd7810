"""Prefix hashes of a trace become numbered blocks: what is shared, what is told apart, and which line is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from sim import load, simulate
from sim.config import machine
from sim.config.errors import ConfigError, DataError
from sim.workload import Demand, read_trace
from sim.workload import rows as rows_of
from sim.workload.prefixes import PrefixLists, joined
from sim.workload.rows import json_blocks
from tests.laws import chat, complaint, prefix_lists, workload

Row = tuple[float, int, Any]
"""Arrival (s), prompt tokens, hash_ids (`...`: the key is absent)."""
TALK: list[Row] = [(0, 1100, [70, 80, 90]), (1, 1500, [70, 80, 95]), (1, 600, [70]), (3, 900, [60, 61])]


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def written(rows: list[Row], name: str = "trace.jsonl") -> str:
        file = tmp_path / name
        with file.open("w") as out:
            for arrival_s, prompt, ids in rows:
                row = {"timestamp": arrival_s * 1000, "input_length": prompt, "output_length": 5}
                out.write(json.dumps(row if ids is ... else row | {"hash_ids": ids}) + "\n")
        return str(file)

    return written


def demand_of(path: str, horizon_s: float | None = None, **keys: Any) -> Demand:
    return workload(trace=path, **keys).demand(1, 0, horizon_s)


def test_ids_are_numbered_by_first_use_and_every_list_is_closed(write: Any) -> None:
    demand = demand_of(write(TALK))
    assert demand.prefixes.tolist() == [0, 1, 2, -1, 0, 1, 3, -1, 0, -1, 4, 5, -1]
    assert demand.prefix0.tolist() == [0, 4, 8, 10]
    assert demand.prefix_blocks == 6
    assert demand.prefixes.dtype == demand.prefix0.dtype == np.int32
    assert demand.notes == ()


def test_ids_may_have_any_size_and_order(write: Any) -> None:
    most = 2**63 - 1
    demand = demand_of(write([(0, 1024, [most, 5]), (1, 1024, [most - 1, 7]), (2, 1536, [most, 5, 0])]))
    assert prefix_lists(demand) == [[0, 1], [2, 3], [0, 1, 4]]


def test_a_request_may_have_no_list(write: Any) -> None:
    """Also the first one, whose keys tell the format."""
    demand = demand_of(write([(0, 800, ...), (1, 800, [3]), (2, 800, None), (3, 800, []), (4, 800, [3, 4])]))
    assert demand.prefix0.tolist() == [-1, 0, -1, -1, 2]
    assert demand.prefixes.tolist() == [0, -1, 0, 1, -1]


@pytest.mark.parametrize("ids", [..., None, []])
def test_a_trace_without_lists_has_no_prefixes(ids: Any, write: Any) -> None:
    path = write([(0, 800, ids), (1, 700, ids)])
    assert read_trace(path).prefixes is None
    demand = demand_of(path, cached_share=0.5)
    assert demand.prefix0.tolist() == [-1, -1]
    assert demand.prefixes.shape == (0,)
    assert demand.prefix_blocks == 0


def test_a_demand_without_prefixes_pays_nothing_for_them() -> None:
    for keys in (chat(), {"streams": {"a": chat(), "b": chat()}}):
        demand = workload(**keys).demand(1, 0, 60.0)
        assert demand.prefix0.shape == demand.arrival_s.shape
        assert demand.prefix0.strides == (0,)
        assert set(demand.prefix0.tolist()) == {-1}
        assert demand.prefixes.shape == (0,)
        assert demand.prefixes.dtype == demand.prefix0.dtype == np.int32


def test_an_id_that_holds_other_tokens_is_another_block(write: Any) -> None:
    """The last block of a prompt: 100 tokens twice, then 200, then all 512."""
    rows = [(0, 612, [1, 2]), (0, 612, [1, 2]), (0, 712, [1, 2]), (0, 1024, [1, 2]), (0, 1324, [1, 2, 3])]
    demand = demand_of(write(rows))
    assert prefix_lists(demand) == [[0, 1], [0, 1], [0, 2], [0, 3], [0, 3, 4]]
    assert demand.notes == ("trace.jsonl: 1 prefix id at several places: shared where all before agrees",)


def test_an_id_after_other_blocks_is_another_block(write: Any) -> None:
    """Keys and values depend on all tokens before, so the same text after another start is not in the cache."""
    rows = [(0, 1536, [1, 2, 3]), (0, 1536, [4, 2, 3]), (0, 1536, [3, 2, 1]), (0, 1536, [4, 2, 5])]
    demand = demand_of(write(rows))
    assert prefix_lists(demand) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [3, 4, 9]]
    assert demand.notes == ("trace.jsonl: 3 prefix ids at several places: shared where all before agrees",)


def test_start_limit_speed_and_horizon_leave_no_hole_in_the_numbers(write: Any) -> None:
    path = write(TALK)
    demand = demand_of(path, start="1s", speed=2)
    assert demand.arrival_s.tolist() == [0, 0, 1]
    assert prefix_lists(demand) == [[0, 1, 2], [0], [3, 4]]
    assert prefix_lists(demand_of(path, limit=2)) == [[0, 1, 2], [0, 1, 3]]
    demand = demand_of(path, horizon_s=2.0)
    assert prefix_lists(demand) == [[0, 1, 2], [0, 1, 3], [0]]
    assert demand.prefix_blocks == 4


def test_lists_of_many_blocks_of_rows_are_one(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(at, 1024, [at // 2, 1000 + at]) for at in range(100)]
    path = write(rows)
    whole = prefix_lists(demand_of(path))
    monkeypatch.setattr(rows_of, "_BLOCK_CHARS", 500)
    assert max(map(len, json_blocks(path, ("timestamp",)))) < 10
    assert prefix_lists(demand_of(path)) == whole
    assert [one[0] for one in whole[::2]] == [one[0] for one in whole[1::2]]


def test_repeats_of_a_loop_never_meet(write: Any) -> None:
    demand = demand_of(write(TALK), horizon_s=9.0, loop=True)
    assert demand.arrival_s.tolist() == [0, 1, 1, 3, 4, 5, 5, 7, 8]
    once = [[0, 1, 2], [0, 1, 3], [0], [4, 5]]
    assert prefix_lists(demand) == [*once, *([6 + at for at in one] for one in once), [12, 13, 14]]
    assert demand.prefix_blocks == 15
    assert demand.notes[-1] == "trace.jsonl: every repeat stands for new conversations, sharing no prefix with others"
    assert len(demand_of(write(TALK), horizon_s=4.0, loop=True).notes) == 1, "nothing is repeated before second 4"


def test_streams_never_meet_and_are_numbered_by_first_use(write: Any) -> None:
    late = write([(at + 0.5, prompt, ids) for at, prompt, ids in TALK], "late.jsonl")
    plain = chat(arrivals={"kind": "renewal", "gap": {"kind": "constant", "value": 0.75}})
    streams = {"late": {"trace": late}, "plain": plain, "soon": {"trace": write(TALK)}}
    demand = workload(streams=streams).demand(1, 0, 4.0)
    soon, last = demand.stream == 2, demand.stream == 0
    lists = prefix_lists(demand)
    assert [one for one, is_soon in zip(lists, soon, strict=True) if is_soon] == [
        [0, 1, 2],
        [0, 1, 6],
        [0],
        [8, 9],
    ]
    assert [one for one, is_last in zip(lists, last, strict=True) if is_last] == [
        [3, 4, 5],
        [3, 4, 7],
        [3],
        [10, 11],
    ]
    assert set(demand.prefix0[demand.stream == 1].tolist()) == {-1}
    assert demand.prefixes[:8].tolist() == [0, 1, 2, -1, 3, 4, 5, -1]


WRONG = {
    "text": ("0", "must be a list of ids, got '0'"),
    "number": (4, "must be a list of ids, got 4"),
    "list in a list": ([[1]], "id 1 of the list must be an integer from 0 to 9223372036854775807, got a list"),
    "text id": ([0, "1"], "id 2 of the list must be an integer from 0 to 9223372036854775807, got '1'"),
    "negative": ([0, -1], "id 2 of the list must be an integer from 0 to 9223372036854775807, got -1"),
    "too large": (
        [2**63],
        "id 1 of the list must be an integer from 0 to 9223372036854775807, got 9223372036854775808",
    ),
    "fraction": ([0, 1.5], "id 2 of the list must be an integer from 0 to 9223372036854775807, got 1.5"),
    "whole but not an integer": ([1.0], "id 1 of the list must be an integer from 0 to 9223372036854775807, got 1.0"),
    "true": ([True], "id 1 of the list must be an integer from 0 to 9223372036854775807, got true"),
    "null": ([0, None], "id 2 of the list must be an integer from 0 to 9223372036854775807, got nothing"),
    "NaN": ([float("nan")], "id 1 of the list must be an integer from 0 to 9223372036854775807, got nan"),
    "twice": ([4, 7, 7], "holds the id 7 more than once"),
    "too many": ([1, 2, 3, 4], "has 4 ids, but 1,100 prompt tokens fill 3 blocks of 512 at most"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_hashes_name_file_and_line(case: str, write: Any) -> None:
    ids, said = WRONG[case]
    path = write([*TALK, (4, 1100, ids)])
    with pytest.raises(DataError) as caught:
        read_trace(path)
    assert str(caught.value) == f"{path}:5: hash_ids: {said}"
    assert len(read_trace(path, prefixes=False)) == 5
    assert len(demand_of(path, prefixes=False)) == 5


def test_an_empty_prompt_has_no_block(write: Any) -> None:
    with pytest.raises(DataError, match="2: hash_ids: has 1 ids, but 0 prompt tokens fill 0 blocks of 512 at most"):
        read_trace(write([(0, 0, []), (1, 0, [1])]))


def test_prefixes_can_be_turned_off(write: Any) -> None:
    demand = demand_of(write(TALK), prefixes=False, cached_share=0.5)
    assert demand.prefix_blocks == 0
    assert demand.cached_tokens.tolist() == [550, 750, 300, 450]


def test_hashes_and_a_cached_share_exclude_each_other(write: Any) -> None:
    path = write(TALK)
    said = f"cached_share: {path} has prefix hashes, which tell what is cached; "
    said += "take this key out or set prefixes: false"
    with pytest.raises(ConfigError) as caught:
        demand_of(path, cached_share=0.5)
    assert str(caught.value) == f"workload.{said}"
    with pytest.raises(ConfigError) as caught:
        workload(streams={"talk": {"trace": path, "cached_share": 0.5}}).demand(1, 0, None)
    assert str(caught.value) == f"workload.streams.talk.{said}"
    assert demand_of(path, cached_share=0).prefix_blocks == 6, "0 is what a resolved scenario writes"


def test_the_key_is_true_or_false(write: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        workload(trace=write(TALK), prefixes="yes")
    assert complaint(caught.value) == ["prefixes: Input should be a valid boolean"]


def test_more_lists_than_can_be_indexed_are_refused_before_they_are_made() -> None:
    lists = PrefixLists(np.array([3]), np.arange(3, dtype=np.int32))
    said = "2,147,483,647: shorten the horizon or set `prefixes: false`"
    with pytest.raises(ConfigError, match="about 2.15e.09 prefix blocks before the horizon.*" + said):
        lists.cycled(2**29)
    with pytest.raises(ConfigError, match="prefix blocks"):
        joined([lists, None], [1, 2**31], np.arange(1))


def test_prefix_caches_that_no_machine_holds_are_refused(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = {"model": "llama-3-8b", "gpu": "h100-sxm", "autoscaler": {"replicas": 30}}
    scenario = load({"name": "x", "workload": {"trace": write(TALK)}, "pools": {"chat": pool}})
    monkeypatch.setattr(machine, "memory_bytes", lambda: 700.0)
    with pytest.raises(DataError, match=r"prefix caches of 30 replicas for 6 different blocks .*`prefixes: false`"):
        simulate(scenario)
