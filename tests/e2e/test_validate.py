"""`fleetcast validate` from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from sim.cli import main
from tests import benchmark_files as made
from tests import sheets
from tests.unit.test_measured_files import GOOD


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    return path


def test_json_is_one_document_and_nothing_else(file: Path) -> None:
    done = CliRunner().invoke(main, ["validate", str(file), "--json", "--quiet"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [row["metric"] for row in rows] == ["ttft_s_mean", "e2e_s_mean", "e2e_s_mean"]
    for row in rows:
        assert set(row) == {"case", "metric", "measured", "predicted", "error_share"}
        assert row["error_share"] == pytest.approx(row["predicted"] / row["measured"] - 1)


def test_table_and_picture(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "fidelity.svg"
    done = CliRunner().invoke(main, ["validate", str(file), "--out", str(out), "--quiet"])
    assert done.exit_code == 0, done.output
    for word in ("chat/4/s", "E2E mean", "MAPE", "predicted", str(out)):
        assert word in done.stdout
    drawn = ElementTree.fromstring(out.read_text())
    assert "TTFT mean" in {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
    folder = tmp_path / "all"
    done = CliRunner().invoke(main, ["validate", str(file), "--out", str(folder), "--quiet"])
    assert done.exit_code == 0, done.output
    assert {path.name for path in folder.iterdir()} == {"report.html", "errors.svg", "validation.json"}
    assert json.loads((folder / "validation.json").read_text())[0]["metric"] == "ttft_s_mean"


def test_laws_differ(file: Path) -> None:
    def e2e_s(law: str) -> float:
        done = CliRunner().invoke(main, ["validate", str(file), "--json", "--quiet", "--law", law])
        assert done.exit_code == 0, done.output
        return float(json.loads(done.stdout)[-1]["predicted"])

    assert e2e_s("shipped") != e2e_s("roofline")
    # it is the only experiment of its pair that is given
    assert e2e_s("held-out") == e2e_s("roofline")


def test_a_wrong_file_is_wrong_data(file: Path) -> None:
    file.write_text(GOOD.replace("[1, 0.02, 0.4]", "[1, 0.02]"))
    done = CliRunner().invoke(main, ["validate", str(file)])
    assert done.exit_code == 3
    assert done.stdout == ""
    assert "mine.yaml:11:9" in done.stderr
    assert CliRunner().invoke(main, ["validate", str(file.parent / "none.yaml")]).exit_code == 3


def test_a_knee_is_told(file: Path) -> None:
    text = GOOD.replace("poisson, duration: 20s", "even").replace(
        "[rate_per_s, ttft_s_mean, e2e_s_mean]", "[rate_per_s, requests, max_in_flight, sent_per_s]"
    )
    text = text.replace("[1, 0.02, 0.4]", "[1, 20, 2, 1]").replace("[4, null, 0.42]", "[50, 200, 2, 5]")
    file.write_text(text)
    done = CliRunner().invoke(main, ["validate", str(file), "--quiet"])
    assert done.exit_code == 0, done.output
    assert "measured not sustained from 50/s on, predicted not sustained from 50/s on" in done.stdout


# --- results of benchmark tools ---

GPU = ("--gpu", "h100-sxm")
VLLM = {**made.VLLM, "model_id": "meta-llama/Llama-3.1-8B-Instruct", "mean_e2el_ms": 1064.0, "p99_e2el_ms": 1200.0}


def validate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["validate", *map(str, arguments)], prog_name="fleetcast")


def compared(*arguments: str | Path) -> dict[tuple[str, str], dict[str, float]]:
    done = validate(*arguments, "--json", "--quiet")
    assert done.exit_code == 0, done.output
    return {(row["case"], row["metric"]): row for row in json.loads(done.stdout)}


def test_all_that_a_benchmark_file_says_is_compared(tmp_path: Path) -> None:
    found = compared(made.write(tmp_path / "run.json", VLLM), *GPU)
    metrics = {metric for _, metric in found}
    assert metrics == {
        *(f"ttft_s_{name}" for name in ("mean", "p50", "p99")),
        *(f"tpot_s_{name}" for name in ("mean", "p50", "p99")),
        *("e2e_s_mean", "e2e_s_p99", "achieved_per_s"),
    }
    measured = {metric: row["measured"] for (_, metric), row in found.items()}
    assert (measured["ttft_s_p99"], measured["e2e_s_mean"], measured["achieved_per_s"]) == (0.060, 1.064, 3.85)
    assert measured["tpot_s_mean"] == pytest.approx((1.064 - 0.040) / 128)
    predicted = {metric: row["predicted"] for (_, metric), row in found.items()}
    assert predicted["tpot_s_mean"] == pytest.approx(0.0076, rel=0.1)
    assert predicted["ttft_s_mean"] < predicted["ttft_s_p99"] < predicted["e2e_s_mean"] < predicted["e2e_s_p99"]
    # as many requests as were sent, so the last answer weighs as much
    assert predicted["achieved_per_s"] == pytest.approx(100 / (25 + predicted["e2e_s_mean"]), rel=0.02)


def test_options_go_before_what_files_say(tmp_path: Path) -> None:
    file = made.write(tmp_path / "run.json", VLLM)
    case = ("run.json", "tpot_s_mean")
    as_said, named = compared(file, *GPU)[case], compared(file, *GPU, "--model", "llama-3-8b")[case]
    assert as_said == named
    assert compared(file, *GPU, "--precision", "fp8")[case]["predicted"] < as_said["predicted"]
    other = validate(file, *GPU, "--model", "qwen3-8b", "--quiet")
    assert other.exit_code == 0
    assert "says" not in other.stdout
    assert "warning: the files say model 'meta-llama/Llama-3.1-8B-Instruct', which is llama-3-8b here" in other.stderr


def test_runs_of_several_models_are_kept_apart(tmp_path: Path) -> None:
    files = [
        made.write(tmp_path / f"{i}.json", {**VLLM, "model_id": model})
        for i, model in enumerate(["meta-llama/Llama-3.1-8B", "Qwen/Qwen3-14B"])
    ]
    found = compared(*files, *GPU)
    assert found["0.json", "tpot_s_mean"]["predicted"] < 0.7 * found["1.json", "tpot_s_mean"]["predicted"]


def test_measured_points_and_benchmark_files_together(tmp_path: Path, file: Path) -> None:
    found = compared(made.write(tmp_path / "run.json", VLLM), file, *GPU)
    assert {case for case, _ in found} == {"run.json", "mine/chat/1/s", "mine/chat/4/s"}


def test_a_sweep_over_files_has_a_knee(tmp_path: Path) -> None:
    files = []
    for rate, done_per_s in ((10.0, 9.9), (40.0, 31.0), (160.0, 32.0)):
        run = {**VLLM, "request_rate": rate, "request_throughput": done_per_s, "completed": 2000}
        run |= {"total_input_tokens": 2000 * 512, "total_output_tokens": 2000 * 256}
        files.append(made.write(tmp_path / f"{rate:g}.json", run))
    done = validate(*files, *GPU, "--quiet")
    assert done.exit_code == 0, done.output
    assert "measured not sustained from 40/s on, predicted not sustained from" in done.stdout
    assert "MAPE" in done.stdout


def test_the_last_answer_of_a_short_run_is_no_knee(tmp_path: Path) -> None:
    files = []
    for rate in (2.0, 10.0):  # 100 requests in 50 or 10 s, and one long answer at the end
        run = {**VLLM, "request_rate": rate, "request_throughput": 100 / (100 / rate + 6.0), "p99_e2el_ms": 6000.0}
        files.append(made.write(tmp_path / f"{rate:g}.json", run))
    done = validate(*files, *GPU, "--quiet")
    assert done.exit_code == 0, done.output
    assert "knee" not in done.stdout


def test_an_iteration_log_is_compared_by_batch(tmp_path: Path) -> None:
    found = compared(made.write(tmp_path / "log.csv", made.ITERATIONS), *GPU, "--model", "llama-3-8b")
    assert {case for case, _ in found} == {"log.csv:1 sequence", "log.csv:5-8 sequences, with prefill"}
    assert found["log.csv:1 sequence", "iteration_s"]["measured"] == pytest.approx(0.0065)


def test_an_iteration_log_is_compared_beside_measured_iterations(tmp_path: Path) -> None:
    log = made.write(tmp_path / "log.csv", made.ITERATIONS)
    points = tmp_path / "points.yaml"
    points.write_text(
        "name: ours\nsource: a test\nsetup: {model: llama-3-8b, gpu: h100-sxm, engine: none}\n"
        "columns: [decode_seqs, context_tokens, iteration_s]\n"
        "experiments:\n  - name: grid\n    points:\n      - [8, 8000, 0.007]\n"
    )
    found = compared(log, points, *GPU, "--model", "llama-3-8b")
    cases = {"ours/grid/8x1000", "log.csv:1 sequence", "log.csv:5-8 sequences, with prefill"}
    assert {case for case, _ in found} == cases


def test_odd_measurements_are_told_on_stderr(tmp_path: Path) -> None:
    halved = {**VLLM, "mean_itl_ms": 4.0}
    warm = {**VLLM, "total_input_tokens": 800_000, "mean_ttft_ms": 20.0}
    for run, said in ((halved, "two stream chunks a token"), (warm, "warm prefix cache; say --cached-share")):
        done = validate(made.write(tmp_path / "run.json", run), *GPU, "--json", "--quiet")
        assert done.exit_code == 0
        assert said in done.stderr
        json.loads(done.stdout)
    stage = {**made.STAGE, "load_summary": {"requested_rate": 40.0, "achieved_rate": 20.0}}
    done = validate(made.write(tmp_path / "stage.json", stage), *GPU, "--model", "llama-3-8b")
    assert done.exit_code == 3
    assert "give it as --max-in-flight N" in done.stderr
    assert validate(tmp_path / "stage.json", *GPU, "--model", "llama-3-8b", "--max-in-flight", "64").exit_code == 0


def test_odd_points_of_a_file_of_measured_points(file: Path) -> None:
    text = GOOD.replace("[rate_per_s, ttft_s_mean, e2e_s_mean]", "[rate_per_s, ttft_s_mean, e2e_s_mean, tpot_s_mean]")
    # the first halved, the second not
    file.write_text(text.replace("[1, 0.02, 0.4]", "[1, 0.02, 0.4, 0.0039]").replace("0.42]", "0.42, 0.008]"))
    done = validate(file, "--json", "--quiet")
    assert done.exit_code == 0, done.output
    assert "warning: mine/chat/1/s: TPOT (3.90 ms) is half of (E2E - TTFT) / (output - 1) (7.76 ms)" in done.stderr
    assert [row["case"] for row in json.loads(done.stdout) if row["metric"] == "tpot_s_mean"] == ["mine/chat/4/s"]
    file.write_text(GOOD.replace("prompt_tokens: 500\n    cached_tokens: 484", "prompt_tokens: 8000"))
    assert "warm prefix cache" in validate(file, "--json", "--quiet").stderr


@pytest.mark.parametrize("verb", ["validate", "calibrate"])
@pytest.mark.parametrize(
    ("name", "value", "arguments", "code", "said"),
    [
        ("run.json", {**VLLM, "mean_itl_ms": 4.0}, GPU, 0, "two stream chunks a token; it is not used"),
        (
            "run.json",
            {**VLLM, "total_input_tokens": 800_000, "mean_ttft_ms": 20.0},
            GPU,
            0,
            "the prompts seem to come from a warm prefix cache; say --cached-share",
        ),
        (
            "g.json",
            {**made.GUIDELLM, "metadata": {"version": 9, "guidellm_version": "2.0"}},
            (*GPU, "--model", "llama-3-8b"),
            3,
            "g.json: metadata.version: GuideLLM files of version 9 are not known here; known: 1, 2",
        ),
        (
            "r.json",
            {**made.LLMD, "version": "7.0"},
            (*GPU, "--model", "llama-3-8b"),
            3,
            "r.json: version: reports of version '7.0' are not known here; known: 0.1, 0.2, 0.2.1",
        ),
        ("run.json", VLLM, (*GPU, "--model", "odd.yaml"), 2, "odd.yaml:3:11: kv_heads: must divide heads (32)"),
        (
            "run.json",
            VLLM,
            ("--gpu", "a100-40gb", "--model", "codellama-34b"),
            2,
            "62.9 GiB of bf16 weights and 2.3 GiB of reserve a GPU leave nothing of 36.0 GiB (--memory-share 0.9) for "
            "KV cache; what fits: --gpus-per-replica 2, or --precision fp8, or --gpu a100-80gb or b200",
        ),
    ],
)
def test_bad_input_is_told_by_both_verbs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    name: str,
    value: Any,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    sheet = sheets.plain("configs/models", "llama-3-8b")
    Path("odd.yaml").write_text(f"name: odd\nheads: 32\nkv_heads: 5\nlayers: 32\n{sheet_of(sheet)}", encoding="utf-8")
    made.write(Path(name), value)
    done = CliRunner().invoke(main, [verb, name, *arguments, "--quiet"], prog_name="fleetcast")
    assert done.exit_code == code, done.output
    assert said in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr


def sheet_of(sheet: dict[str, Any]) -> str:
    """The figures of a model that a test does not say itself."""
    return "".join(f"{key}: {sheet[key]}\n" for key in ("hidden", "head_dim", "intermediate", "vocabulary"))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "error: --gpu: is needed: the files do not say which GPU it was; such as --gpu h100-sxm"),
        ((*GPU, "--model", "llama-3-70b"), 2, "'llama-3-70b' does not fit on 1 x h100-sxm"),
        ((*GPU, "--gpus-per-replica", "3"), 2, "error: --gpus-per-replica: must divide the 32 attention heads"),
        ((*GPU, "--kv-capacity-tokens", "100"), 3, "run.json: request 0 has 512 prompt and 129 output tokens and can"),
        ((*GPU, "--out", "no/such/picture.svg"), 2, "the folder 'no/such' does not exist"),
    ],
)
def test_what_is_not_known_is_asked_for(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = validate(made.write(tmp_path / "run.json", VLLM), *arguments)
    assert done.exit_code == code
    assert said in done.stderr
    assert done.stdout == ""


def test_a_model_that_no_sheet_is_surely(tmp_path: Path) -> None:
    run = {**VLLM, "model_id": "acme/Llama-3.1-8B-Pruned"}
    done = validate(made.write(tmp_path / "run.json", run), *GPU)
    assert done.exit_code == 2
    assert "the files say 'acme/Llama-3.1-8B-Pruned', and no sheet here is surely that" in done.stderr
    nothing = {**VLLM, "model_id": ""}
    done = validate(made.write(tmp_path / "run.json", nothing), *GPU)
    assert "the files do not say which model it was" in done.stderr
