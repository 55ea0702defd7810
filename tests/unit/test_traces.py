"""Traces of every format: what is read, what is left out and counted, and which line is named as wrong."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sim.config.errors import DataError
from sim.workload import read_trace
from sim.workload.rows import BLOCK_ROWS
from sim.workload.traces import format_names, formats, peek
from tests.laws import workload

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.0319600,3180,8
2023-11-16 18:17:06.9799601,110,27
"""
BURSTGPT = """Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
5,12345,3.4,ChatGPT,472,18,490,Conversation log
45,,11.2,GPT-4,1087,230,1317,API log
118,,0.9,GPT-4,417,0,417,API log
"""
MOONCAKE = """{"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1, 2]}
{"timestamp": 3000, "input_length": 7322, "output_length": 490, "hash_ids": [0, 14]}
{"timestamp": 3000, "input_length": 12, "output_length": 1, "hash_ids": []}
"""
PLAIN = """arrival_s,prompt_tokens,output_tokens
0.5,100,10
2.5,200,20
3.5,300,30
"""
TEXTS = {"azure": AZURE, "burstgpt": BURSTGPT, "mooncake": MOONCAKE, "plain": PLAIN}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def written(text: str | bytes, name: str = "trace.csv") -> str:
        file = tmp_path / name
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(file)

    return written


def fault(path: str, **options: Any) -> str:
    """What reading the trace complains about, without the folder."""
    with pytest.raises(DataError) as caught:
        read_trace(path, **options)
    return str(caught.value).replace(path, Path(path).name)


def test_every_format_has_its_example_here() -> None:
    assert set(TEXTS) == set(format_names())
    assert all(form.__doc__ for form in formats())


def test_azure(write: Any) -> None:
    trace = read_trace(write(AZURE))
    assert trace.arrival_s.tolist() == pytest.approx([0, 0.052, 3.0000001], abs=1e-9)
    assert trace.prompt_tokens is not None
    assert trace.output_tokens is not None
    assert trace.prompt_tokens.tolist() == [4808, 3180, 110]
    assert trace.output_tokens.tolist() == [10, 8, 27]
    assert trace.prompt_tokens.dtype == trace.output_tokens.dtype == np.int32
    assert trace.service_s is None
    assert trace.notes == ()


def test_azure_of_2024_has_a_zone_and_any_number_of_decimals(write: Any) -> None:
    text = AZURE.replace("03.9799600", "03.97996+00:00").replace("04.0319600", "04.031960+00:00")
    text = text.replace("06.9799601", "06.9799601+00:00")
    assert read_trace(write(text)).arrival_s.tolist() == pytest.approx([0, 0.052, 3.0000001], abs=1e-9)
    whole = AZURE.replace("04.0319600", "05").replace("18:17:06.9799601", "19:17:06.97996+01:00")
    assert read_trace(write(whole)).arrival_s.tolist() == pytest.approx([0, 1.02004, 3], abs=1e-9)


def test_burstgpt_counts_failed_requests_and_leaves_them_out(write: Any) -> None:
    trace = read_trace(write(BURSTGPT))
    assert trace.arrival_s.tolist() == [5, 45]
    assert trace.output_tokens is not None
    assert trace.output_tokens.tolist() == [18, 230]
    assert trace.notes == ("trace.csv: 1 failed request (no response tokens) left out",)


def test_failed_requests_after_the_limit_are_not_counted(write: Any) -> None:
    rows = "1,9,0\n2,9,5\n3,9,0\n4,9,0\n5,9,5\n6,9,0\n"
    trace = read_trace(write("Timestamp,Request tokens,Response tokens\n" + rows), limit=2)
    assert trace.arrival_s.tolist() == [2, 5]
    assert trace.notes == (
        "trace.csv: 3 failed requests (no response tokens) left out",
        "trace.csv: read up to 2 requests (limit)",
    )


def test_burstgpt_before_version_1_2_has_fewer_columns(write: Any) -> None:
    old = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,GPT-4,472,18,490,API log\n"
    assert len(read_trace(write(old))) == 1


def test_mooncake_counts_in_milliseconds(write: Any) -> None:
    trace = read_trace(write(MOONCAKE, "trace.jsonl"))
    assert trace.arrival_s.tolist() == [0, 3, 3]
    assert trace.prompt_tokens is not None
    assert trace.prompt_tokens.tolist() == [6758, 7322, 12]


def test_plain_csv_and_parquet_are_the_same(write: Any, tmp_path: Path) -> None:
    csv = read_trace(write("extra," + PLAIN.replace("\n", "\nx,").removesuffix("x,")))
    file = tmp_path / "trace.parquet"
    columns = {
        "arrival_s": [0.5, 2.5, 3.5],
        "prompt_tokens": [100, 200, 300],
        "output_tokens": [10, 20, 30],
        "x": "abc",
    }
    pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), file)
    parquet = read_trace(str(file))
    for name in ("arrival_s", "prompt_tokens", "output_tokens"):
        assert getattr(csv, name).tolist() == getattr(parquet, name).tolist() == list(columns[name])


def test_plain_may_carry_service_times_instead_of_tokens(write: Any) -> None:
    demand = workload(trace=write("arrival_s,service_s\n0,2.5\n1,3\n")).demand(1, 0, None)
    assert demand.service_s.tolist() == [2.5, 3]
    assert demand.output_tokens.tolist() == [1, 1]
    assert demand.prompt_tokens.tolist() == [0, 0]


def test_windows_line_ends_a_byte_order_mark_spaces_and_blank_lines_at_the_end_are_fine(write: Any) -> None:
    text = "\ufeff" + PLAIN.replace("\n", "\r\n").replace(",200", ", 200 ") + "\r\n\n"
    assert len(read_trace(write(text))) == 3
    assert len(read_trace(write(MOONCAKE + "\n\n"))) == 3
    assert len(read_trace(write(PLAIN.rstrip()))) == 3


def test_format_overrides_recognition(write: Any) -> None:
    both = PLAIN.replace("arrival_s", "arrival_s,Timestamp,Request tokens,Response tokens").replace(
        ",100", ",7,1,1,100"
    )
    both = both.replace(",200", ",8,2,2,200").replace(",300", ",9,3,0,300")
    assert read_trace(write(both)).arrival_s.tolist() == [7, 8]
    assert read_trace(write(both), "plain").arrival_s.tolist() == [0.5, 2.5, 3.5]


def test_many_blocks_are_one_trace(write: Any) -> None:
    n = 2 * BLOCK_ROWS + 17
    rows = "".join(f"{i / 4},{i % 1000},{1 + i % 7}\n" for i in range(n))
    trace = read_trace(write("arrival_s,prompt_tokens,output_tokens\n" + rows))
    assert trace.arrival_s.tolist() == [i / 4 for i in range(n)]
    assert trace.prompt_tokens is not None
    assert trace.prompt_tokens.tolist() == [i % 1000 for i in range(n)]
    late = rows.replace(f"\n{(BLOCK_ROWS + 9) / 4},", "\n1.0,", 1)
    said = f"trace.csv:{BLOCK_ROWS + 11}: arrival_s: is earlier than the row before; sort the trace by time"
    assert fault(write("arrival_s,prompt_tokens,output_tokens\n" + late)) == said


def test_a_fall_between_two_blocks_is_seen(write: Any) -> None:
    rows = "".join(f"{10 if i < BLOCK_ROWS else 9},1,1\n" for i in range(BLOCK_ROWS + 1))
    assert f":{BLOCK_ROWS + 2}: arrival_s: is earlier" in fault(write("arrival_s,prompt_tokens,output_tokens\n" + rows))


def test_start_limit_speed(write: Any) -> None:
    path = write(PLAIN)
    demand = workload(trace=path, start="2s", speed=2).demand(1, 0, None)
    assert demand.arrival_s.tolist() == [0.25, 0.75]
    assert demand.prompt_tokens.tolist() == [200, 300]
    assert demand.notes == ("trace.csv: 1 request before second 2 skipped (start)",)
    demand = workload(trace=path, limit=2).demand(1, 0, None)
    assert demand.arrival_s.tolist() == [0.5, 2.5]
    assert demand.notes == ("trace.csv: read up to 2 requests (limit)",)
    demand = workload(trace=path).demand(1, 0, 2.5)
    assert demand.arrival_s.tolist() == [0.5]
    assert demand.notes == ("trace.csv: 2 of 3 requests arrive at or after the horizon and are left out",)


def test_loop_repeats_the_span_plus_the_mean_gap(write: Any) -> None:
    demand = workload(trace=write(PLAIN), loop=True).demand(1, 0, 11.0)
    period = 3.0 + 1.5
    assert demand.arrival_s.tolist() == [0.5, 2.5, 3.5, 0.5 + period, 2.5 + period, 3.5 + period, 0.5 + 2 * period]
    assert demand.prompt_tokens.tolist() == [100, 200, 300, 100, 200, 300, 100]
    assert demand.notes == (
        "trace.csv: 3 requests repeated every 4.5 s (their span plus their mean gap) to the horizon",
    )


def test_a_replayed_trace_draws_only_its_tickets(write: Any) -> None:
    path = write(PLAIN)
    one, other = workload(trace=path).demand(1, 0, None), workload(trace=path).demand(2, 0, None)
    assert one.arrival_s.tolist() == other.arrival_s.tolist()
    assert one.ticket.tolist() != other.ticket.tolist()


@pytest.mark.parametrize("kind", TEXTS)
def test_peek_tells_size_and_rate_without_reading_all(kind: str, write: Any) -> None:
    seen = peek(write(TEXTS[kind]))
    assert seen.kind == kind
    assert seen.requests == 3
    assert seen.has_tokens
    assert not seen.has_service


def test_peek_estimates_a_long_file(write: Any) -> None:
    rows = "".join(f"{i / 4},{1000 + i % 1000},100\n" for i in range(50_000))
    seen = peek(write("arrival_s,prompt_tokens,output_tokens\n" + rows))
    assert seen.requests == pytest.approx(50_000, rel=0.15)
    assert seen.rate_per_s == pytest.approx(4)
    assert workload(trace=write("arrival_s,prompt_tokens,output_tokens\n" + rows), loop=True).expected_requests(
        1e6
    ) == pytest.approx(4e6, rel=0.01)


MALFORMED = {
    "azure no number": (AZURE.replace("3180", "many"), "trace.csv:3: ContextTokens: must be a number, got 'many'"),
    "azure hole": (AZURE.replace("3180", ""), "trace.csv:3: ContextTokens: is empty; every row needs a number here"),
    "azure blank": (
        AZURE.replace(",27", ",  "),
        "trace.csv:4: GeneratedTokens: is empty; every row needs a number here",
    ),
    "azure NaN": (AZURE.replace("3180", "nan"), "trace.csv:3: ContextTokens: must be a number, got 'nan'"),
    "azure huge": (AZURE.replace("3180", "1e999"), "trace.csv:3: ContextTokens: must be a finite number, got '1e999'"),
    "azure hex": (AZURE.replace("3180", "0x10"), "trace.csv:3: ContextTokens: must be a number, got '0x10'"),
    "azure digit groups": (AZURE.replace("3180", "3_180"), "trace.csv:3: ContextTokens: must be a number, got '3_180'"),
    "azure foreign digits": (AZURE.replace("3180", "٣"), "trace.csv:3: ContextTokens: must be a number, got '٣'"),
    "azure negative": (AZURE.replace("3180", "-1"), "trace.csv:3: ContextTokens: must be at least 0, got '-1'"),
    "azure half a token": (
        AZURE.replace("3180", "1.5"),
        "trace.csv:3: ContextTokens: must be a whole number, got '1.5'",
    ),
    "azure too long": (
        AZURE.replace("3180", "3000000000"),
        "trace.csv:3: ContextTokens: must be at most 1,000,000,000, got '3000000000'",
    ),
    "azure no output": (AZURE.replace(",8", ",0"), "trace.csv:3: GeneratedTokens: must be at least 1, got '0'"),
    "azure time": (
        AZURE.replace("2023-11-16 18:17:04.0319600", "yesterday at noon"),
        "trace.csv:3: TIMESTAMP: must be a time such as 2023-11-16 18:17:03.9799600, got 'yesterday at noon'",
    ),
    "azure year": (
        AZURE.replace("2023-11-16 18:17:04.0319600", "9999-11-16 18:17:04.0319600"),
        "trace.csv:3: TIMESTAMP: must be a time such as 2023-11-16 18:17:03.9799600, got '9999-11-16 18:17:04.0319600'",
    ),
    "azure day only": (
        AZURE.replace("2023-11-16 18:17:04.0319600", "2023-11-16"),
        "trace.csv:3: TIMESTAMP: must be a time such as 2023-11-16 18:17:03.9799600, got '2023-11-16'",
    ),
    "azure no time": (AZURE.replace("2023-11-16 18:17:04.0319600", ""), "trace.csv:3: TIMESTAMP: is empty"),
    "azure order": (
        AZURE.replace("18:17:04", "18:16:04"),
        "trace.csv:3: TIMESTAMP: is earlier than the row before; sort the trace by time",
    ),
    "short row": (AZURE.replace(",3180,8", ",3180"), "trace.csv:3: 2 fields where the header has 3"),
    "long row": (AZURE.replace(",3180,8", ",3180,8,9"), "trace.csv:3: 4 fields where the header has 3"),
    "blank line": (
        AZURE.replace("\n2023-11-16 18:17:04", "\n\n2023-11-16 18:17:04"),
        "trace.csv:3: blank line in the mi",
    ),
    "stray quote": (AZURE.replace("3180", '"31"80'), "trace.csv:3: not a CSV row: ',' expected after '\"'"),
    "open quote": (AZURE.replace("3180", '"3180'), "trace.csv:4: not a CSV row: unexpected end of data"),
    "column twice": (
        AZURE.replace("TIMESTAMP", "ContextTokens,TIMESTAMP"),
        "trace.csv:1: ContextTokens: column appears more than once; the header is ContextTokens,TIMESTAMP,Context",
    ),
    "header only": (AZURE.split("\n")[0], "trace.csv: has no requests"),
    "empty": ("", "trace.csv: is empty"),
    "only blank lines": ("\n\n", "trace.csv: is empty"),
    "burstgpt negative": (
        BURSTGPT.replace(",18,", ",-1,"),
        "trace.csv:2: Response tokens: must be at least 0, got '-1'",
    ),
    "burstgpt all failed": (
        "Timestamp,Request tokens,Response tokens\n1,5,0\n",
        "trace.csv: has no requests left: 0 before start, 1 failed",
    ),
    "mooncake not JSON": (MOONCAKE.replace("7322,", "7322"), "trace.csv:2: not JSON: Expecting ',' delimiter"),
    "mooncake not an object": (MOONCAKE + "[1]\n", "trace.csv:4: must be a JSON object, got a list"),
    "mooncake key missing": (MOONCAKE.replace('"input_length": 7322, ', ""), "trace.csv:2: input_length: is missing"),
    "mooncake null": (
        MOONCAKE.replace("7322", "null"),
        "trace.csv:2: input_length: is empty; every row needs a number",
    ),
    "mooncake text": (MOONCAKE.replace("7322", '"7322"'), "trace.csv:2: input_length: must be a number, got '7322'"),
    "mooncake true": (MOONCAKE.replace("7322", "true"), "trace.csv:2: input_length: must be a number, got true"),
    "mooncake NaN": (MOONCAKE.replace("7322", "NaN"), "trace.csv:2: input_length: must be a finite number, got nan"),
    "mooncake huge": (
        MOONCAKE.replace("7322", "9" * 400),
        "trace.csv:2: input_length: must be a number, got a number of",
    ),
    "mooncake deep": (MOONCAKE + "[" * 100_000, "trace.csv:4: not JSON: too deep or too long"),
    "mooncake order": (
        MOONCAKE.replace('"timestamp": 0', '"timestamp": 4000'),
        "trace.csv:2: timestamp: is earlier than the row before; sort the trace by time",
    ),
    "plain negative time": (PLAIN.replace("0.5,", "-0.5,"), "trace.csv:2: arrival_s: must be at least 0, got '-0.5'"),
    "plain without lengths": (
        "arrival_s\n1\n",
        "trace.csv: needs the columns prompt_tokens and output_tokens, or service_s, or all three",
    ),
    "plain with half the lengths": (
        "arrival_s,prompt_tokens,service_s\n1,2,3\n",
        "trace.csv: needs the columns prompt_tokens and output_tokens, or service_s, or all three",
    ),
    "not text": (b"arrival_s,service_s\n1,2\n\xff\xfe,3\n", "trace.csv:3: not UTF-8 text"),
    "unknown": (
        "when,what\n1,2\n",
        "trace.csv: no known trace format. Its columns: when, what. Known: azure (TIMESTAMP, ContextTokens, "
        "GeneratedTokens); burstgpt (Timestamp, Request tokens, Response tokens); mooncake (timestamp, input_length, "
        "output_length); plain (arrival_s)",
    ),
    "semicolons": (
        PLAIN.replace(",", ";"),
        "trace.csv: no known trace format. Its columns: arrival_s;prompt_tokens;outp",
    ),
    "damaged parquet": (b"PAR1 and then something else", "trace.csv: not a Parquet file: "),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_trace_names_file_and_line(case: str, write: Any) -> None:
    text, said = MALFORMED[case]
    assert fault(write(text)).startswith(said)


def test_a_format_that_is_not_the_files_is_told(write: Any) -> None:
    assert fault(write(PLAIN), kind="azure").startswith(
        "trace.csv:1: TIMESTAMP: column missing; the header is arrival_s"
    )
    assert fault(write(MOONCAKE), kind="azure") == "trace.csv: is JSON lines; the azure format is CSV"


def test_a_file_packed_by_gzip_is_read_and_others_are_to_be_unpacked_first(write: Any) -> None:
    text = "arrival_s,prompt_tokens,output_tokens\n0,5,6\n1,7,8\n"
    assert read_trace(write(gzip.compress(text.encode()), "t.csv.gz")).prompt_tokens.tolist() == [5, 7]
    damaged = "t.csv.gz: is cut off or damaged: it cannot be unpacked"
    assert fault(write(gzip.compress(text.encode())[:-9], "t.csv.gz")) == damaged
    assert fault(write(b"\x28\xb5\x2f\xfd", "t.csv.zst")) == "t.csv.zst:1: not UTF-8 text; unpack it first"


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    assert fault(str(tmp_path / "none.csv")) == "none.csv: no such file"
    assert "cannot be read: is a folder" in fault(str(tmp_path))
    with pytest.raises(DataError, match="cannot be read: embedded null byte"):
        read_trace("a\0b")


def test_nothing_after_start_is_told(write: Any) -> None:
    assert fault(write(PLAIN), start_s=99.0) == "trace.csv: has no requests left: 3 before start, 0 failed"


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([1, None, 3]), "row 2: is empty; every row needs a number here"),
        (pa.array(["1", "2", "3"]), "row 1: must be a number, got '1'"),
        (pa.array([1.0, 2.0, float("nan")]), "row 3: must be a finite number, got nan"),
        (pa.array([True, False, True]), "row 1: must be a number, got true"),
    ],
)
def test_a_malformed_parquet_row_is_named(column: Any, said: str, tmp_path: Path) -> None:
    file = tmp_path / "trace.parquet"
    pq.write_table(pa.table({"arrival_s": column, "prompt_tokens": [1, 2, 3], "output_tokens": [1, 2, 3]}), file)
    assert fault(str(file)) == f"trace.parquet: arrival_s: {said}"


def test_a_truncated_parquet_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "trace.parquet"
    pq.write_table(pa.table({"arrival_s": [1.0], "service_s": [1.0]}), file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert fault(str(file)).startswith("trace.parquet: not a Parquet file: ")


def test_a_line_without_end_is_refused_before_it_fills_memory(write: Any) -> None:
    assert fault(write(b"x" * 16_000_001)) == "trace.csv:1: line is longer than 16 MB: not a trace or a table"


def test_rows_after_the_limit_are_not_read(write: Any) -> None:
    rows = "".join(f"{i},1,1\n" for i in range(BLOCK_ROWS)) + "broken\n"
    assert len(read_trace(write("arrival_s,prompt_tokens,output_tokens\n" + rows), limit=10)) == 10
