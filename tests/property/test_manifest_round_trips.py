"""Every policy that has a manifest: exported, it passes the schema of its system; read again, it runs the same."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim import Scenario, load, simulate
from sim.exchange.manifests import manifest_of, manifest_text
from tests.digest import of_log
from tests.manifest_cases import FAMILIES, policies
from tests.manifest_schemas import crd_schema
from tests.validation.reference import SHARED

CRDS = "FLEETCAST_CRDS"
"""The environment variable that names a folder with the CRDs of KEDA and Knative as their releases have them."""

each_kind = pytest.mark.parametrize("kind", sorted(FAMILIES))
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
slow = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def scenario(autoscaler: Any) -> Scenario:
    """A surge over a pool whose replicas take a while to come."""
    return load(
        {
            "name": "2 chats",
            "seed": 5,
            "horizon": "6m",
            "workload": {
                "arrivals": {"kind": "spike", "rate": 0.5, "at": "2m", "factor": 6, "duration": "1m"},
                "service": {"kind": "lognormal", "mean": 4, "cv": 1},
            },
            "pools": {
                "chat": {
                    "replica": {"kind": "slots", "concurrency": 2},
                    "boot": {"kind": "lognormal", "mean": "20s", "cv": 0.5},
                    "autoscaler": autoscaler,
                }
            },
        }
    )


def exported(keys: dict[str, Any]) -> tuple[Scenario, str]:
    """The scenario with a policy, and that policy's manifest as its cluster would be given it."""
    found = scenario(keys)
    return found, manifest_text(manifest_of(found, "chat"), found, "chat")


def document(keys: dict[str, Any]) -> dict[str, Any]:
    """The manifest as any other reader of YAML has it."""
    found: dict[str, Any] = yaml.safe_load(exported(keys)[1])
    return found


def imported(text: str) -> Scenario:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "autoscaler.yaml"
        path.write_text(text, encoding="utf-8")
        return scenario({"manifest": str(path)})


@each_kind
@quick
@given(data=st.data())
def test_it_is_read_again_as_the_same_policy(kind: str, data: st.DataObject) -> None:
    found, text = exported(data.draw(policies(kind)))
    assert imported(text).pools["chat"].autoscaler == found.pools["chat"].autoscaler


@each_kind
@slow
@given(data=st.data())
def test_read_again_it_runs_the_same(kind: str, data: st.DataObject) -> None:
    found, text = exported(data.draw(policies(kind)))
    assert of_log(simulate(imported(text)).log) == of_log(simulate(found).log)


@quick
@given(policies("hpa"))
def test_an_hpa_passes_the_schema_of_kubernetes(keys: dict[str, Any]) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="needs the package kubernetes-validate")
    validate.validate(document(keys), validate.latest_version(), strict=True)


def test_the_schema_of_kubernetes_finds_what_is_wrong() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="needs the package kubernetes-validate")
    wrong = document({"kind": "hpa", "metrics": [{"metric": "num_requests_waiting", "target": 2}]})
    wrong["spec"]["minReplica"] = 1
    with pytest.raises(validate.ValidationError, match="minReplica"):
        validate.validate(wrong, validate.latest_version(), strict=True)


def test_what_a_cluster_may_not_have_yet_is_told() -> None:
    plain: dict[str, Any] = {"kind": "hpa", "metrics": [{"metric": "num_requests_waiting", "target": 2}]}
    assert "HPAConfigurableTolerance" not in exported({**plain, "behavior": {}})[1]
    assert "HPAConfigurableTolerance" in exported({**plain, "behavior": {"scale_up": {"tolerance": 0.2}}})[1]


@cache
def schema(name: str, kind: str) -> Any:
    """The schema of a custom resource, from its definition where there is one; skips otherwise."""
    folders = [Path(os.environ[CRDS])] if os.environ.get(CRDS) else []
    for folder in (*folders, SHARED / "reference" / "crds"):
        if (folder / name).exists():
            return crd_schema((folder / name).read_text(encoding="utf-8"), kind)
    return None


CUSTOM = {
    "keda": ("keda.sh_scaledobjects.yaml", "ScaledObject"),
    "knative": ("service.yaml", "Service"),
}
"""The file of the definition in its project (config/crd/bases, config/core/300-resources), and the kind."""


@pytest.mark.parametrize("kind", sorted(CUSTOM))
@quick
@given(data=st.data())
def test_a_custom_resource_passes_its_definition(kind: str, data: st.DataObject) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="needs the package jsonschema")
    found = schema(*CUSTOM[kind])
    if found is None:
        pytest.skip(f"needs {CUSTOM[kind][0]} in the folder that {CRDS} names")
    jsonschema.Draft7Validator(found).validate(document(data.draw(policies(kind))))


def test_definitions_are_read_strictly() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="needs the package jsonschema")
    part = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["triggers"],
                "properties": {
                    "triggers": {"type": "array", "items": {"type": "object", "properties": {"type": {}}}},
                    "goal": {"x-kubernetes-int-or-string": True},
                    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            },
        },
    }
    versions = [{"name": "v1alpha1"}, {"name": "v1", "storage": True, "schema": {"openAPIV3Schema": part}}]
    definition = {"kind": "CustomResourceDefinition", "spec": {"names": {"kind": "X"}, "versions": versions}}
    check = jsonschema.Draft7Validator(crd_schema(yaml.safe_dump(definition), "X"))
    right = {"kind": "X", "metadata": {"name": "x"}, "spec": {"triggers": [{"type": 1}], "goal": "5m", "any": {"a": 1}}}
    assert check.is_valid(right)
    for wrong in ({"spec": {}}, {"spec": {"triggers": [{"typo": 1}]}}, {"spec": {"triggers": [], "goal": [1]}}):
        assert not check.is_valid(wrong), wrong


@quick
@given(policies("ray_serve"))
def test_a_serve_config_passes_rays_schema(keys: dict[str, Any]) -> None:
    ray = pytest.importorskip("ray.serve.schema", reason="needs the package ray[serve]", exc_type=ImportError)
    ray.ServeDeploySchema.model_validate(document(keys))
