"""`fleetcast calibrate` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sim.cli import main
from tests import benchmark_files as made

SCENARIO = """\
name: chat
horizon: 60s
workload:
  arrivals: {kind: poisson, rate: 2/s}
  prompt_tokens: {kind: constant, value: 4000}
  output_tokens: {kind: constant, value: 40}
pools:
  chat: {model: mine.yaml, gpu: h100-sxm, autoscaler: {kind: fixed, replicas: 1}}
"""
PAIR = ("--model", "llama-3-8b", "--gpu", "h100-sxm")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def calibrate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["calibrate", *arguments], prog_name="fleetcast")


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    slower = {**made.VLLM, "request_rate": 30.0, "mean_tpot_ms": 14.0, "mean_ttft_ms": 60.0, "request_throughput": 28.0}
    return [made.write(tmp_path / "light.json", made.VLLM), made.write(tmp_path / "heavy.json", slower)]


def test_tables_and_a_sheet(runs: list[str]) -> None:
    done = calibrate(*runs, *PAIR, "--plot", "residuals.svg", "--report", "report.html")
    assert done.exit_code == 0, done.stderr
    for word in ("device_scale", "overhead_s", "light.json", "TPOT", "holds for", "llama-3-8b-h100-sxm-x1.yaml"):
        assert word in done.stdout
    assert Path("llama-3-8b-h100-sxm-x1.yaml").read_text(encoding="utf-8").startswith("# llama-3-8b with a calibration")
    page = Path("residuals.svg").read_text(encoding="utf-8")
    for word in ("Predicted over measured", "llama-3-8b on 1 x h100-sxm", "TPOT mean", "TTFT mean"):
        assert word in page
    report = Path("report.html").read_text(encoding="utf-8")
    assert "light.json" in report
    assert "Calibrated: llama-3-8b on 1 x h100-sxm" in report
    assert ("not fitted" in page) == ("not fitted" in done.stdout)
    assert calibrate(*runs, *PAIR, "--out", "b.yaml", "--plot", "page.html").exit_code == 2


def test_json_is_one_document(runs: list[str]) -> None:
    done = calibrate(*runs, *PAIR, "--json", "--out", "mine.yaml")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema_version"] == 1
    assert document["written"] == "mine.yaml"
    assert [one["name"] for one in document["coefficients"]] == ["overhead_s", "device_scale", "seq_s", "iteration_s"]
    assert {"point", "metric", "measured", "predicted", "used", "error_share"} == set(document["residuals"][0])
    assert document["calibration"]["experiments"] == 2
    assert document["holds"]["prompt_tokens"] == [512, 512]


def test_the_sheet_is_a_model_of_a_scenario(runs: list[str]) -> None:
    assert calibrate(*runs, *PAIR, "--out", "mine.yaml", "--quiet").exit_code == 0
    Path("chat.yaml").write_text(SCENARIO, encoding="utf-8")
    done = CliRunner().invoke(main, ["run", "chat.yaml", "--json", "--no-save"])
    assert done.exit_code == 0, done.stderr
    law = json.loads(done.stdout)["pools"]["chat"]["law"]
    assert law["source"] == "calibrated"
    assert law["holds"]["prompt_tokens"] == [512, 512]
    assert law["outside"] == {"prompt_tokens": 4000, "context_tokens": 4020}
    done = CliRunner().invoke(main, ["run", "chat.yaml", "--no-save"])
    assert "fitted to 2 measurements (vllm) by fleetcast calibrate" in done.stdout
    assert "were measured at 512 prompt tokens a request; this run has 4,000 on average" in done.stdout


def test_nothing_is_overwritten_unless_forced(runs: list[str]) -> None:
    Path("mine.yaml").write_text("precious", encoding="utf-8")
    done = calibrate(*runs, *PAIR, "--out", "mine.yaml")
    assert (done.exit_code, Path("mine.yaml").read_text(encoding="utf-8")) == (2, "precious")
    assert "error: mine.yaml: is already there; name another file, or say --force" in done.stderr
    assert calibrate(*runs, *PAIR, "--out", "mine.yaml", "--force").exit_code == 0
    assert Path("mine.yaml").read_text(encoding="utf-8") != "precious"
    assert calibrate(*runs, *PAIR, "--out", "no/such/mine.yaml").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("absent.json", *PAIR), 3, "absent.json: no such file"),
        (
            ("light.json", "--model", "llama-3-8", "--gpu", "h100-sxm"),
            2,
            "no model is called 'llama-3-8'; did you mean",
        ),
        (
            ("light.json", "--model", "llama-3-8b", "--gpu", "h100"),
            2,
            "no GPU is called 'h100'; did you mean 'h100-sxm'?",
        ),
        (
            ("light.json", "--model", "llama-3-70b", "--gpu", "h100-sxm"),
            2,
            "'llama-3-70b' does not fit on 1 x h100-sxm",
        ),
        (("light.json", *PAIR, "--gpus-per-replica", "3"), 2, "must divide the 32 attention heads"),
        (("light.json", *PAIR, "--format", "vlm"), 2, "'vlm' is not a format; did you mean 'vllm'?"),
        (("light.json", *PAIR, "--format", "sglang"), 3, "light.json: "),
        (("light.json", *PAIR, "--cached-share", "nan"), 2, "'--cached-share': nan is no share"),
        (("light.json", *PAIR, "--memory-share", "nan"), 2, "'--memory-share': nan is no share"),
        (("light.json", *PAIR, "--max-in-flight", "9" * 20), 2, "is not in the range 1<=x<=1000000000000"),
        (("light.json", *PAIR, "--seed", "9" * 20), 2, "is not in the range 0<=x<=9223372036854775807"),
        (("light.json", *PAIR, "--max-num-seqs", "9000"), 2, "must not be above --max-batched-tokens (8192); got 9000"),
    ],
)
def test_mistakes_are_told(runs: list[str], arguments: tuple[str, ...], code: int, said: str) -> None:
    done = calibrate(*arguments)
    assert done.exit_code == code, done.output
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("llama-3-8b-h100-sxm-x1.yaml").exists()


def test_files_without_latencies_make_no_sheet(tmp_path: Path) -> None:
    bare = {**made.VLLM, **dict.fromkeys(("mean_ttft_ms", "mean_tpot_ms", "mean_itl_ms"))}
    done = calibrate(made.write(tmp_path / "bare.json", bare), *PAIR)
    assert done.exit_code == 3, done.output
    assert "nothing is left to fit to" in done.stderr
    assert not Path("llama-3-8b-h100-sxm-x1.yaml").exists()


def test_an_iteration_beyond_the_tables_is_refused(tmp_path: Path) -> None:
    log = "prefill_tokens,decode_seqs,ctx_tokens,seconds\n0,900000000,1000,0.01\n0,1,100,0.01\n"
    done = calibrate(made.write(tmp_path / "log.csv", log), *PAIR)
    assert done.exit_code == 3, done.output
    assert "has an iteration of 900,000,000 tokens; at most 1,048,576" in done.stderr
