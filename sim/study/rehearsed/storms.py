"""The drill in which clients make things worse: a burst, and everybody who waits too long sends again."""

from __future__ import annotations

from typing import Any

from sim.config.errors import ConfigError
from sim.result import words
from sim.result.twin.traffic import horizon_of
from sim.scenario import Scenario, Target
from sim.study.rehearsed.altered import Document, altered, highest_rate_per_s, streams_of
from sim.study.rehearsed.drill import Drill
from sim.workload import Generated
from sim.workload.closed import Closed

FACTOR = 2.0
BURST_S, LONGEST_S = 300.0, 3600.0
ATTEMPTS = 3
_TIMES = {"e2e": 3.0, "ttft": 5.0, "queue_wait": 5.0}
"""How many times as long as is promised clients wait before they send again."""
_PATIENCE_S = 60.0


def retry_storm(scenario: Scenario) -> Drill:
    """Twice the highest rate for some minutes, and clients that time out and retry."""
    name, span_s = "retry storm", min(horizon_of(scenario) - scenario.warmup_s, LONGEST_S)
    burst_s, at_s = min(BURST_S, span_s / 6), scenario.warmup_s + span_s / 4
    limit_key, limit_s = _limit(scenario.slo)
    what = (
        f"Twice the highest rate for {words.duration(burst_s)}, and clients that wait {words.duration(limit_s)} and "
        f"then send again at once, {ATTEMPTS} times in all"
    )
    for stream in scenario.workload.by_name().values():
        if not isinstance(stream, Generated):
            return Drill(
                name, what, why_not="a recorded trace comes as it came: its rate cannot be doubled for minutes"
            )
        if isinstance(stream.arrivals, Closed):
            return Drill(name, what, why_not="users who wait for an answer before they ask again make no burst")

    def edit(document: Document) -> None:
        document["horizon"] = scenario.warmup_s + span_s
        parts = zip(streams_of(document["workload"]), scenario.workload.by_name().values(), strict=True)
        for told, stream in parts:
            assert isinstance(stream, Generated)
            rate = highest_rate_per_s(stream.arrivals, horizon_of(scenario))
            told["arrivals"] = {"kind": "spike", "rate": rate, "factor": FACTOR, "at": at_s, "duration": burst_s}
            told["clients"] = _impatient(told.get("clients") or {}, limit_key, limit_s)

    try:
        changed = altered(scenario, edit)
    except ConfigError as error:
        return Drill(name, what, why_not=f"it does not fit this scenario: {error.problems[0].message}")
    return Drill(name, what, changed, at_s, scenario.warmup_s + span_s - at_s)


def _impatient(clients: dict[str, Any], key: str, limit_s: float) -> dict[str, Any]:
    """The clients as they are; where they do not give up, or do not try again, they now do."""
    found = dict(clients)
    if not any(each in found for each in ("patience", "first_token_timeout", "total_timeout")):
        found[key] = limit_s
    failures = ["rejected", "timed_out", "failed", "abandoned"]
    return {"retry": {"kind": "fixed", "attempts": ATTEMPTS, "base": 0, "on": failures}} | found


def _limit(targets: tuple[Target, ...]) -> tuple[str, float]:
    """What clients bear: a key of theirs, and seconds."""
    for metric, key in (("e2e", "total_timeout"), ("ttft", "first_token_timeout"), ("queue_wait", "patience")):
        limits = [target.under_s for target in targets if target.metric == metric]
        if limits:
            return key, _TIMES[metric] * max(limits)
    return "total_timeout", _PATIENCE_S
