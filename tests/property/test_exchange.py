"""Whatever stands in a benchmark file, reading it gives points or one `DataError`, never anything else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.config.errors import DataError
from sim.exchange import format_names, read_benchmark
from tests import benchmark_files as made

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
KEYS = st.sampled_from(["metadata", "benchmarks", "metrics", "version", "results", "scenario", "completed", "x"])
VALUES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), below, max_size=4)
)
RANDOM_LENGTHS = {
    **made.SGLANG, "dataset_name": "random", "random_input_len": 1024, "random_output_len": 256,
    "random_range_ratio": 0.5,
}  # fmt: skip
TOKENS = {
    "unit": "tokens",
    "avg": 128.0,
    "min": 100.0,
    "p10": 110.0,
    "p50": 128.0,
    "p90": 140.0,
    "max": 160.0,
    "std": 9.0,
}
SPREAD_LENGTHS = {**made.AIPERF, "input_sequence_length": TOKENS, "output_sequence_length": {**TOKENS, "min": None}}
SAMPLES: list[Any] = [
    {**made.VLLM, **made.DETAILS},
    made.SGLANG,
    made.GUIDELLM,
    made.AIPERF,
    made.aiperf_record(10**18),
    made.STAGE,
    [made.per_request(1.0), made.per_request(2.0, nested=False)],
    made.LLMD,
    made.LLMD_OLDEST,
    made.INFERENCEX,
    RANDOM_LENGTHS,
    SPREAD_LENGTHS,
]
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def tried(file: Path, text: str, format: str | None = None) -> None:
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        found = read_benchmark(str(file), format)
    except DataError as error:
        assert str(file) in str(error)  # noqa: PT017
    else:
        assert found.points or found.iterations


def paths(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above] + [path for key, item in below for path in paths(item, (*above, key))]


@QUICK
@given(value=VALUES, format=st.none() | st.sampled_from(format_names()))
def test_any_json(tmp_path: Path, value: Any, format: str | None) -> None:
    tried(tmp_path / "file", json.dumps(value), format)


@QUICK
@given(text=st.text(max_size=60), format=st.none() | st.sampled_from(format_names()))
def test_any_text(tmp_path: Path, text: str, format: str | None) -> None:
    tried(tmp_path / "file", text, format)


@pytest.mark.parametrize("sample", SAMPLES, ids=range(len(SAMPLES)))
@QUICK
@given(data=st.data())
def test_a_right_file_with_one_thing_wrong(tmp_path: Path, sample: Any, data: st.DataObject) -> None:
    value = copy.deepcopy(sample)
    *above, last = data.draw(st.sampled_from([path for path in paths(sample) if path]))
    place = value
    for step in above:
        place = place[step]
    place[last] = data.draw(VALUES)
    tried(tmp_path / "file", json.dumps(value))


@QUICK
@given(data=st.data())
def test_a_csv_with_one_thing_wrong(tmp_path: Path, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([made.AIPERF_CSV, made.ITERATIONS, made.REQUESTS]))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 9, len(text))))
    tried(tmp_path / "file", text[:start] + data.draw(st.text(max_size=6)) + text[end:])


@pytest.mark.parametrize("sample", SAMPLES, ids=range(len(SAMPLES)))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1), indent=st.sampled_from([None, 1]))
def test_a_file_cut_short(tmp_path: Path, sample: Any, share: float, indent: int | None) -> None:
    text = json.dumps(sample, indent=indent)
    tried(tmp_path / "file", text[: int(share * len(text))])
