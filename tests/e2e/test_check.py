"""`fleetcast check` from the command line: what theory says, in a moment, of every scenario that ships."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sim.cli import main
from sim.config import catalogue

LONGEST_S = 1.0
NAMES = [name for name in catalogue.names(catalogue.SCENARIOS) if name != "trace-replay"]


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", *arguments])


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_that_ships_is_checked_at_once(name: str) -> None:
    check("mmc")  # what is imported late
    took_s = []
    for _ in range(3):  # the machine may be busy with others
        start_s = time.process_time()
        done = check(name, "--json")
        took_s.append(time.process_time() - start_s)
        assert done.exit_code == 0, done.output
    assert min(took_s) < LONGEST_S
    said = json.loads(done.stdout)
    assert said["name"] == name
    for pool in said["pools"].values():
        # whoever says nothing says why
        assert pool["capacity_per_s"] is not None or pool["uncovered"]


def test_what_it_says_of_a_line_of_servers() -> None:
    done = check("mmc")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    first, *rest = done.stdout.splitlines()
    assert first.startswith("servers: stable: 10 replicas can serve 10 requests/s (10 slots, 1 s a request); 8 req")
    assert any(line.split() == ["latency.queue_wait_s.mean", "205", "ms", "exact", "M/M/10"] for line in rest)


def test_an_overload_is_told_and_is_no_error() -> None:
    done = check("mmc", "--set", "workload.arrivals.rate=12/s")
    assert done.exit_code == 0, done.output
    assert "OVERLOADED" in done.stdout
    assert "from 0 s on the queue grows, to 72,000 requests at 10 h" in done.stdout
    as_json = check("mmc", "--set", "workload.arrivals.rate=12/s", "--json")
    said: dict[str, Any] = json.loads(as_json.stdout)["pools"]["servers"]
    assert said["stable"] is False
    assert said["load_share"] == pytest.approx(1.2)
    assert said["backlog"]["peak"] == pytest.approx(72_000)
    assert said["least_replicas"] == 14
    assert as_json.stderr.startswith("warning: pool servers is overloaded")


def test_what_is_left_out_is_told() -> None:
    done = check("retry-storm")
    assert "not covered:\n  clients send again what fails or takes long" in done.stdout
    several = check("chat-h100-disaggregated")
    assert "\n  prefill: no formula here" in several.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "which scenario?"),
        (("no-such-thing",), "no-such-thing"),
        (("mmc", "--set", "workload.arrivals.rate=-1/s"), "workload.arrivals.rate"),
        (("mmc", "--set", "pools.servers.replicaz=3"), "replicaz"),
    ],
)
def test_what_is_wrong_is_the_scenario(arguments: tuple[str, ...], told: str) -> None:
    done = check(*arguments)
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert done.stdout == ""


def test_a_broken_trace_is_a_matter_of_data(tmp_path: Path) -> None:
    trace = tmp_path / "bad.csv"
    trace.write_text("arrival_s,prompt_tokens,output_tokens\n1,2,x\n")
    done = check("trace-replay", "--set", f"workload.trace={trace}")
    assert done.exit_code == 3, done.output
    assert "bad.csv:2" in done.stderr


def test_a_run_tells_theory_beside_its_numbers(tmp_path: Path) -> None:
    short = ("run", "mmc", "--set", "horizon=20m", "--quiet", "--no-save", "--replications", "1")
    done = CliRunner().invoke(main, [*short])
    assert done.exit_code == 0, done.output
    assert "theory: busy 80.0% (simulated " in done.stdout
    document = json.loads(CliRunner().invoke(main, [*short, "--json"]).stdout)
    told = {each["path"]: each for each in document["theory"]}
    wait = told["latency.queue_wait_s.mean"]
    assert wait["kind"] == "exact"
    assert wait["simulated"] == document["latency"]["queue_wait_s"]["mean"]
    assert wait["difference_share"] == pytest.approx(wait["simulated"] / wait["theory"] - 1)
