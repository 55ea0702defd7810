"""Every benchmark format: what is read from it, in seconds, and what is said of a file that is wrong."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.config.errors import ConfigError, DataError
from sim.exchange import FORMATS, format_names, read_benchmark, read_benchmarks
from sim.exchange import documents as documents_module
from sim.study.fidelity.measured import Measured, OperatingPoint, with_cap
from tests import benchmark_files as made


def one(tmp_path: Path, value: Any, name: str = "result.json") -> OperatingPoint:
    (point,) = read_benchmark(made.write(tmp_path / name, value)).points
    return point


def changed(value: dict[str, Any], path: str, new: Any) -> dict[str, Any]:
    """A copy with the value at a dotted path replaced, or taken away if it is `...`."""
    value = copy.deepcopy(value)
    *above, last = path.split(".")
    place: Any = value
    for step in above:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if new is ...:
        del place[last]
    else:
        place[last] = new
    return value


def test_vllm_aggregate(tmp_path: Path) -> None:
    point = one(tmp_path, made.VLLM)
    assert (point.format, point.rate_per_s, point.max_in_flight, point.gap_cv) == ("vllm", 4.0, None, 1.0)
    assert (point.prompt_tokens, point.output_tokens, point.requests) == (512.0, 129.0, 100)
    assert (point.ttft.mean, point.ttft.p50, point.ttft.p99) == pytest.approx((0.040, 0.039, 0.060))
    assert point.tpot.mean == pytest.approx(0.008)
    assert point.itl.mean == pytest.approx(0.0081)
    assert point.e2e.mean is None  # not among its default metrics
    assert point.any_e2e_s == pytest.approx(0.040 + 128 * 0.008)
    assert point.model == "org/some-model"


def test_vllm_appended_runs_and_unlimited_rate(tmp_path: Path) -> None:
    closed = {**made.VLLM, "request_rate": "inf", "max_concurrency": 16, "burstiness": 0.25}
    file = made.write(tmp_path / "runs.json", made.lines(made.VLLM, closed))
    first, second = read_benchmark(file).points
    assert (first.name, second.name) == ("runs.json:1", "runs.json:2")
    assert (second.rate_per_s, second.max_in_flight, second.gap_cv) == (None, 16, 2.0)
    assert second.load == "16 in flight"


def test_vllm_details_become_rows_in_order_of_sending(tmp_path: Path) -> None:
    point = one(tmp_path, {**made.VLLM, **made.DETAILS})
    rows = point.rows
    assert rows is not None
    assert rows.arrival_s is not None
    assert rows.ttft_s is not None
    assert rows.e2e_s is not None
    # the request without a token is left out; the one sent first comes first
    np.testing.assert_allclose(rows.arrival_s, [0.0, 1.0])
    np.testing.assert_allclose(rows.prompt_tokens, [200, 100])
    np.testing.assert_allclose(rows.ttft_s, [0.06, 0.05])
    np.testing.assert_allclose(rows.e2e_s, [0.09, 0.06])
    assert point.e2e.mean == pytest.approx(0.075)


def test_sglang(tmp_path: Path) -> None:
    infinite = json.dumps({**made.SGLANG, "max_concurrency": 8}).replace(
        '"request_rate": 4.0', '"request_rate": Infinity'
    )
    file = made.write(tmp_path / "runs.jsonl", made.lines(made.SGLANG) + infinite + "\n")
    first, second = read_benchmark(file).points
    assert (first.format, first.rate_per_s, first.prompt_tokens, first.output_tokens) == ("sglang", 4.0, 768.0, 192.0)
    assert (first.ttft.mean, first.e2e.mean) == pytest.approx((0.050, 1.600))
    assert (second.rate_per_s, second.max_in_flight) == (None, 8)


def test_guidellm(tmp_path: Path) -> None:
    point = one(tmp_path, made.GUIDELLM)
    assert (point.format, point.rate_per_s, point.gap_cv, point.requests, point.failed) == ("guidellm", 4.0, 0.0, 50, 2)
    assert (point.ttft.mean, point.ttft.p99, point.e2e.mean) == pytest.approx((0.049, 0.090, 1.3))
    # its own time per output token counts the first token: the inter-token latency is ours
    assert point.tpot.mean == pytest.approx(0.00985)


def test_guidellm_closed_loop_and_rows(tmp_path: Path) -> None:
    closed = changed(made.GUIDELLM, "benchmarks.0.config.strategy", {"type_": "concurrent", "streams": 12})
    request = {
        "info": {"timings": {"request_start": 1000.5}},
        "prompt_tokens": 256,
        "output_tokens": 128,
        "request_latency": 1.3,
        "time_to_first_token_ms": 49.0,
    }
    closed = changed(closed, "benchmarks.0.metrics.request_totals.successful", 1)
    point = one(tmp_path, changed(closed, "benchmarks.0.requests", {"successful": [request]}))
    assert (point.rate_per_s, point.max_in_flight) == (None, 12)
    assert point.rows is not None
    assert point.rows.ttft_s is not None
    assert point.rows.ttft_s.tolist() == [0.049]


def test_aiperf_takes_each_unit_at_its_word(tmp_path: Path) -> None:
    point = one(tmp_path, made.AIPERF)
    assert (point.format, point.rate_per_s, point.requests) == ("aiperf", 4.0, 240)
    assert (point.ttft.mean, point.tpot.mean, point.e2e.mean) == pytest.approx((0.049, 0.00985, 1.3))
    older = changed(made.AIPERF, "input_config", {"perf_analyzer": {"stimulus": {"concurrency": 10}}})
    assert one(tmp_path, older).max_in_flight == 10


def test_aiperf_requests(tmp_path: Path) -> None:
    start = 1_700_000_000_000_000_000
    records = [
        made.aiperf_record(start - 5 * 10**9, phase="warmup"),
        made.aiperf_record(start + 2 * 10**9),
        made.aiperf_record(start),
        made.aiperf_record(start + 10**9, cancelled=True),
    ]
    point = one(tmp_path, made.lines(*records), "profile_export.jsonl")
    assert (point.format, point.requests, point.failed) == ("aiperf-requests", 2, 1)
    assert point.rows is not None
    assert point.rows.arrival_s is not None
    np.testing.assert_allclose(point.rows.arrival_s, [0.0, 2.0], atol=1e-6)
    assert point.tpot.mean == pytest.approx(0.01)
    assert point.achieved_per_s == pytest.approx(2 / 3.05)


def test_inference_perf_stage(tmp_path: Path) -> None:
    point = one(tmp_path, made.STAGE)
    assert (point.format, point.rate_per_s, point.sent_per_s, point.gap_cv) == ("inference-perf", 4.0, 4.02, 0.0)
    assert (point.ttft.mean, point.ttft.p50, point.e2e.mean) == pytest.approx((0.049, 0.047, 1.31))
    assert point.cached_share == pytest.approx(0.25)
    assert point.failed == 2
    assert point.derived_tpot_s == pytest.approx((1.31 - 0.049) / 125)
    older = changed(made.STAGE, "successes.prompt_tokens", ...)
    older["successes"]["prompt_len"] = {"mean": 300.0}
    assert one(tmp_path, older).prompt_tokens == 300.0


@pytest.mark.parametrize("nested", [True, False])
def test_inference_perf_requests(tmp_path: Path, nested: bool) -> None:
    records = [
        made.per_request(11.0, nested=nested),
        made.per_request(10.0, nested=nested),
        made.per_request(12.0, "x"),
    ]
    point = one(tmp_path, records)
    assert (point.format, point.requests, point.failed) == ("inference-perf-requests", 2, 1)
    assert (point.ttft.mean, point.e2e.mean, point.output_tokens) == pytest.approx((0.05, 0.08, 3.0))


def test_llmd_report_json_and_yaml(tmp_path: Path) -> None:
    point = one(tmp_path, made.LLMD)
    assert (point.format, point.rate_per_s, point.gap_cv) == ("llm-d", 10.0, 0.0)
    assert (point.requests, point.failed, point.replicas, point.gpus_per_replica) == (495, 5, 2, 4)
    assert (point.ttft.mean, point.tpot.mean, point.e2e.mean) == pytest.approx((0.041, 0.0097, 2.5))
    from sim.config.dump import to_yaml

    same = one(tmp_path, "# a report\n" + to_yaml(made.LLMD), "report.yaml")
    assert (same.ttft, same.e2e, same.rate_per_s) == (point.ttft, point.e2e, point.rate_per_s)


def test_llmd_report_of_the_oldest_version(tmp_path: Path) -> None:
    point = one(tmp_path, made.LLMD_OLDEST)
    assert (point.rate_per_s, point.max_in_flight, point.gpus_per_replica) == (None, 32, 2)
    assert (point.ttft.mean, point.e2e.mean) == pytest.approx((0.060, 1.4))


def test_aiperf_csv(tmp_path: Path) -> None:
    point = one(tmp_path, made.AIPERF_CSV, "profile_export_aiperf.csv")
    assert (point.format, point.requests, point.achieved_per_s, point.load_known) == ("aiperf-csv", 240, 3.92, False)
    assert (point.ttft.mean, point.ttft.p95, point.tpot.mean, point.e2e.mean) == pytest.approx(
        (0.049, 0.070, 0.0099, 1.31)
    )
    assert (point.prompt_tokens, point.output_tokens) == (550.0, 128.0)
    assert point.prompt_law is not None
    assert point.prompt_law.kind == "constant"
    # how it was loaded is in none of its rows
    with pytest.raises(DataError, match=r"does not say how the server was loaded; give --max-in-flight N"):
        with_cap(Measured((point,)), None)
    (capped,) = with_cap(Measured((point,)), 8).points
    assert (capped.max_in_flight, capped.rate_per_s) == (8, None)


def test_inferencex(tmp_path: Path) -> None:
    point = one(tmp_path, made.INFERENCEX)
    assert (point.format, point.max_in_flight, point.rate_per_s, point.requests) == ("inferencex", 64, None, 640)
    assert (point.model, point.gpu, point.gpus_per_replica, point.precision) == ("org/some-model", "h200", 4, "fp8")
    assert (point.ttft.mean, point.tpot.mean, point.e2e.mean, point.e2e.p99) == (0.112, 0.0138, 7.2, 8.9)
    assert point.achieved_per_s == pytest.approx(8.0)
    both = read_benchmark(made.write(tmp_path / "agg.json", [made.INFERENCEX, {**made.INFERENCEX, "conc": 8}])).points
    assert [(p.name, p.max_in_flight) for p in both] == [("agg.json:1", 64), ("agg.json:2", 8)]


def test_lengths_are_spread_as_the_file_says(tmp_path: Path) -> None:
    def laws(value: Any, name: str = "file.json") -> tuple[Any, Any]:
        point = one(tmp_path, value, name)
        for law, mean in ((point.prompt_law, point.prompt_tokens), (point.output_law, point.output_tokens)):
            assert law is None or law.mean_value == pytest.approx(mean, rel=0.1)
        return point.prompt_law, point.output_law

    assert laws(made.VLLM) == (None, None)
    # quantiles between the least and the most, moved to the mean that the file has
    _, quantiles = laws(made.AIPERF_CSV, "a.csv")
    assert quantiles.kind == "quantiles"
    assert quantiles.mean_value == pytest.approx(128.0)
    assert quantiles.at[0.5] == pytest.approx(128.0, rel=0.01)
    # a deviation alone
    deviation = {"units": "count", "mean": 1024, "stddev": 256}
    prompt, _ = laws(changed(made.LLMD, "results.request_performance.aggregate.requests.input_length", deviation))
    assert (prompt.kind, prompt.cv) == ("lognormal", 0.25)
    # the range that random lengths were drawn from
    prompt, output = laws({**made.SGLANG, **RANDOM, "random_range_ratio": 0.5})
    assert (prompt.low, prompt.high, output.low, output.high) == (512.0, 1024.0, 128.0, 256.0)
    assert (
        laws({**made.SGLANG, **RANDOM, "random_range_ratio": 1.0, "total_input_tokens": 102400})[0].kind == "constant"
    )
    assert laws({**made.SGLANG, **RANDOM, "random_range_ratio": 0.0}) == (None, None), "the means say otherwise"


RANDOM = {"dataset_name": "random", "random_input_len": 1024, "random_output_len": 256}


def test_a_sample_of_the_requests_is_not_replayed(tmp_path: Path) -> None:
    request = {
        "info": {"timings": {"request_start": 1000.5}},
        "prompt_tokens": 256,
        "output_tokens": 128,
        "request_latency": 1.3,
    }
    assert one(tmp_path, changed(made.GUIDELLM, "benchmarks.0.requests", {"successful": [request]})).rows is None


def test_a_csv_of_requests(tmp_path: Path) -> None:
    point = one(tmp_path, made.REQUESTS, "requests.csv")
    assert (point.format, point.requests, point.rate_per_s, point.max_in_flight) == ("requests", 2, None, None)
    assert point.rows is not None
    assert point.rows.arrival_s is not None
    assert point.rows.arrival_s.tolist() == [0.0, 1.5]
    assert point.rows.prompt_tokens.tolist() == [100, 200]
    assert (point.ttft.mean, point.tpot.mean, point.e2e.mean) == pytest.approx((0.055, 0.02, 0.155))
    assert point.achieved_per_s == pytest.approx(2 / 1.76)
    others = made.REQUESTS.replace("prompt_tokens", "input_toks").replace("output_tokens", "output_toks")
    bare = one(tmp_path, others.replace("ttft_s", "x"), "bare.csv")
    assert (bare.ttft.mean, bare.derived_tpot_s) == (None, None)
    assert bare.prompt_tokens == 150.0


def test_iteration_log(tmp_path: Path) -> None:
    (log,) = read_benchmark(made.write(tmp_path / "log.csv", made.ITERATIONS)).iterations
    assert log.seconds.tolist() == pytest.approx([0.0065, 0.025])
    assert log.prefill_tokens.tolist() == [0, 512]
    (log,) = read_benchmark(made.write(tmp_path / "s.csv", made.ITERATIONS.replace("ms", "seconds"))).iterations
    assert log.seconds.tolist() == [6.5, 25.0]


def test_files_are_put_together(tmp_path: Path) -> None:
    both = read_benchmarks([made.write(tmp_path / "a", made.VLLM), made.write(tmp_path / "b.csv", made.ITERATIONS)])
    assert (len(both.points), len(both.iterations)) == (1, 1)


def test_each_format_fits_its_own_file_only(tmp_path: Path) -> None:
    samples: dict[str, Any] = {
        "vllm": made.VLLM,
        "sglang": made.SGLANG,
        "guidellm": made.GUIDELLM,
        "aiperf": made.AIPERF,
        "aiperf-requests": made.lines(made.aiperf_record(10**18), made.aiperf_record(10**18)),
        "inference-perf": made.STAGE,
        "inference-perf-requests": [made.per_request(1.0)],
        "llm-d": made.LLMD,
        "aiperf-csv": made.AIPERF_CSV,
        "inferencex": made.INFERENCEX,
        "requests": made.REQUESTS,
        "iterations": made.ITERATIONS,
    }
    assert set(samples) == set(format_names())
    for kind, value in samples.items():
        document = documents_module.open_document(made.write(tmp_path / kind, value))
        assert [form.kind for form in FORMATS if form.fits(document)] == [kind]


ERRORS: list[tuple[str, Any, str]] = [
    ("unknown", {"a": 1}, "is of no format known here, which are: vllm, sglang, "),
    ("both", {**made.VLLM, **made.SGLANG}, "could be vllm or sglang; say which with --format"),
    ("empty", "", "is empty"),
    ("cut", json.dumps(made.VLLM, indent=1)[:200], "ends in the middle: is it complete?"),
    ("number", changed(made.VLLM, "mean_ttft_ms", "fast"), "mean_ttft_ms: must be a number, got 'fast'"),
    ("negative", changed(made.VLLM, "mean_ttft_ms", -1), "mean_ttft_ms: must be at least 0, got -1"),
    ("nan", changed(made.VLLM, "mean_tpot_ms", float("nan")), "mean_tpot_ms: must be a finite number, got nan"),
    ("twice", '{"completed": 7, ' + json.dumps(made.VLLM)[1:], "completed: stands twice in one mapping"),
    ("twice-below", json.dumps(made.STAGE).replace('"mean"', '"mean": 1, "mean"', 1), "mean: stands twice in one mapp"),
    ("none", changed(made.VLLM, "completed", 0), "completed: no request was completed"),
    ("missing", changed(made.VLLM, "total_input_tokens", ...), "total_input_tokens: is missing"),
    ("rate", changed(made.VLLM, "request_rate", "fast"), "request_rate: must be a number or 'inf', got 'fast'"),
    ("ramp", {**made.VLLM, "ramp_up_strategy": "linear"}, "ramp_up_strategy: the load was ramped up during the run"),
    ("ragged", {**made.VLLM, **made.DETAILS, "ttfts": [0.1]}, "ttfts: has 1 entries where others have 3"),
    ("gap", {**made.VLLM, **made.DETAILS, "itls": [[0.1], [], ["x", 1]]}, "itls.2: must be a number, got 'x'"),
    (
        "version",
        changed(made.GUIDELLM, "metadata.version", 9),
        "metadata.version: GuideLLM files of version 9 are not ",
    ),
    (
        "strategy",
        changed(made.GUIDELLM, "benchmarks.0.config.strategy.type_", "magic"),
        "benchmarks.0.config.strategy.type_: 'magic' is not a strategy known here",
    ),
    ("unit", changed(made.AIPERF, "request_latency.unit", "furlongs"), "request_latency.unit: must be one of s, sec,"),
    (
        "unstreamed",
        {**made.VLLM, "mean_e2el_ms": 40.0},
        "first token (40 ms) is not below that of the whole answer (40 ms)",
    ),
    (
        "tokens",
        {**made.VLLM, "total_input_tokens": 1e12},
        "1e+10 tokens in a prompt or an answer; at most 1,000,000,000",
    ),
    (
        "seconds",
        {**made.VLLM, "mean_tpot_ms": 1e12},
        "a mean latency of 1e+09 s is more than a year: in which unit is it?",
    ),
    ("slow", {**made.VLLM, "request_rate": 1e-9}, "100 requests at 1e-09/s would take more than a year"),
    ("none-out", {**made.VLLM, "total_output_tokens": 50}, "0.5 output tokens a request: one that is completed has at"),
    ("columns", "arrival_s,prompt_tokens,output_tokens\n1,1,1\n", ":1: is no CSV known here, which are: CSV with the"),
    ("length", made.REQUESTS.replace(",11,", ",0,"), ":2: output_tokens: must be at least 1: leave out requests"),
    ("time", made.REQUESTS.replace("0.26", "slow"), ":2: e2e_s: must be a number, got 'slow'"),
    ("disagg", {**made.INFERENCEX, "disagg": True}, "disagg: calibrate takes one engine that does both prefill and"),
    ("pipeline", {**made.INFERENCEX, "pp": 2}, "pp: there is no law for that here, got 2"),
    ("ragged-row", made.AIPERF_CSV.replace("9.90,9.10", "9.90,9.10,1"), ":2: is no row of its table"),
    ("cell", made.AIPERF_CSV.replace("49.00", "fast"), ":3: time_to_first_token.avg: must be a number, got 'fast'"),
    (
        "label",
        made.AIPERF_CSV.replace("Token (ms)", "Token (min)"),
        "time_to_first_token.unit: must have one of s, sec",
    ),
    ("load", changed(made.AIPERF, "input_config", {}), "input_config: says neither request_rate nor concurrency"),
    ("cancelled", changed(made.AIPERF, "was_cancelled", True), "was_cancelled: the run was cancelled"),
    ("summary", changed(made.STAGE, "load_summary.requested_rate", ...), "mixes loads; give the stage_N files"),
    ("type", changed(made.STAGE, "successes.latency", 3), "successes.latency: must be a mapping, got 3"),
    ("report", changed(made.LLMD, "version", "7.0"), "reports of version '7.0' are not known here; known: 0.1, 0.2"),
    (
        "split",
        changed(made.LLMD, "scenario.stack.0.standardized.role", "prefill"),
        "prefill and decode are apart in this run",
    ),
    (
        "units",
        changed(made.LLMD, "results.request_performance.aggregate.latency.request_latency.units", None),
        "units: ",
    ),
    ("header", "prefill_tokens,decode_seqs,ctx_tokens\n1,1,1\n", "1: needs a column 'seconds' or 'ms'"),
    ("twice", "prefill_tokens,decode_seqs,ctx_tokens,ms,seconds\n1,1,1,1,1\n", "has both 'seconds' and 'ms'"),
    ("word", made.ITERATIONS.replace("6.5", "six"), ":2: ms: must be a number, got 'six'"),
    ("instant", made.ITERATIONS.replace("6.5", "0"), ":2: ms: an iteration takes time; got 0"),
    ("nothing", "prefill_tokens,decode_seqs,ctx_tokens,ms\n0,0,0,1\n", ":2: prefill_tokens: an iteration of no tokens"),
]


@pytest.mark.parametrize(("name", "value", "said"), ERRORS, ids=[name for name, _, _ in ERRORS])
def test_a_file_that_is_wrong_is_told_with_its_place(tmp_path: Path, name: str, value: Any, said: str) -> None:
    file = made.write(tmp_path / name, value)
    with pytest.raises(DataError) as caught:
        read_benchmark(file)
    assert said in str(caught.value)
    assert str(caught.value).startswith(file)


def test_a_wrong_line_is_told_by_number(tmp_path: Path) -> None:
    file = made.write(tmp_path / "runs.jsonl", made.lines(made.VLLM, changed(made.VLLM, "completed", "x")))
    with pytest.raises(DataError, match=r":2: completed: must be a number, got 'x'"):
        read_benchmark(file)
    file = made.write(tmp_path / "cut.jsonl", made.lines(made.VLLM, made.VLLM)[:-40])
    with pytest.raises(DataError, match=r":2:\d+: ends in the middle"):
        read_benchmark(file)


def test_what_is_no_file_of_text(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\x93NUMPY\x00\xff\xfe")
    (tmp_path / "deep").write_text("[" * 200_000)
    (tmp_path / "wide").write_bytes(json.dumps(made.VLLM).encode("utf-16"))  # as some shells redirect
    with pytest.raises(DataError, match="wide: is UTF-16 text; save it as UTF-8"):
        read_benchmark(str(tmp_path / "wide"))
    for name, said in (("binary", "not UTF-8 text"), ("absent", "no such file"), ("", "is a folder"), ("deep", "deep")):
        with pytest.raises(DataError, match=said):
            read_benchmark(str(tmp_path / name))


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents_module, "DOCUMENT_BYTES_MAX", 300)
    for value in (json.dumps(made.VLLM), json.dumps(made.VLLM, indent=1)):
        with pytest.raises(DataError, match=r"is larger than \d+ MiB"):
            read_benchmark(made.write(tmp_path / "large", value))


def test_a_time_of_zero_is_none(tmp_path: Path) -> None:
    point = one(tmp_path, {**made.VLLM, "mean_ttft_ms": 0.0, "median_ttft_ms": 0})
    assert (point.ttft.mean, point.ttft.p50, point.ttft.p99) == (None, None, 0.060)


def test_a_format_can_be_named(tmp_path: Path) -> None:
    file = made.write(tmp_path / "both", {**made.VLLM, **made.SGLANG})
    assert read_benchmark(file, "sglang").points[0].format == "sglang"
    with pytest.raises(ConfigError, match="'vlm' is not a format; did you mean 'vllm'"):
        read_benchmark(file, "vlm")
