"""`autoscaler: {manifest: FILE}`: a scenario whose autoscaler is a manifest, and manifests that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.config.errors import ConfigError
from sim.scenario import Scenario, load
from tests.e2e.test_decide import HPA

SCENARIO = """\
name: manifest
horizon: 10s
workload:
  arrivals: {kind: poisson, rate: 1/s}
  service: {kind: constant, value: 1s}
pools:
  chat:
    replica: {kind: slots}
    autoscaler: {manifest: deploy/hpa.yaml, start_replicas: 3}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "hpa.yaml").write_text(HPA)
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    return tmp_path


def loaded(folder: Path, *sets: str) -> Scenario:
    return load(folder / "scenario.yaml", sets)


def refused(folder: Path, *sets: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, *sets)
    return [str(problem) for problem in caught.value.problems]


def test_the_manifest_becomes_the_policy(folder: Path) -> None:
    policy = loaded(folder).pools["chat"].autoscaler
    assert policy.kind == "hpa"
    assert (policy.initial_replicas, policy.floor_replicas, policy.most_replicas) == (3, 1, 64)


def test_a_resolved_scenario_needs_no_manifest(folder: Path, tmp_path: Path) -> None:
    found = loaded(folder)
    again = tmp_path / "resolved.yaml"
    again.write_text(found.to_yaml())
    (folder / "deploy" / "hpa.yaml").unlink()
    assert "manifest:" not in found.to_yaml()
    assert load(again) == found


def test_keys_beside_the_manifest_and_set_change_it(folder: Path) -> None:
    base = "pools.chat.autoscaler"
    policy = loaded(folder, f"{base}.sync_period=30s", f"{base}.max_replicas=9").pools["chat"].autoscaler
    assert (policy.period_s, policy.most_replicas, policy.initial_replicas) == (30.0, 9, 3)
    assert loaded(folder, f"{base}.metrics.0.target=7").pools["chat"].autoscaler.metrics[0].target == 7.0


def test_another_manifest_can_be_set(folder: Path) -> None:
    other = folder / "other.yaml"
    other.write_text(HPA.replace("maxReplicas: 64", "maxReplicas: 5"))
    found = loaded(folder, f"pools.chat.autoscaler={{manifest: {other}}}")
    assert found.pools["chat"].autoscaler.most_replicas == 5


def test_wrong_manifests_are_told_at_their_line(folder: Path) -> None:
    manifest = folder / "deploy" / "hpa.yaml"
    manifest.write_text(HPA.replace("minReplicas: 1", "minReplicas: one").replace("averageValue", "averageValues"))
    problems = refused(folder)
    assert any(problem.startswith(f"{manifest}:6:16: spec.minReplicas: ") for problem in problems), problems
    assert any(f"{manifest}:12:" in problem and "averageValue" in problem for problem in problems), problems
    # the scenario's own mistakes beside it, but none of its autoscaler, which is not known
    problems = refused(folder, "horizn=3")
    assert not any("pools.chat.autoscaler" in problem for problem in problems), problems
    assert any("horizn" in problem for problem in problems)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("{manifest: no.yaml}", "scenario.yaml:9:28: pools.chat.autoscaler.manifest: 'no.yaml': no such file"),
        ("{manifest: deploy}", "'deploy': is a folder"),
        ("{manifest: 3}", "pools.chat.autoscaler.manifest: must be the path of a file"),
        ("{manifest: deploy/hpa.yaml, kind: fixed}", "pools.chat.autoscaler.kind: says nothing beside 'manifest'"),
        ("{manifest: deploy/hpa.yaml, replicas: 3}", "pools.chat.autoscaler.replicas: no such key"),
        ("{manifest: scenario.yaml}", "is not the manifest of an autoscaler"),
        ("{manifest: empty.yaml}", "empty.yaml:1:1: pools.chat.autoscaler: is empty"),
    ],
)
def test_wrong_references(folder: Path, block: str, message: str) -> None:
    (folder / "empty.yaml").write_text("---\n# nothing\n")
    (folder / "scenario.yaml").write_text(SCENARIO.replace("{manifest: deploy/hpa.yaml, start_replicas: 3}", block))
    problems = refused(folder)
    assert len(problems) == 1, problems
    assert message in problems[0]
