"""`fleetcast export autoscaler`: manifests that are written, read back, and compared with what was there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from sim.autoscaling.manifest import policy_from
from sim.cli import main
from sim.scenario import load
from tests.e2e.test_decide import HPA

SCENARIO = """\
name: My chat
horizon: 200s
seed: 3
workload:
  arrivals: {kind: poisson, rate: 4/s}
  service: {kind: constant, value: 1s}
pools:
  servers:
    replica: {kind: slots}
    queue: {kind: central}
    price: {on_demand: $3/h}
    autoscaler: AUTOSCALER
slo:
  - {metric: queue_wait, under: 1s, share: 95%}
"""

WAITING = "{metric: num_requests_waiting, type: AverageValue, target: 2}"
BEHAVIOR = "{scale_up: {stabilization_window: 15s}}"
KINDS = {
    "hpa": f"{{kind: hpa, max_replicas: 20, metrics: [{WAITING}], behavior: {BEHAVIOR}}}",
    "keda": "{kind: keda, max_replicas: 9, triggers: [{metric: num_requests_waiting, threshold: 5}]}",
    "knative": "{kind: knative, max_replicas: 12, target: 20}",
    "ray_serve": "{kind: ray_serve, max_replicas: 7, target_ongoing_requests: 3}",
}


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO.replace("AUTOSCALER", KINDS["hpa"]))
    return path


def export(*args: object) -> Result:
    return CliRunner().invoke(main, ["export", "autoscaler", *map(str, args)])


def kept(policy: Any) -> dict[str, Any]:
    found: dict[str, Any] = policy.model_dump(mode="json", by_alias=True)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_the_policy(scenario: Path, kind: str) -> None:
    scenario.write_text(SCENARIO.replace("AUTOSCALER", KINDS[kind]))
    done = export(scenario, "--no-run")
    assert done.exit_code == 0, done.output
    written = yaml.safe_load(done.stdout)
    assert kept(policy_from(written)) == kept(load(scenario).pools["servers"].autoscaler)
    assert "my-chat-servers" in done.stdout
    assert "# Semantics simulated: " in done.stdout


def test_an_hpa_has_what_the_api_requires(scenario: Path) -> None:
    written = yaml.safe_load(export(scenario, "--no-run").stdout)
    assert (written["apiVersion"], written["kind"]) == ("autoscaling/v2", "HorizontalPodAutoscaler")
    assert written["metadata"]["name"] == "my-chat-servers"
    spec = written["spec"]
    assert set(spec["scaleTargetRef"]) >= {"kind", "name"}
    assert spec["maxReplicas"] == 20
    assert spec["metrics"][0]["type"] == "External"


def test_the_prediction_is_that_of_a_run(scenario: Path) -> None:
    """Of a fleet of fixed size, written as if an HPA held it: what the comments say is what the run says."""
    from sim.engine import simulate
    from sim.exchange.manifests import manifest_of, manifest_text

    wanted = load(scenario)
    document = manifest_of(wanted, "servers")
    summary = simulate(load(scenario, ["pools.servers.autoscaler={kind: fixed, replicas: 5}"])).summary()
    text = manifest_text(document, wanted, "servers", summary)
    attained = summary["pools"]["servers"]["slo"][0]["attained"]
    met = "met" if attained >= 0.95 else "missed"
    assert f"#   queue_wait under 1 s: {attained:.1%} of requests, target 95.0%: {met}" in text
    assert "#   replicas: 5 on average, 5 to 5" in text
    assert "#   cost: $0.83 in that time" in text  # 5 replicas x 200 s x $3/h
    assert yaml.safe_load(text) == document


def test_what_a_manifest_cannot_say_is_told(scenario: Path) -> None:
    done = export(scenario, "--no-run", "--set", "pools.servers.autoscaler.sync_period=30s")
    assert done.exit_code == 0, done.output
    assert "# Simulated, but to be set elsewhere in the cluster, if at all: sync_period: 30.0" in done.stdout


def test_like_keeps_the_rest_and_shows_what_changes(scenario: Path, tmp_path: Path) -> None:
    original, out = tmp_path / "hpa.yaml", tmp_path / "new.yaml"
    original.write_text(HPA.replace("{name: llama}\n", "{name: llama, labels: {team: chat}}\n", 1))
    scenario.write_text(SCENARIO.replace("AUTOSCALER", "{manifest: hpa.yaml}"))
    same = export(scenario, "--no-run", "--like", original)
    assert "no difference" in same.stderr
    done = export(
        scenario, "--no-run", "--like", original, "--out", out, "--set", "pools.servers.autoscaler.max_replicas=32"
    )
    assert done.exit_code == 0, done.output
    written = yaml.safe_load(out.read_text())
    wanted = yaml.safe_load(original.read_text())
    wanted["spec"]["maxReplicas"] = 32
    assert written == wanted
    changed = [line for line in done.stderr.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert changed == ["-  maxReplicas: 64", "+  maxReplicas: 32"]
    again = export(scenario, "--no-run", "--out", out)
    assert again.exit_code == 2
    assert "is already there" in again.stderr


def test_a_policy_without_a_manifest(scenario: Path) -> None:
    scenario.write_text(SCENARIO.replace("AUTOSCALER", "{kind: fixed, replicas: 5}"))
    done = export(scenario, "--no-run")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "pools.servers.autoscaler.kind: kind 'fixed' has no manifest" in done.stderr


def test_a_service_without_a_limit_says_so(scenario: Path) -> None:
    """Our ceiling is Knative's own default, which is none: nothing is written, and a cluster would have no limit."""
    from sim.exchange.manifests import manifest_of, manifest_text

    for most, told in ((100, True), (40, False)):
        changes = [f"pools.servers.autoscaler={{kind: knative, target: 2, max_replicas: {most}}}"]
        wanted = load(scenario, changes)
        document = manifest_of(wanted, "servers")
        assert ("the cluster has no limit" in manifest_text(document, wanted, "servers")) is told
        assert ("max-scale" in yaml.safe_dump(document)) is not told
