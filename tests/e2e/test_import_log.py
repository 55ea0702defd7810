"""`fleetcast import log` from the command line, and there and back: a run's requests, imported, run as they did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sim.cli import main
from sim.engine import simulate
from sim.forecast import read_history
from sim.scenario import load

TRACE = Path(__file__).parents[3] / "shared" / "data" / "traces" / "azure2023_conv.csv"
CSV = "arrival_s,prompt_tokens,output_tokens\n0,10,1\n5,20,2\n9,30,3\n"


def log(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["import", "log", *map(str, arguments)])


def test_a_workload_is_printed_or_written_never_over_another(tmp_path: Path) -> None:
    source, out = tmp_path / "log.csv", tmp_path / "chat.yaml"
    source.write_text(CSV)
    printed = log(source)
    assert printed.exit_code == 0
    written = log(source, "--out", out, "--history", tmp_path / "demand.csv")
    assert written.stdout == f"workload written to {out}\nhistory written to {tmp_path / 'demand.csv'}\n"
    assert out.read_text() == printed.stdout
    assert "3 requests" in written.stderr
    again = log(source, "--out", out)
    assert (again.exit_code, again.output) == (
        2,
        f"error: {out}: is already there; name another file, or say --force\n",
    )
    assert log(source, "--out", out, "--force", "--quiet").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--map", "prompt_tokens"], 2, "--map: must be KEY=COLUMN"),
        (["--timezone", "Mars/Base"], 2, "--timezone: no such zone 'Mars/Base'"),
        (["--bin", "soon"], 2, "--bin: must be a duration"),
        (["--by", "tenant"], 3, "tenant: no such column, which --map names for stream"),
    ],
)
def test_a_wrong_option_is_one_clear_message(tmp_path: Path, arguments: list[str], code: int, told: str) -> None:
    source = tmp_path / "log.csv"
    source.write_text(CSV)
    done = log(source, *arguments)
    assert (done.exit_code, done.output.count("\n")) == (code, 1)
    assert told in done.output


def test_options_of_a_server_do_not_go_with_a_file(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["import", "prometheus", str(tmp_path / "a.json"), "--step", "1m"])
    assert (done.exit_code, done.output) == (2, "error: --step: is of a server's address; a file holds what it holds\n")


def test_a_known_scenario_comes_back_from_its_own_log(tmp_path: Path) -> None:
    """Bursty traffic on two replicas: the rerun's queue and p99 are those of the original, up to chance."""
    sets = [
        "horizon=40m",
        "pools.chat.autoscaler.replicas=2",
        "workload.arrivals={kind: cox, rate: 6/s, cv: 0.3, correlation: 20s}",
    ]
    original = simulate(load("chat-h100", sets))
    original.requests.to_parquet(tmp_path / "requests.parquet")
    out = tmp_path / "again.yaml"
    done = log(tmp_path / "requests.parquet", "--out", out, "--json")
    assert done.exit_code == 0, done.output
    (stream,) = json.loads(done.stdout)["streams"]
    assert stream["prompt_tokens"]["ks"] < 0.015
    before = [simulate(load("chat-h100", [*sets, f"seed={seed}"])).summary() for seed in (11, 12, 13)]
    after = [
        simulate(load("chat-h100", [*sets[:2], f"workload={out}", f"seed={seed}"])).summary() for seed in (11, 12, 13)
    ]

    def mean(runs: list[dict], *keys: str) -> float:  # type: ignore[type-arg]
        total = 0.0
        for run in runs:
            found = run
            for key in keys:
                found = found[key]
            total += float(found)  # type: ignore[arg-type]
        return total / len(runs)

    for keys, band in (
        (("time_average", "in_system"), 0.15),
        (("latency", "ttft_s", "p99"), 0.35),
        (("latency", "e2e_s", "p99"), 0.2),
        (("throughput", "output_tokens_per_s"), 0.1),
    ):
        assert mean(after, *keys) == pytest.approx(mean(before, *keys), rel=band), keys


@pytest.mark.skipif(not TRACE.exists(), reason="no ../shared/data/traces/azure2023_conv.csv")
def test_the_azure_trace_fits_its_lengths_and_its_bursts(tmp_path: Path) -> None:
    done = log(TRACE, "--json", "--history", tmp_path / "demand.csv")
    assert done.exit_code == 0, done.output
    (stream,) = json.loads(done.stdout)["streams"]
    assert stream["rate_per_s"] == pytest.approx(5.53, rel=0.005)
    for key in ("prompt_tokens", "output_tokens"):
        assert stream[key]["ks"] < 0.015
        assert stream[key]["mean_out"] == pytest.approx(stream[key]["mean_in"], rel=0.01)
    for row in stream["dispersion"]:
        assert row["law"] == pytest.approx(row["measured"], rel=0.25)
    assert read_history(str(tmp_path / "demand.csv")).step_s == 60
