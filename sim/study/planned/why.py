"""Why no fleet keeps what is promised: from the run of the best one that there may be."""

from __future__ import annotations

from typing import Any

from sim.result import words
from sim.scenario import Target
from sim.study.planned.certificate import Certificate
from sim.study.planned.designs import Fleet, Fleets

SMALL = 0.05
"""Of a limit: a wait as short as that is none."""
_NAMES = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "the time to the last token", "queue_wait": "the wait"}


def why_not(fleets: Fleets, fleet: Fleet, found: Certificate, summary: dict[str, Any]) -> str:
    """The reason in a sentence: the best attainable, then what stands in the way."""
    if found.meets is None:
        told = f"it is not decided whether {_fleet_words(fleet)}, the most that may be had or that help, do"
        return f"{told} (attained {words.share(found.worst.attained)} of {found.worst.promise.told}): {found.why}"
    place = found.lines.index(found.worst)
    target = fleets.scenario.slo[place]
    many = _fleet_words(fleet)
    attained = f"even {many} attain {words.share(found.worst.attained)} of {found.worst.promise.told}"
    return f"{attained} (promised: {words.percent(target.share)}): {_cause(fleets, fleet, target, summary)}"


def _cause(fleets: Fleets, fleet: Fleet, target: Target, summary: dict[str, Any]) -> str:
    requests = summary["requests"]
    lost = {name: requests[name] for name in ("rejected", "abandoned", "timed_out", "failed") if requests[name]}
    arrived = max(requests["arrived"], 1)
    latency = summary["latency"]
    waits_s = latency["queue_wait_s"]["p99"] or 0.0
    if waits_s > SMALL * target.under_s or target.metric == "queue_wait":
        return _too_few(fleets, fleet, waits_s)
    name, count = max(lost.items(), key=lambda item: item[1], default=("", 0))
    if count / arrived > 1 - target.share:
        told = {"rejected": "turned away", "abandoned": "given up", "timed_out": "timed out", "failed": "failed"}[name]
        rest = _no_more(fleets, fleet) or "and no number of replicas changes that"
        return f"{words.share(count / arrived)} of the requests are {told}, {rest}"
    of = latency[f"{target.metric}_s"]
    slow = of["p99"] if of["p99"] is not None else of["max"]
    alone = f"nobody waits in line (p99 {words.duration(waits_s)})" if waits_s else "nobody waits in line"
    told = f"{alone}, and {_NAMES[target.metric]} still is {words.duration(slow)} at p99: "
    return told + _remedy(target)


def _remedy(target: Target) -> str:
    """What would help where replicas do not."""
    remedy = {
        "ttft": "prefill of long prompts alone takes that; a faster GPU, more of them to a replica, shorter prompts",
        "tpot": "an iteration alone takes that; a faster GPU, more of them to a replica, a smaller token budget",
        "e2e": "service alone takes that; a faster GPU, more of them to a replica, shorter answers",
    }[target.metric]
    return f"{remedy}, or another objective"


def _too_few(fleets: Fleets, fleet: Fleet, waits_s: float) -> str:
    """More replicas would help, and may not be had."""
    rest = _no_more(fleets, fleet) or "and more replicas do not help"
    return f"requests wait {words.duration(waits_s)} at p99, {rest}"


def _no_more(fleets: Fleets, fleet: Fleet) -> str:
    """The pools that have all that they may have; empty: none has."""
    full = [name for name, design in fleets.designs.items() if fleet[name] >= design.most]
    limits = ", ".join(f"{fleets.designs[name].most} in pool '{name}'" for name in full)
    return (
        f"and no more replicas may be had ({limits}: plan.pools, max_replicas, or the quota of offers)" if full else ""
    )


def _fleet_words(fleet: Fleet) -> str:
    return words.plural(sum(fleet.values()), "replica")
