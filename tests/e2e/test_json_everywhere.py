"""Every verb has --json, and then prints one JSON document and nothing else, whatever it says on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sim.cli import VERBS, main

SCENARIO = """\
name: Small
horizon: 3m
starts: 2026-09-01
workload:
  arrivals: {kind: poisson, rate: 1/s}
  service: {kind: exponential, mean: 1s}
pools:
  desk:
    replica: {kind: slots, concurrency: 2}
    queue: {kind: central}
    price: {on_demand: $3/h}
    autoscaler: {kind: hpa, min_replicas: 1, max_replicas: 4, metrics: [{metric: num_requests_running, target: 1.6}]}
"""

QUICK = {
    "run": ["run", "small.yaml", "--no-save", "--replications", "2"],
    "check": ["check", "small.yaml"],
    "compare": ["compare", "small.yaml", "--with", "pools.desk.autoscaler.min_replicas=2", "--replications", "2"],
    "sweep": ["sweep", "small.yaml", "--over", "seed=1,2", "--replications", "1"],
    "export autoscaler": ["export", "autoscaler", "small.yaml"],
    "export autoscaler to a file": ["export", "autoscaler", "small.yaml", "--no-run", "--out", "hpa.yaml"],
    "export focus": ["export", "focus", "small.yaml"],
    "export focus to a file": ["export", "focus", "small.yaml", "--out", "bill.csv"],
    "export trace": ["export", "trace", "small.yaml"],
    "export trace to a file": ["export", "trace", "small.yaml", "--out", "trace.json.gz"],
    "export metrics": ["export", "metrics", "small.yaml", "--out", "metrics.om"],
    "init": ["init", "new.yaml"],
    "examples": ["examples"],
    "schema": ["schema"],
}


def leaves() -> Iterator[tuple[str, click.Command]]:
    """Every verb, and every verb below a verb."""
    context = click.Context(main)
    for verb in VERBS:
        command = main.get_command(context, verb)  # type: ignore[attr-defined]
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{verb} {name}", inner) for name, inner in command.commands.items())
        else:
            yield verb, command


def test_every_verb_has_it() -> None:
    without = [
        name for name, command in leaves() if not any("--json" in option.opts for option in command.get_params(_any()))
    ]
    assert without == []


def _any() -> click.Context:
    return click.Context(main)


@pytest.mark.parametrize("name", QUICK)
def test_there_is_one_document_on_stdout(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SCENARIO)
    done = CliRunner().invoke(main, [*QUICK[name], "--json"])
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document
    if isinstance(document, dict) and "written" in document and document["written"]:
        assert Path(document["written"]).is_file()


def test_metrics_are_no_json_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SCENARIO)
    done = CliRunner().invoke(main, ["export", "metrics", "small.yaml", "--json"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "give --out" in done.stderr
