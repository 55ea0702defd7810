"""A scenario with some of its keys changed, as if its file had been edited; and what drills read off one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sim.result.twin.traffic import horizon_of, traffic_of
from sim.scenario import Scenario, load
from sim.study.planned.dossier import plain
from sim.workload.arrivals import Varying

Document = dict[str, Any]
LATEST = 3 / 5
"""Of the measured time, where a fault is at the latest."""


def altered(scenario: Scenario, edit: Callable[[Document], None]) -> Scenario:
    """The scenario after an edit of its plain values. Raises `ConfigError` where that makes it wrong."""
    document = plain(scenario)
    edit(document)
    return load(document)


def streams_of(workload: Document) -> Iterator[Document]:
    """The streams of a workload in plain values."""
    if "streams" in workload:
        yield from workload["streams"].values()
    else:
        yield workload


def busy_s(scenario: Scenario) -> float:
    """When a fault hurts most while there is time left to see what comes of it: where the rate is highest.

    Between a fifth and three fifths of the measured time; a third into it where the rate stays.
    """
    horizon_s = horizon_of(scenario)
    span_s = horizon_s - scenario.warmup_s
    traffic = traffic_of(scenario, list(scenario.workload.stream_names), horizon_s)
    if not traffic.parts or traffic.steady:
        return scenario.warmup_s + span_s / 3
    middle_s = (traffic.at_s[:-1] + traffic.at_s[1:]) / 2
    allowed = (middle_s >= scenario.warmup_s + span_s / 5) & (middle_s <= scenario.warmup_s + span_s * LATEST)
    return float(middle_s[allowed][int(np.argmax(traffic.rates_per_s[allowed]))])


def highest_rate_per_s(law: Any, horizon_s: float) -> float:
    """The highest mean rate of a law of arrivals."""
    return law.rate_curve.highest if isinstance(law, Varying) else float(law.mean_rate(horizon_s))
