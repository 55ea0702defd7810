"""Random policies of the families that have manifests, as scenarios spell them, with values that their documents hold.

Documents count windows and periods in whole seconds and Kubernetes' quantities in billionths at best.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sim.autoscaling import AnyPolicy
from sim.autoscaling.base import COUNTERS, GAUGES, HISTOGRAMS

Keys = dict[str, Any]
ADAPTER = TypeAdapter[Any](AnyPolicy)


def seconds(least: int, most: int) -> st.SearchStrategy[str]:
    """Whole seconds, some of them in longer units."""
    longer = [text for text, many in (("1m", 60), ("5m", 300), ("1h", 3600)) if least <= many <= most]
    plain = st.integers(least, most).map(lambda many: f"{many}s")
    return plain | st.sampled_from(longer) if longer else plain


def amounts(least: float, most: float, digits: int = 9) -> st.SearchStrategy[float]:
    """Numbers with so many decimals, round ones often."""
    scale = 10**digits
    fine = st.integers(int(least * scale), int(most * scale)).map(lambda many: many / scale)
    return st.integers(max(1, round(least)), max(1, int(most))) | fine


def some(required: Mapping[str, Any], optional: Mapping[str, Any]) -> st.SearchStrategy[Keys]:
    """Keys that must be there, and any of those that need not."""
    return st.fixed_dictionaries(dict(required), optional=dict(optional))


@st.composite
def bounds(draw: st.DrawFn, least: int, start: str = "start_replicas") -> Keys:
    low = draw(st.integers(least, 4))
    high = draw(st.integers(max(low, 1), 12))
    found: Keys = {"min_replicas": low, "max_replicas": high}
    return found | ({start: draw(st.integers(max(low, 1), high))} if draw(st.booleans()) else {})


OVER = seconds(30, 4000) | st.sampled_from(["31250ms", "90500ms", "2h45m"])
"""Windows of queries, two scrapes and more: PromQL counts them in milliseconds."""


@st.composite
def asked(draw: st.DrawFn, across: tuple[str, ...]) -> Keys:
    """A metric and what to do with its samples."""
    name = draw(st.sampled_from([*GAUGES, *COUNTERS, *HISTOGRAMS]))
    hows = ("rate",) if name in COUNTERS else ("mean", "p50", "p90", "p95", "p99")
    how = draw(st.sampled_from(hows if name not in GAUGES else ("last", "mean", "max", "min")))
    found: Keys = {"metric": draw(st.sampled_from([name, name.removeprefix("vllm:")])), "how": how}
    if how != "last" or draw(st.booleans()):
        found["over"] = draw(OVER)
    if across and name not in HISTOGRAMS and draw(st.booleans()):
        found["across"] = draw(st.sampled_from(across))
    return found


POLICY = some(
    {
        "type": st.sampled_from(["Pods", "Percent"]),
        "value": st.integers(1, 300),
        "period": seconds(1, 1800),
    },
    {},
)
DIRECTION = some(
    {},
    {
        "stabilization_window": seconds(0, 3600),
        "select_policy": st.sampled_from(["Max", "Min", "Disabled"]),
        "policies": st.lists(POLICY, min_size=1, max_size=3),
        "tolerance": amounts(0, 0.5),
    },
)
BEHAVIOR = some({}, {"scale_up": DIRECTION, "scale_down": DIRECTION})
CONTROLLER = {
    "sync_period": seconds(1, 60) | st.just("2500ms"),
    "tolerance": st.floats(0, 1),
    "downscale_stabilization": seconds(0, 900) | st.just("12500ms"),
}
"""Flags of the controller, which an annotation keeps: any numbers."""


@st.composite
def hpa_metric(draw: st.DrawFn) -> Keys:
    source = draw(st.sampled_from(["resource", "pods", "object", "external", None]))
    if source == "resource":
        return {"metric": "busy_share", "type": "Utilization", "target": draw(st.integers(1, 200))}
    found: Keys = draw(asked(() if source == "pods" else ("sum", "mean", "max")))
    found |= {"type": "AverageValue", "target": draw(amounts(0.001, 50))}
    if source is not None:
        found["source"] = source
    if source != "pods" and draw(st.booleans()):
        found["type"] = "Value"
    return found


HPA = st.tuples(
    bounds(0),
    some({"metrics": st.lists(hpa_metric(), min_size=1, max_size=3)}, {"behavior": BEHAVIOR, **CONTROLLER}),
    some({}, {"cpu_initialization_period": seconds(0, 600), "initial_readiness_delay": seconds(0, 60)}),
)


@st.composite
def keda_trigger(draw: st.DrawFn) -> Keys:
    if draw(st.integers(0, 3)) == 0:
        times = [f"{draw(st.integers(0, 59))} {draw(st.sampled_from(['*', '6', '*/2', '8-18']))} * * 1-5" for _ in "12"]
        zone = draw(st.sampled_from(["UTC", "Europe/Paris", "Asia/Kolkata"]))
        window = {"timezone": zone, "start": times[0], "end": times[1], "desired_replicas": draw(st.integers(1, 9))}
        return {"cron": window}
    found: Keys = draw(asked(("sum", "mean", "max"))) | {"threshold": draw(st.floats(1e-3, 1e6) | amounts(0.001, 50))}
    return found | draw(
        some(
            {},
            {
                "activation_threshold": st.floats(0, 100) | st.integers(0, 9),
                "type": st.sampled_from(["AverageValue", "Value"]),
                "ignore_null_values": st.booleans(),
            },
        )
    )


KEDA = st.tuples(
    bounds(0),
    some(
        {"triggers": st.lists(keda_trigger(), min_size=1, max_size=3)},
        {
            "behavior": BEHAVIOR,
            "polling_interval": seconds(1, 120),
            "cooldown_period": seconds(0, 900),
            "initial_cooldown_period": seconds(0, 900),
            "idle_replicas": st.just(0),
            "fallback": some({"failure_threshold": st.integers(0, 5), "replicas": st.integers(0, 9)}, {}),
            "run_starts": st.sampled_from(["2024-02-01", "2026-03-01T07:30:00+01:00"]),
            **CONTROLLER,
        },
    ),
)
KNATIVE = st.tuples(
    bounds(0),
    some(
        {},
        {
            "initial_scale": st.integers(1, 5),
            "activation_scale": st.integers(1, 5),
            "metric": st.sampled_from(["concurrency", "rps"]),
            "target": st.floats(0.01, 1e6) | amounts(0.5, 20),
            "target_utilization": amounts(1, 100),
            "container_concurrency": st.integers(0, 50),
            "stable_window": seconds(6, 600),
            "panic_window_percentage": st.floats(1, 100),
            "panic_threshold_percentage": st.floats(110, 1000),
            "aggregation": st.sampled_from(["linear", "weighted_exponential"]),
            "scale_down_delay": seconds(0, 900),
            "target_burst_capacity": st.floats(0, 300) | st.just(-1),
            "scale_to_zero_pod_retention_period": seconds(0, 900) | st.sampled_from(["2500ms", "0.00001s"]),
            "tick": seconds(1, 5),
            "max_scale_up_rate": st.floats(1.1, 1000),
            "max_scale_down_rate": st.floats(1.1, 10),
            "scale_to_zero_grace_period": seconds(0, 90),
        },
    ),
)
RAY_SERVE = st.tuples(
    bounds(0),
    some(
        {},
        {
            "target_ongoing_requests": st.floats(1e-3, 1e3) | amounts(1, 20),
            "upscale_delay": st.floats(0, 100),
            "downscale_delay": st.floats(0, 1000),
            "downscale_to_zero_delay": st.floats(0, 1000),
            "upscaling_factor": st.floats(0.1, 3),
            "downscaling_factor": st.floats(0.1, 3),
            "look_back_period": st.floats(10.5, 300),  # Ray warns where it is not above metrics_interval
            "metrics_interval": st.floats(1, 10),
        },
    ),
)
FAMILIES = {"hpa": HPA, "keda": KEDA, "knative": KNATIVE, "ray_serve": RAY_SERVE}


def _known(keys: Keys) -> bool:
    try:
        ADAPTER.validate_python(keys)
    except ValidationError:
        return False
    return True


def policies(kind: str) -> st.SearchStrategy[Keys]:
    """Keys of valid policies of a kind."""
    parts: Any = FAMILIES[kind]
    merged = parts.map(lambda found: {"kind": kind} | {key: value for part in found for key, value in part.items()})
    kept: st.SearchStrategy[Keys] = merged.filter(_known)
    return kept
