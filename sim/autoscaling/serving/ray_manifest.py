"""Ray Serve configs and RayServices: the `autoscaling_config` of the one deployment that scales, in and out.

Source: serve/config.py and serve/schema.py, ray@2.60.0. Fields of a deployment that are not about scaling (resources,
health checks, `max_ongoing_requests`) are for its replicas and are left as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sim.autoscaling.manifest import ManifestError, Where, refused, validated
from sim.autoscaling.serving.ray_serve import RayServe
from sim.config.errors import ConfigError

DEFAULT_POLICY = "ray.serve.autoscaling_policy:default_autoscaling_policy"
_SAME_POLICY = (DEFAULT_POLICY, "ray.serve.autoscaling_policy:replica_queue_length_autoscaling_policy")
KEYS = {
    "min_replicas": "min_replicas",
    "max_replicas": "max_replicas",
    "initial_replicas": "start_replicas",
    "target_ongoing_requests": "target_ongoing_requests",
    "upscale_delay_s": "upscale_delay",
    "downscale_delay_s": "downscale_delay",
    "downscale_to_zero_delay_s": "downscale_to_zero_delay",
    "upscaling_factor": "upscaling_factor",
    "downscaling_factor": "downscaling_factor",
    "look_back_period_s": "look_back_period",
    "metrics_interval_s": "metrics_interval",
}
"""Ray's fields, and the policy's keys for them."""
_CLOSED = ConfigDict(extra="forbid")


class _Autoscaling(BaseModel):
    """Ray's AutoscalingConfig. Limits of values are checked by the policy that they become."""

    model_config = _CLOSED
    min_replicas: int | None = None
    initial_replicas: int | None = None
    max_replicas: int | None = None
    target_ongoing_requests: float | None = None
    metrics_interval_s: float | None = None
    look_back_period_s: float | None = None
    smoothing_factor: float | None = None
    upscale_smoothing_factor: float | None = None
    downscale_smoothing_factor: float | None = None
    upscaling_factor: float | None = None
    downscaling_factor: float | None = None
    upscale_delay_s: float | None = None
    downscale_delay_s: float | None = None
    downscale_to_zero_delay_s: float | None = None
    aggregation_function: str = "mean"
    policy: Any = None


class _Deployment(BaseModel):
    model_config = _CLOSED
    name: str
    num_replicas: int | Literal["auto"] | None = None
    autoscaling_config: _Autoscaling | None = None
    max_ongoing_requests: Any = None
    max_queued_requests: Any = None
    user_config: Any = None
    graceful_shutdown_wait_loop_s: Any = None
    graceful_shutdown_timeout_s: Any = None
    health_check_period_s: Any = None
    health_check_timeout_s: Any = None
    ray_actor_options: Any = None
    placement_group_bundles: Any = None
    placement_group_strategy: Any = None
    placement_group_bundle_label_selector: Any = None
    placement_group_fallback_strategy: Any = None
    max_replicas_per_node: Any = None
    logging_config: Any = None
    request_router_config: Any = None


class _Application(BaseModel):
    model_config = _CLOSED
    name: str = "default"
    import_path: Any = None
    route_prefix: Any = None
    runtime_env: Any = None
    host: Any = None
    port: Any = None
    docs_path: Any = None
    args: Any = None
    logging_config: Any = None
    deployments: list[_Deployment] = []
    autoscaling_policy: Any = None
    external_scaler_enabled: bool = False


class _Config(BaseModel):
    model_config = _CLOSED
    proxy_location: Any = None
    http_options: Any = None
    grpc_options: Any = None
    logging_config: Any = None
    target_capacity: float | None = None
    applications: list[_Application]


def recognises(document: Mapping[str, Any]) -> bool:
    """Whether the document is a Serve config (which has no kind) or a RayService, right or wrong."""
    return document.get("kind") == "RayService" or ("applications" in document and "kind" not in document)


def read(document: Mapping[str, Any]) -> RayServe:
    """The policy of the one deployment that scales. Raises ManifestError with every field that is wrong."""
    if document.get("kind") != "RayService":
        return _read_config(document)
    above: Where = ("spec", "serveConfigV2")
    try:
        return _read_config(_embedded(document))
    except ManifestError as error:
        raise ManifestError([((*above, *at), text) for at, text in error.problems]) from None


def _embedded(document: Mapping[str, Any]) -> dict[str, Any]:
    """The Serve config that a RayService holds as text."""
    from sim.config.loader import parse

    spec = document.get("spec")
    text = spec.get("serveConfigV2") if isinstance(spec, Mapping) else None
    if not isinstance(text, str):
        raise ManifestError([((), "must be the text of a Serve config")])
    try:
        found: dict[str, Any] = parse(text).plain()
    except ConfigError as error:
        raise ManifestError([((), problem.message) for problem in error.problems]) from None
    return found


def _read_config(document: Mapping[str, Any]) -> RayServe:
    config = validated(_Config, document)
    problems: list[tuple[Where, str]] = []
    if config.target_capacity not in (None, 100.0):
        problems.append((("target_capacity",), f"must be left out or 100, got {config.target_capacity:g}"))
    for index, application in enumerate(config.applications):
        at: Where = ("applications", index)
        if application.autoscaling_policy is not None:
            problems.append(((*at, "autoscaling_policy"), "is code of one's own, which is not simulated"))
        if application.external_scaler_enabled:
            problems.append(((*at, "external_scaler_enabled"), "must be false: another program decides then"))
    found = _scaled(config)
    if len(found) == 1:
        problems += _unlike(*found[0])
    else:
        problems.append(_not_one(config, found))
    if problems:
        raise ManifestError(problems)
    return _policy(*found[0])


def _scaled(config: _Config) -> list[tuple[Where, _Deployment]]:
    """The deployments that scale, and where they are."""
    return [
        (("applications", one, "deployments", two), deployment)
        for one, application in enumerate(config.applications)
        for two, deployment in enumerate(application.deployments)
        if deployment.autoscaling_config is not None or deployment.num_replicas == "auto"
    ]


def _not_one(config: _Config, found: list[tuple[Where, _Deployment]]) -> tuple[Where, str]:
    """What to say of a config in which no deployment scales, or several."""
    if found:
        names = ", ".join(deployment.name for _, deployment in found)
        return ("applications",), f"several deployments scale ({names}), a pool is one: keep that which is simulated"
    named = sum(len(application.deployments) for application in config.applications)
    rest = "" if named else " (what is only in the application's code cannot be read: write it here)"
    return ("applications",), f"no deployment has an autoscaling_config{rest}"


def _unlike(at: Where, deployment: _Deployment) -> list[tuple[Where, str]]:
    """What of a deployment's scaling is not simulated."""
    problems: list[tuple[Where, str]] = []
    config, inside = deployment.autoscaling_config, (*at, "autoscaling_config")
    if config is None:
        return problems
    if isinstance(deployment.num_replicas, int):
        problems.append(((*at, "num_replicas"), "must be left out or auto where there is an autoscaling_config"))
    if config.aggregation_function != "mean":
        text = f"must be mean, the only one that is simulated, got '{config.aggregation_function}'"
        problems.append(((*inside, "aggregation_function"), text))
    if not _is_default_policy(config.policy):
        problems.append(((*inside, "policy"), f"must be left out or {DEFAULT_POLICY}: other code is not simulated"))
    return problems


def _is_default_policy(policy: Any) -> bool:
    """Whether a `policy` field says what is so anyway."""
    if not isinstance(policy, Mapping):
        return policy is None or policy in _SAME_POLICY
    return set(policy) <= {"policy_function", "name", "policy_kwargs"} and (
        policy.get("policy_function", policy.get("name", DEFAULT_POLICY)) in _SAME_POLICY
        and not policy.get("policy_kwargs")
    )


def _policy(at: Where, deployment: _Deployment) -> RayServe:
    """The policy of a deployment that scales."""
    config = deployment.autoscaling_config or _Autoscaling()
    given = {ray: getattr(config, ray) for ray in KEYS if getattr(config, ray) is not None}
    for factor, older in (("upscaling_factor", "upscale"), ("downscaling_factor", "downscale")):
        fallback = getattr(config, f"{older}_smoothing_factor")
        fallback = config.smoothing_factor if fallback is None else fallback
        if factor not in given and fallback is not None:
            given[factor] = fallback
    if deployment.num_replicas == "auto":
        given.setdefault("max_replicas", 100)
    values = {KEYS[ray]: value for ray, value in given.items()}
    inside = (*at, "autoscaling_config")
    try:
        policy = RayServe.model_validate(values)
    except ValidationError as error:
        names = {key: ray for ray, key in KEYS.items()}
        found = refused(error, values, RayServe).problems
        raise ManifestError(
            [((*inside, names[str(where[0])]) if where else inside, text) for where, text in found]
        ) from None
    wrong = _unbounded_start(policy)
    if wrong:
        raise ManifestError([((*inside, "initial_replicas"), wrong)])
    return policy


def _unbounded_start(policy: RayServe) -> str:
    """What is wrong with a first size that Ray would refuse; empty when nothing is."""
    start = policy.start_replicas
    if start is None or policy.min_replicas <= start <= policy.max_replicas:
        return ""
    return f"must be between min and max_replicas, got {start}"


def written(policy: RayServe, name: str, like: Mapping[str, Any] | None) -> dict[str, Any]:
    """A Serve config with this policy; or `like`, in which only its `autoscaling_config` is another.

    Raises ManifestError for a first size that Ray would refuse.
    """
    wrong = _unbounded_start(policy)
    if wrong:
        raise ManifestError([(("start_replicas",), wrong)])
    if like is None:
        deployment = {"name": name, "autoscaling_config": _said(policy, {})}
        application = {"name": name, "import_path": f"{name}:app", "deployments": [deployment]}
        return {"applications": [application]}
    document = copy.deepcopy(dict(like))
    if document.get("kind") != "RayService":
        return _changed(document, policy)
    from sim.config.dump import to_yaml

    document["spec"]["serveConfigV2"] = to_yaml(_changed(_embedded(document), policy))
    return document


def _changed(document: dict[str, Any], policy: RayServe) -> dict[str, Any]:
    """A Serve config with this policy in the place of its own."""
    found = _scaled(validated(_Config, document))
    if len(found) != 1:
        raise ManifestError([_not_one(validated(_Config, document), found)])
    _, one, _, two = found[0][0]
    deployment = document["applications"][one]["deployments"][two]
    deployment.pop("num_replicas", None)
    deployment["autoscaling_config"] = _said(policy, deployment.get("autoscaling_config") or {})
    return document


def _said(policy: RayServe, before: Mapping[str, Any]) -> dict[str, Any]:
    """An AutoscalingConfig: both bounds, what is not Ray's default, and what was said before, in that order."""
    values = policy.model_dump(by_alias=True)
    default = RayServe().model_dump(by_alias=True)
    fixed = {ray: before[ray] for ray in ("aggregation_function", "policy") if ray in before}
    wanted = {
        ray: values[key]
        for ray, key in KEYS.items()
        if ray in ("min_replicas", "max_replicas") or ray in before or values[key] != default[key]
    }
    ordered = {ray: before[ray] if before[ray] == wanted[ray] else wanted[ray] for ray in before if ray in wanted}
    new = {ray: value for ray, value in wanted.items() if ray not in ordered}
    return {ray: value for ray, value in (ordered | new | fixed).items() if value is not None}
