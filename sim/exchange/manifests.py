"""A pool's policy as the manifest that its cluster applies, with what the simulator says of it in comments on top."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from sim.autoscaling.knative.knative_manifest import limits
from sim.autoscaling.manifest import ManifestError, families, policy_from
from sim.config.dump import to_yaml
from sim.config.errors import ConfigError, Problem
from sim.result import words
from sim.scenario import Scenario
from sim.version import VERSION

SEMANTICS: Mapping[str, str] = {
    "hpa": "Kubernetes autoscaling/v2, kube-controller-manager up to 1.36",
    "keda": "KEDA, kedacore/keda@8b4f083c, on top of Kubernetes autoscaling/v2",
    "knative": "Knative Pod Autoscaler, knative/serving@98e5ef90",
    "ray_serve": "Ray Serve 2.60, delays in wall-clock seconds",
}
"""Whose behaviour the simulated policy has, by kind: users apply what is written here."""

CONTROLLER_NOTE = "fleetcast/controller"
"""The annotation that keeps flags of a controller with the manifest, so that it reads back as the same policy."""


def manifest_of(scenario: Scenario, pool: str, like: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The manifest of a pool's policy; `like` is the original, whose other contents are kept.

    Raises `ConfigError` for a policy that no manifest can say.
    """
    policy: Any = scenario.pools[pool].autoscaler
    at = f"pools.{pool}.autoscaler"
    if not isinstance(policy, families()):
        known = ", ".join(SEMANTICS)
        raise ConfigError(Problem(f"kind '{policy.kind}' has no manifest; those that have one: {known}", f"{at}.kind"))
    try:
        document: dict[str, Any] = policy.to_manifest(_name(scenario, pool), like)
    except ManifestError as error:
        wrong = [".".join(map(str, (at, *where))) for where, _ in error.problems]
        raise ConfigError(
            [Problem(text, path) for path, (_, text) in zip(wrong, error.problems, strict=True)]
        ) from None
    return document


def manifest_text(
    document: Mapping[str, Any], scenario: Scenario, pool: str, summary: Mapping[str, Any] | None = None
) -> str:
    """A manifest as YAML, comments on top: the semantics, what a run predicts, and what the cluster is told elsewhere.

    `summary` is that of a run of the scenario; None for no prediction.
    """
    lines = [*_about(scenario, pool), *_predicted(scenario, pool, summary), *_elsewhere(document, scenario, pool)]
    return "".join(f"# {_printable(line)}\n" for line in lines) + to_yaml(document)


def difference(original: Mapping[str, Any], document: Mapping[str, Any], before: str, after: str) -> str:
    """What changes, as a unified diff; both are written the same way first, so only contents count."""
    old, new = (to_yaml(each).splitlines(keepends=True) for each in (original, document))
    return "".join(difflib.unified_diff(old, new, before, after))


def _about(scenario: Scenario, pool: str) -> Iterator[str]:
    kind = scenario.pools[pool].autoscaler.kind
    yield f"Autoscaler of pool '{pool}' of the scenario '{scenario.name}', written by fleetcast {VERSION}."
    yield f"Semantics simulated: {SEMANTICS.get(kind, kind)}{_path(scenario.pools[pool].autoscaler)}."


def _path(policy: Any) -> str:
    """Which of the two ways of the HPA is meant, for policies that have both."""
    if "behavior" not in type(policy).model_fields:
        return ""
    return " (behavior not set)" if policy.behavior is None else " (behavior set)"


def _predicted(scenario: Scenario, pool: str, summary: Mapping[str, Any] | None) -> Iterator[str]:
    """What a run says of the pool."""
    if summary is None:
        yield "No prediction: written without a run."
        return
    found = summary["pools"][pool]
    length, digest = words.duration(summary["measured_s"]), scenario.digest[:12]
    yield f"Predicted by one run: {length} measured, seed {summary['seed']}, scenario {digest}."
    for target in found["slo"]:
        met = {True: "met", False: "missed", None: "no data"}[target["met"]]
        limit = f"{target['metric']} under {words.duration(target['under_s'])}"
        wanted, attained = words.share(target["share"]), words.share_beside(target["attained"], target["share"])
        yield f"  {limit}: {attained} of requests, target {wanted}: {met}"
    if not found["slo"]:
        yield "  no SLO: the scenario sets none"
    sizes = found["replicas"]
    yield f"  replicas: {sizes['mean']:.3g} on average, {sizes['min']} to {sizes['max']}"
    cost = found["cost"]
    if cost["total_usd"] is None:
        yield "  cost: not known, as the scenario has no price"
    else:
        total, monthly = words.usd(cost["total_usd"]), words.usd(cost["usd_per_month"])
        yield f"  cost: {total} in that time, {monthly} a month at this rate"


def _elsewhere(document: Mapping[str, Any], scenario: Scenario, pool: str) -> Iterator[str]:
    """What the manifest takes for granted: flags of a controller and a first size, which it does not say; a gate."""
    wanted = _plain(scenario.pools[pool].autoscaler)
    told = _plain(policy_from(_without_notes(document)))
    for key, value in wanted.items():
        if told.get(key) != value:
            yield f"Simulated, but to be set elsewhere in the cluster, if at all: {key}: {value}"
    if wanted["kind"] == "knative" and not limits(document):
        most = wanted["max_replicas"]
        yield f"No max-scale is written, and so the cluster has no limit: simulated were at most {most:,} replicas."
    behavior = wanted.get("behavior") or {}
    if any("tolerance" in direction for direction in behavior.values()):
        yield "A tolerance in behavior needs Kubernetes 1.33 and the feature gate HPAConfigurableTolerance."


def _without_notes(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A manifest as its cluster understands it: without what only this program reads of its controller."""
    metadata = document.get("metadata") or {}
    notes = {key: text for key, text in (metadata.get("annotations") or {}).items() if key != CONTROLLER_NOTE}
    return {**document, "metadata": {**metadata, "annotations": notes}} if "metadata" in document else document


def _plain(policy: Any) -> dict[str, Any]:
    found: dict[str, Any] = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found


def _name(scenario: Scenario, pool: str) -> str:
    """A name that Kubernetes accepts, from those of scenario and pool: a label of RFC 1035.

    Such labels begin with a letter. HPAs may begin with a digit; services, and so those of Knative, may not.
    """
    text = f"{scenario.name}-{pool}".lower()
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text)
    found = "-".join(filter(None, plain.split("-"))) or "fleet"
    return (found if found[0].isalpha() else f"fleet-{found}")[:63].strip("-")


def _printable(line: str) -> str:
    """A comment that stays one line."""
    return "".join(letter if letter.isprintable() else " " for letter in line)
