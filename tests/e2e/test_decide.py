"""`fleetcast decide` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sim.cli import main

HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llama}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llama}
  minReplicas: 1
  maxReplicas: 64
  metrics:
    - type: External
      external:
        metric: {name: vllm:num_requests_waiting}
        target: {type: AverageValue, averageValue: "1"}
"""

OWN = "kind: tests.replayed_policy:PerReplica\ntarget: 10\n"

SCENARIO = """\
name: two
horizon: 10s
workload:
  arrivals: {kind: poisson, rate: 1/s}
  service: {kind: constant, value: 1s}
pools:
  one: {replica: {kind: slots}, autoscaler: {kind: fixed, replicas: 3}}
  two: {replica: {kind: slots}, autoscaler: {kind: tests.replayed_policy:PerReplica, target: 1}}
"""


def decide(*args: object) -> Result:
    return CliRunner().invoke(main, ["decide", *map(str, args)])


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    path = tmp_path / "seen.jsonl"
    lines = [{"at_s": 15 * i, "current": 4, "values": {"num_requests_waiting": 10 * i}} for i in range(4)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def block(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    return path


def test_json_is_one_list_and_nothing_else(seen: Path, block: Path) -> None:
    done = decide(block, "--observations", seen, "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [row["wanted"] for row in rows] == [1, 1, 2, 3]
    assert rows[2] == {"at_s": 30.0, "current": 4, "wanted": 2, "reason": "turn 3: 20 / 10"}
    changed = json.loads(decide(block, "--observations", seen, "--json", "--changes", "--replicas", 1).stdout)
    assert [(row["current"], row["wanted"]) for row in changed] == [(1, 2), (2, 3)]


def test_a_line_a_decision(seen: Path, block: Path) -> None:
    done = decide(block, "--observations", seen)
    assert done.exit_code == 0, done.output
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["at_s", "current", "wanted", "reason"]
    assert lines[3].split(maxsplit=3) == ["45", "4", "3", "turn 4: 30 / 10"]
    assert len(lines) == 4


def test_a_block_below_its_key_and_a_pool_of_a_scenario(seen: Path, tmp_path: Path) -> None:
    path = tmp_path / "block.yaml"
    path.write_text("autoscaler: {kind: fixed, replicas: 7}\n")
    assert {row["wanted"] for row in json.loads(decide(path, "--observations", seen, "--json").stdout)} == {7}
    path.write_text(SCENARIO.replace("  service", "  pool: two\n  service"))
    rows = json.loads(decide(path, "--observations", seen, "--json", "--pool", "two").stdout)
    assert [row["wanted"] for row in rows] == [1, 10, 20, 30]
    for args, message in (((), "--pool: is needed"), (("--pool", "tow"), "did you mean 'two'?")):
        done = decide(path, "--observations", seen, *args)
        assert done.exit_code == 2
        assert message in done.stderr


def test_what_was_not_recorded_is_told(tmp_path: Path, block: Path) -> None:
    path = tmp_path / "none.jsonl"
    path.write_text('{"at_s": 0, "current": 4}\n')
    done = decide(block, "--observations", path)
    assert done.exit_code == 0, done.output
    assert "not recorded, so missing in every decision: vllm:num_requests_waiting" in done.stderr


def test_a_wrong_file_is_wrong_data_and_a_wrong_policy_a_wrong_scenario(
    tmp_path: Path, seen: Path, block: Path
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text(seen.read_text() + '{"at_s": 60}\n')
    done = decide(block, "--observations", bad, "--json")
    assert done.exit_code == 0, "what is missing is the policy's own size"
    bad.write_text(seen.read_text() + '{"at_s": "60"}\n')
    done = decide(block, "--observations", bad, "--json")
    assert done.exit_code == 3
    assert done.stdout == ""
    assert f"{bad}:5: at_s: must be a number" in done.stderr
    block.write_text("kind: fixed\nreplica: 3\n")
    done = decide(block, "--observations", seen)
    assert done.exit_code == 2
    assert "own.yaml:2:1: autoscaler.replica: no such key; did you mean 'replicas'?" in done.stderr
    block.write_text("apiVersion: v1\nkind: Deployment\n")
    done = decide(block, "--observations", seen)
    assert done.exit_code == 2
    assert "holds v1/Deployment, which is not the manifest of an autoscaler" in done.stderr
    assert decide(tmp_path / "no.yaml", "--observations", seen).exit_code == 2
    assert decide(block).exit_code == 2


def test_a_manifest_among_other_documents(tmp_path: Path, seen: Path) -> None:
    path = tmp_path / "hpa.yaml"
    path.write_text(f"---\napiVersion: v1\nkind: Service\n---\n{HPA}---\n")
    rows = json.loads(decide(path, "--observations", seen, "--json").stdout)
    assert [row["wanted"] for row in rows] == [4, 8, 8, 8]  # the first sight of 4 replicas holds them
    path.write_text(f"{HPA}---\n{HPA}")
    done = decide(path, "--observations", seen)
    assert done.exit_code == 2
    assert "holds several autoscalers (lines 1, 14)" in done.stderr
    path.write_text(HPA.replace("maxReplicas", "maxReplica"))
    done = decide(path, "--observations", seen)
    assert done.exit_code == 2
    assert "hpa.yaml:7:" in done.stderr
    assert "spec.maxReplica: no such key; did you mean 'maxReplicas'?" in done.stderr


def test_prometheus_series_at_the_autoscalers_own_pace(tmp_path: Path) -> None:
    manifest, path = tmp_path / "hpa.yaml", tmp_path / "range.json"
    manifest.write_text(HPA)
    values = [[1_764_000_000 + 15 * i, str(64 if i else 0)] for i in range(6)]
    series = {"metric": {"__name__": "vllm:num_requests_waiting", "pod": "a"}, "values": values}
    path.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [series]}}))
    done = decide(manifest, "--observations", path, "--json", "--replicas", 1)
    assert done.exit_code == 0, done.output
    # one sync sees nothing waiting, the next all 64: doubled at every sync, 4 at least
    assert [row["wanted"] for row in json.loads(done.stdout)] == [1, 4, 8, 16, 32, 64]
    assert "second 0 is the first sample, 2025-11-24T16:00:00+00:00" in done.stderr
