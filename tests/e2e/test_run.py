"""`fleetcast run`, from the command line to the files: what is printed, what is written, what is refused."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from sim.cli import main
from sim.result import files

ROOT = Path(__file__).parents[2]

SMALL = """\
name: small
horizon: 10m
workload:
  arrivals: {kind: poisson, rate: 2/s}
  prompt_tokens: {kind: uniform, low: 10, high: 500}
  output_tokens: {kind: uniform, low: 1, high: 60}
pools:
  chat:
    latency: {base_s: 0.015625, prefill_s_per_token: 5e-5, decode_s_per_seq: 4e-5, attention_s_per_token: 3e-8}
    kv_capacity_tokens: 40000
    autoscaler: {kind: fixed, replicas: 2}
    price: {on_demand: $2/h}
slo:
  - {metric: ttft, under: 1s, share: 99%}
"""
KEYS = [
    "schema_version", "name", "seed", "calendar", "simulated_s", "measured_s", "requests", "latency", "time_average",
    "throughput", "prefix_cache", "slo", "attempts",
    "utilization", "replicas", "cost", "ledger", "lives", "faults", "recovery", "error_budget",
    "invoice", "commitments", "energy",
    "pools", "run", "theory",
]  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with a small scenario in it."""
    (tmp_path / "small.yaml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fleetcast(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def plain(*arguments: str) -> Result:
    """One run and no other."""
    return fleetcast("run", *arguments, "--replications", "1")


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_json_is_one_document_and_nothing_else(here: Path) -> None:
    found = document(plain("small.yaml", "--json", "--no-save"))
    assert list(found) == KEYS
    times, facts = ("wall_s", "engine_s", "requests_per_engine_s"), ("events", "version", "config_sha256")
    assert set(found["run"]) == {*times, "quantiles", *facts}
    assert set(found["latency"]["ttft_s"]) == {"mean", "p50", "p90", "p95", "p99", "max"}
    assert not (here / "outputs").exists()


def test_a_run_prints_a_verdict_and_writes_a_whole_folder(here: Path) -> None:
    result = fleetcast("run", "small.yaml")
    assert result.exit_code == 0
    assert result.stdout.startswith("Meets the SLO: ")
    assert "\x1b[" not in result.stdout, "no colour where there is no terminal"
    (folder,) = (here / "outputs").iterdir()
    assert str(folder.relative_to(here)) in result.stdout
    names = {"manifest.json", "scenario.yaml", "summary.json", "timeline.csv", "decisions.csv", "requests.parquet"}
    assert {path.name for path in folder.iterdir()} == names | {
        "replicas.csv",
        "replications.csv",
        "report.html",
    }
    rows = pd.read_parquet(folder / "requests.parquet")
    assert list(rows.columns) == [
        "request", "stream", "arrival_s", "prompt_tokens", "output_tokens", "pool", "replica", "start_s",
        "first_token_s", "finish_s", "outcome", "cached_tokens",
    ]  # fmt: skip
    assert rows["arrival_s"].is_monotonic_increasing
    assert (here / "outputs" / folder.name / "decisions.csv").read_text().splitlines() == [
        "at_s,pool,current,wanted,reason",
        "0.0,chat,2,2,fixed at 2",
    ]


def test_both_calendars_write_the_same_bytes(here: Path) -> None:
    one = document(plain("small.yaml", "--json", "--calendar", "simpy", "--out", "simpy"))
    other = document(plain("small.yaml", "--json", "--calendar", "compiled", "--out", "compiled"))
    assert one["calendar"] == "simpy"
    assert other["calendar"] == "compiled"
    for name in ("requests.parquet", "timeline.csv", "decisions.csv"):
        assert (here / "simpy" / name).read_bytes() == (here / "compiled" / name).read_bytes()
    for found in (one, other):
        found.pop("run")
        found.pop("calendar")
    assert one == other


def test_run_again_from_the_written_scenario_gives_the_same_bytes(here: Path) -> None:
    assert (
        fleetcast("run", "small.yaml", "--seed", "7", "--set", "pools.chat.queue.router=random", "--out", "a").exit_code
        == 0
    )
    assert fleetcast("run", "a/scenario.yaml", "--out", "b").exit_code == 0
    for name in ("scenario.yaml", "requests.parquet", "timeline.csv", "replications.csv", "report.html"):
        assert (here / "a" / name).read_bytes() == (here / "b" / name).read_bytes(), name


def test_another_seed_is_another_run_and_the_same_seed_is_not(here: Path) -> None:
    first, again, other = (document(plain("small.yaml", "--json", "--no-save", "--seed", s)) for s in "112")
    assert first["latency"] == again["latency"] != other["latency"]


def test_check_tells_by_exit_code_whether_the_objectives_are_met(here: Path) -> None:
    assert plain("small.yaml", "--no-save", "--check").exit_code == 0
    missed = plain("small.yaml", "--no-save", "--check", "--set", "pools.chat.latency.base_s=2")
    assert missed.exit_code == 99
    assert missed.stdout.startswith("Misses the SLO: ")


def test_an_existing_folder_is_not_overwritten_unless_asked(here: Path) -> None:
    assert plain("small.yaml", "--out", "mine").exit_code == 0
    refused = plain("small.yaml", "--out", "mine")
    assert refused.exit_code == 2
    assert "mine: exists already; choose another --out, or add --force" in refused.stderr
    assert plain("small.yaml", "--out", "mine", "--force").exit_code == 0
    (here / "theirs").mkdir()
    (here / "theirs" / "thesis.tex").write_text("the only copy")
    assert plain("small.yaml", "--out", "theirs", "--force").exit_code == 2
    assert (here / "theirs" / "thesis.tex").read_text() == "the only copy"
    assert plain("small.yaml", "--out", "small.yaml/x").exit_code == 2
    assert plain("small.yaml").exit_code == 0
    assert plain("small.yaml").exit_code == 0, "the default folder is this scenario's own"


@pytest.mark.parametrize("writer", ["write_text", "write_timeline", "write_decisions", "write_requests"])
@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_fault_while_writing_leaves_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, writer: str, fault: BaseException
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(files, writer, fails)
    result = plain("small.yaml", "--out", "deep/mine")
    assert result.exit_code == (130 if isinstance(fault, KeyboardInterrupt) else 1)
    assert "Traceback" not in result.stderr
    assert [path.name for path in here.iterdir()] == ["small.yaml"], "no folder, no draft, no parent made for it"
    if isinstance(fault, OSError):
        assert "No space left on device" in result.stderr


def test_interrupted_in_the_middle_it_leaves_nothing_and_exits_130(here: Path) -> None:
    arguments = [sys.executable, "-m", "sim", "run", "small.yaml", "--set", "horizon=60h", "--calendar", "simpy"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": "1"}
    process = subprocess.Popen(arguments, cwd=here, env=environment, stderr=subprocess.PIPE, text=True)
    time.sleep(6)
    assert process.poll() is None, "it should still be at work"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert [path.name for path in here.iterdir()] == ["small.yaml"]


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        (["workload.arrivals.rate=0/s"], 2, "workload.arrivals.rate"),
        (["workload.arrivals.rate=-1/s"], 2, "workload.arrivals.rate"),
        (["workload.arrivals.rate=.nan"], 2, "workload.arrivals.rate"),
        (["horizon=5/s"], 2, "horizon"),
        (["pools.chat.max_replica=3"], 2, "no such key"),
        (["pools.chat.kv_capacity_tokens=300"], 2, "can never be served"),
        (["workload.arrivals.rat=1/s"], 2, "did you mean 'rate'?"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_a_wrong_scenario_gets_one_clear_message(here: Path, changes: list[str], code: int, says: str) -> None:
    result = plain("small.yaml", "--no-save", *(f"--set={change}" for change in changes))
    assert result.exit_code == code
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


TRACES = {
    "out of order": ("1.0,10,5\n0.5,10,5\n", 3),
    "a hole": ("1.0,10,5\n2.0,,5\n", 3),
    "not a number": ("1.0,10,5\n2.0,ten,5\n", 3),
    "negative": ("1.0,10,5\n2.0,-10,5\n", 3),
    "nothing to say": ("1.0,10,5\n2.0,10,0\n", 3),
}


@pytest.mark.parametrize("kind", TRACES)
def test_a_wrong_trace_is_named_with_its_line(here: Path, kind: str) -> None:
    text, line = TRACES[kind]
    (here / "bad.csv").write_text(f"arrival_s,prompt_tokens,output_tokens\n{text}")
    result = plain("trace-replay", "--no-save", "--set", "workload.trace=bad.csv")
    assert result.exit_code == 3, result.stderr
    assert re.search(rf"bad\.csv:{line}\b", result.stderr), result.stderr
    assert "Traceback" not in result.stderr


def test_a_trace_that_no_replica_can_serve_is_a_matter_of_data(here: Path) -> None:
    (here / "long.csv").write_text("arrival_s,prompt_tokens,output_tokens\n1.0,9000000,5\n")
    result = plain("trace-replay", "--no-save", "--set", "workload.trace=long.csv")
    assert result.exit_code == 3
    assert "can never be served" in result.stderr


def test_names_that_are_not_there_are_answered_with_the_nearest(here: Path) -> None:
    result = plain("chat-h10", "--no-save")
    assert result.exit_code == 2
    assert "did you mean 'chat-h100'?" in result.stderr
    assert plain("no/such.yaml").exit_code == 2
    assert fleetcast("run").exit_code == 2


def test_nothing_arriving_one_arriving_and_all_rejected_are_results_too(here: Path) -> None:
    none = document(plain("small.yaml", "--json", "--out", "none", "--set", "workload.arrivals.rate=0.000001/s"))
    assert none["requests"]["arrived"] == 0
    assert none["latency"]["ttft_s"]["mean"] is None
    assert (here / "none" / "report.html").stat().st_size > 1e6
    crowded = [
        "--set",
        "pools.chat.queue.max_waiting=0",
        "--set",
        "workload.arrivals.rate=200/s",
        "--set",
        "horizon=20s",
    ]
    lost = document(plain("small.yaml", "--json", "--no-save", *crowded, "--set", "pools.chat.replica.max_num_seqs=1"))
    assert lost["requests"]["rejected"] > 0.9 * lost["requests"]["arrived"]


def test_two_streams_go_to_two_pools(here: Path) -> None:
    pool = SMALL[SMALL.index("  chat:") : SMALL.index("slo:")]
    tokens = "prompt_tokens: {kind: constant, value: 50}, output_tokens: {kind: constant, value: 5}"
    stream = f"{{arrivals: {{kind: poisson, rate: 1/s}}, {tokens}}}"
    (here / "two.yaml").write_text(
        f"name: two\nhorizon: 5m\nworkload:\n  streams:\n    chat: {stream}\n    code: {stream}\n"
        f"pools:\n{pool}{pool.replace('  chat:', '  code:')}"
    )
    found = document(plain("two.yaml", "--json", "--no-save"))
    assert set(found["pools"]) == {"chat", "code"}
    assert sum(block["requests"]["arrived"] for block in found["pools"].values()) == found["requests"]["arrived"]
    assert "pool code" in plain("two.yaml", "--no-save").stdout


def test_the_report_is_one_offline_file_and_hostile_names_stay_text(here: Path) -> None:
    text = SMALL.replace("name: small\n", 'name: small\ndescription: "</script><img src=x onerror=alert(1)> =1+1"\n')
    (here / "hostile.yaml").write_text(text)
    assert plain("hostile.yaml", "--out", "hostile").exit_code == 0
    page = (here / "hostile" / "report.html").read_text()
    assert len(page) < 6e6
    assert "<img src=x" not in page
    body = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", body), "nothing is fetched"


def test_a_terminal_without_our_characters_still_gets_the_result(here: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    arguments = [sys.executable, "-m", "sim", "run", "small.yaml", "--no-save", "--replications", "1"]
    done = subprocess.run(arguments, cwd=here, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Meets the SLO: ")


def test_what_was_left_out_is_told_with_json_too(here: Path) -> None:
    columns = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type"
    rows = "5,1,1.0,m,40,10,50,API log\n9,1,1.0,m,40,0,40,API log\n11,1,1.0,m,40,10,50,API log\n"
    (here / "burst.csv").write_text(f"{columns}\n{rows}")
    result = plain("trace-replay", "--json", "--no-save", "--set", "workload.trace=burst.csv")
    assert document(result)["requests"]["arrived"] == 2
    assert "1 failed request" in result.stderr


# -- regret -----------------------------------------------------------------------------------------------------------

ELASTIC = ("--set", "pools.chat.autoscaler={kind: queue_length, target: 1, min_replicas: 1, max_replicas: 4}")


def test_regret_is_in_the_summary_in_what_is_printed_and_in_the_report(here: Path) -> None:
    found = document(plain("small.yaml", *ELASTIC, "--regret", "--json", "--no-save"))
    assert set(found) == {*KEYS, "regret"}
    assert found["pools"]["chat"]["regret"]["policy_usd"] == found["cost"]["total_usd"]
    assert found["regret"]["floor_usd"] < found["regret"]["clairvoyant_usd"]
    result = plain("small.yaml", *ELASTIC, "--regret", "--out", "kept")
    assert "An autoscaler that knows the future keeps this service for $" in result.stdout
    assert json.loads((here / "kept" / "summary.json").read_text())["regret"] == found["regret"]
    assert "replicas always full" in (here / "kept" / "report.html").read_text()


def test_regret_needs_an_autoscaler(here: Path) -> None:
    result = plain("small.yaml", "--regret", "--no-save")
    assert result.exit_code == 2
    assert "pools: regret is what an autoscaler costs beyond one that knows the future" in result.stderr
