"""Files of measured points: what they may say, and what is said when they are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sim.config.errors import DataError
from sim.study.fidelity.cases import Case, cases_of_file
from sim.study.fidelity.measured import OperatingPoint
from sim.study.fidelity.rerun import ONE, Rerun
from sim.study.fidelity.shipped import LATENCIES, Column, read_measured, shipped_files
from sim.study.fidelity.validate import Comparison, Validation, errors_of, validate
from sim.workload.base import Columns

GOOD = """\
name: mine
source: our own bench
setup: {model: llama-3-8b, gpu: h100-sxm, engine: vllm-0.15, arrivals: poisson, duration: 20s}
columns: [rate_per_s, ttft_s_mean, e2e_s_mean]
experiments:
  - name: chat
    prompt_tokens: 500
    cached_tokens: 484
    output_tokens: 50
    points:
      - [1, 0.02, 0.4]
      - [4, null, 0.42]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    return path


def cases(path: Path) -> list[Case]:
    return list(cases_of_file(read_measured(path), path))


def validated(path: Path) -> Validation:
    return validate(cases(path))


def requests_of(case: Case) -> Columns:
    assert isinstance(case.of, OperatingPoint)
    (block,) = Rerun(case.of, effort=ONE).blocks
    return block


def test_a_file_becomes_cases(file: Path) -> None:
    one, two = cases(file)
    assert (one.name, two.name) == ("mine/chat/1/s", "mine/chat/4/s")
    assert one.measured == {"ttft_s_mean": 0.02, "e2e_s_mean": 0.4}
    assert two.measured == {"e2e_s_mean": 0.42}, "what was not measured is left out"
    sent = requests_of(two)
    assert len(sent.arrival_s) == 80
    assert 15 < sent.arrival_s[-1] <= 20
    assert set(sent.prompt_tokens) == {500}
    assert two.of.cached_share is not None  # type: ignore[union-attr]
    assert int(two.of.cached_share * 500) == 484  # type: ignore[union-attr]
    assert two.setting.law().source == "calibrated"


def test_evenly_spaced_requests_come_in_the_number_said(file: Path) -> None:
    text = GOOD.replace("poisson, duration: 20s", "even").replace("[rate_per_s,", "[rate_per_s, requests,")
    file.write_text(text.replace("[1, 0.02", "[1, 17, 0.02").replace("[4, null", "[3, 1000, null"))
    for case, many in zip(cases(file), (17, 1000), strict=True):
        arrival_s = requests_of(case).arrival_s
        assert len(arrival_s) == many
        assert np.diff(arrival_s) == pytest.approx(1 / (case.rate_per_s or 0.0))


def test_a_cap_without_a_rate_is_a_closed_loop(file: Path) -> None:
    text = GOOD.replace("[rate_per_s,", "[max_in_flight,").replace("[4, null", "[8, null")
    file.write_text(text)
    one, eight = (row for row in validated(file).rows if row.metric == "e2e_s_mean")
    assert one.predicted is not None
    assert eight.predicted is not None
    assert one.predicted < eight.predicted < 8 * one.predicted
    assert one.predicted == pytest.approx(0.4, rel=0.2)


def test_a_path_is_relative_to_the_file(file: Path, tmp_path: Path) -> None:
    source = Path(shipped_files()[0]).parents[1] / "models" / "llama-3-8b.yaml"
    (tmp_path / "own.yaml").write_text(source.read_text())
    file.write_text(GOOD.replace("model: llama-3-8b", "model: own.yaml"))
    one, _ = cases(file)
    assert one.setting.law().source == "calibrated"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("e2e_s_mean]", "e2e_mean]", r"mine\.yaml:4:\d+: columns\.2: 'e2e_mean' is not .*did you mean 'e2e_s_mean'"),
        ("[1, 0.02, 0.4]", "[1, 0.02]", r"mine\.yaml:11:9: experiments\.0\.points\.0: must have 3 entries.*got 2"),
        ("      - [1, 0.02, 0.4]\n      - [4, null, 0.42]", "      []", r"mine\.yaml:10:5: .*must hold at least one"),
        ("[1, 0.02, 0.4]", "[1, fast, 0.4]", r"mine\.yaml:11:13: experiments\.0\.points\.0\.1: must be a number"),
        ("[1, 0.02, 0.4]", "[1, -1, 0.4]", r"mine\.yaml:11:13: .*must be at least 0\.0; got -1"),
        ("[1, 0.02, 0.4]", "[1, .nan, 0.4]", r"mine\.yaml:11:13: .*must be a finite number"),
        ("arrivals: poisson, ", "", r"mine\.yaml:6:5: experiments\.0: needs arrivals, here or in 'setup'"),
        ("gpu: h100-sxm", "gpuu: h100-sxm", r"mine\.yaml:3:\d+: setup\.gpuu: no such key; did you mean 'gpu'"),
        ("source: our own bench\n", "", r"mine\.yaml.*source: is missing"),
        ("[rate_per_s, ", "[tpot_s_mean, ", r"columns: lacks rate_per_s"),
        ("[rate_per_s, ttft_s_mean, e2e_s_mean]", "[rate_per_s, requests, max_in_flight]", r"holds nothing that was"),
        ("[rate_per_s, ttft_s_mean, e2e_s_mean]", "[rate_per_s, iteration_s, decode_seqs]", r"do not go into one file"),
        ("[rate_per_s, ttft_s_mean, e2e_s_mean]", "[rate_per_s, e2e_s_mean, e2e_s_mean]", r"names a column twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(file: Path, old: str, new: str, message: str) -> None:
    assert GOOD.count(old) == 1
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(DataError, match=message):
        read_measured(file)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("llama-3-8b", "lama-3-8b", r"mine\.yaml: model: mine/chat: .*lama-3-8b.*did you mean 'llama-3-8b'"),
        ("gpu: h100-sxm", "gpu: h100-sxm, gpus_per_replica: 3", r"gpus_per_replica: mine/chat: must divide"),
        ("cached_tokens: 484", "cached_tokens: 484\n    max_num_seqs: 10000", r"mine/chat: must not be above"),
        ("prompt_tokens: 500", "prompt_tokens: 2e12", r"mine/chat/1/s: 2e\+12 tokens in a prompt or an answer"),
        ("[1, 0.02, 0.4]", "[1, 0.5, 0.4]", r"mine/chat/1/s: the mean time to the first token \(500 ms\) is not below"),
        ("[1, 0.02", "[1e-9, 0.02", r"mine/chat/1e-09/s: 1 requests at 1e-09/s would take more than a year"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_said_with_its_case(file: Path, old: str, new: str, message: str) -> None:
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(DataError, match=message):
        cases(file)


def test_two_experiments_of_one_name(file: Path) -> None:
    file.write_text(GOOD + GOOD.partition("experiments:\n")[2])
    with pytest.raises(DataError, match=r"experiments\.1\.name: 'chat' stands twice"):
        read_measured(file)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text('{"model_id": "x", "mean_ttft_ms": 12.0}')
    with pytest.raises(DataError, match=r"bench\.json:1:1: is no file of measured points.*`fleetcast calibrate`"):
        read_measured(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.yaml: no such file"):
        cases(tmp_path / "none.yaml")


def test_columns_are_those_that_are_told_apart() -> None:
    assert {name for name in Column.__args__ if "_s_" in name} == set(LATENCIES)


def row(measured: float | None, predicted: float | None) -> Comparison:
    return Comparison("a", "e2e_s_mean", measured, predicted, "s", "x", "test")


def test_errors() -> None:
    got = errors_of([row(1.0, 1.1), row(2.0, 1.6), row(4.0, 4.0), row(None, 3.0)])
    assert got is not None
    assert got.points == 3
    assert got.mape_share == pytest.approx(0.1)
    assert got.median_share == pytest.approx(0.1)
    assert got.bias_share == pytest.approx(-0.1 / 3)
    assert got.worst_share == pytest.approx(-0.2)
    assert errors_of([]) is None


@pytest.mark.parametrize("path", shipped_files(), ids=lambda path: path.stem)
def test_shipped_files_say_where_they_come_from(path: Path) -> None:
    file = read_measured(path)
    assert file.name == path.stem
    assert file.description
    assert "/" in file.source
    text = path.read_text(encoding="utf-8")
    assert "Split:" in text, "which part calibrates, which tests"
    assert "facts only" in text or "Apache-2.0" in text or "MIT" in text
