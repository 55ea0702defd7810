"""The result in one or two sentences: does it meet the SLO, how busy is it, what does it cost, what does it hide."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.result import words
from sim.result.money.ledger import waste, worth_telling
from sim.result.recovery import RECOVERED

if TYPE_CHECKING:
    from sim.result.timeline import Columns

PROMISES = {
    "ttft": "get their first token within {}",
    "tpot": "get their tokens {} apart or faster",
    "e2e": "are answered within {}",
    "queue_wait": "wait at most {} in the queue",
}
"""What an SLO promises, by metric; `{}` is its limit."""

NONE_KEPT = {
    "ttft": "gets its first token within {}",
    "tpot": "gets its tokens {} apart or faster",
    "e2e": "is answered within {}",
    "queue_wait": "waits at most {} in the queue",
}
"""The same of `no request`."""

LEAST_AMPLIFICATION = 1.05
"""Attempts a request: fewer more than one than this are not worth a word."""

LEAST_LOSS_SHARE = 1e-3
"""Less of a contract's cost than this is no loss worth a word."""

LEAST_SHARE = 5e-4
"""Less of the paid time than this is not worth a word."""


def verdict(summary: dict[str, Any], timeline: Columns) -> str:
    """One or two plain sentences, with the numbers that carry them; more if contracts lose, or the queue runs away."""
    if summary["requests"]["arrived"] == 0:
        return f"No request arrived in the measured {words.duration(summary['measured_s'])}. {fleet_sentence(summary)}"
    sentences = (
        service_sentence(summary),
        recovery_sentence(summary),
        sending_sentence(summary),
        fleet_sentence(summary),
        commitment_sentence(summary),
        peak_sentence(summary, timeline),
    )
    return " ".join(sentence for sentence in sentences if sentence)


def service_sentence(summary: dict[str, Any]) -> str:
    """Whether the SLO is met, target by target, or cannot be told; without an SLO, the latency that people feel."""
    lost = _losses(summary["requests"])
    targets = summary["slo"]
    open_ = {place: around for place in range(len(targets)) if (around := undecided(summary, place))}
    missed = [target for place, target in enumerate(targets) if target["met"] is False and place not in open_]
    if missed:
        return f"Misses the SLO: {_and([_attainment(target) for target in missed])}{lost}."
    if open_:
        told = _and([_attainment(targets[place], around) for place, around in open_.items()])
        return f"Meets or misses the SLO, {replications(summary)} replications cannot tell: {told}{lost}."
    if targets:
        return f"Meets the SLO: {_and([_attainment(target) for target in summary['slo']])}{lost}."
    # An answer that comes whole has no first token of its own.
    ttft, e2e = summary["latency"]["ttft_s"], summary["latency"]["e2e_s"]
    if e2e["mean"] is None:
        return f"None of {words.plural(summary['requests']['arrived'], 'request')} was completed{lost}."
    metric, told = ("answered", e2e) if ttft == e2e else ("given their first token", ttft)
    tail = "" if told["p99"] is None else f", 99% within {words.duration(told['p99'])}"
    if told["p50"] is None:
        return f"Requests are {metric} within {words.duration(told['mean'])} on average{tail}{lost}."
    return f"Half of the requests are {metric} within {words.duration(told['p50'])}{tail}{lost}."


def replications(summary: dict[str, Any]) -> int:
    """How many runs a summary tells of together."""
    return int(summary.get("replications", {}).get("number", 1))


def undecided(summary: dict[str, Any], place: int) -> tuple[float, float] | None:
    """The interval of what an objective attains, as far as a share can be, where its target lies inside; else None."""
    around = summary.get("intervals", {}).get(f"slo.{place}.attained")
    if around is None or not around[0] < summary["slo"][place]["share"] <= around[1]:
        return None
    return max(around[0], 0.0), min(around[1], 1.0)


def recovery_sentence(summary: dict[str, Any]) -> str:
    """Whether the service comes back after its worst burst and how soon; nothing without bursts, or if not known."""
    found = summary["recovery"]
    if found is None:
        return ""
    number = replications(summary)
    stays = found.get("metastable_replications", number if found["metastable"] else 0)
    if not found["metastable"]:  # the first replication does not stay down; others may
        said = f"In {stays} of {number} replications the service does not come back after its burst"
        return f"{said} (a metastable failure)." if stays else _back(summary, found)
    in_time = found["goodput_after_share"]
    answered = f"{words.share(in_time)} of requests are answered" if in_time else "no request is answered"
    said = (
        f"After the burst at {words.duration(found['burst']['from_s'])} the service does not come back: {answered} "
        f"in time, though the load is {words.share(found['load_after_share'])} of what it carried before"
    )
    if found["attempts_after"] >= LEAST_AMPLIFICATION:
        said += f"; clients send each request {words.count(found['attempts_after'])} times"
    often = "" if stays == number else f", in {stays} of {number} replications"
    return f"{said} (a metastable failure{often})."


def _back(summary: dict[str, Any], found: dict[str, Any]) -> str:
    """That the service is as it was before a burst, and how long after its end; nothing where that is not known.

    Of clients that do not try again nobody asks: what a burst leaves of theirs is a queue that is worked off.
    """
    after_s, times = found.get("recovered_after_s"), summary["attempts"]["amplification"]
    if found.get("state") != RECOVERED or after_s is None or times is None or times <= 1:
        return ""
    burst = f"the burst at {words.duration(found['burst']['from_s'])}"
    alone = replications(summary) == 1
    # without an interval some replications have no such time, and what stands there is that of the first
    of_all = "recovery.recovered_after_s" in summary.get("intervals", {})
    first = "" if alone or of_all else "In the first replication "
    if after_s == 0:
        said = f"{burst} leaves nothing behind: as soon as it ends, requests are answered in time as before"
    else:
        often = "" if alone or not of_all else " on average"
        said = f"the service recovers from {burst}: it is back to normal {words.duration(after_s)} after its end{often}"
    return f"{first}{said}." if first else f"{said[0].upper()}{said[1:]}."


def sending_sentence(summary: dict[str, Any]) -> str:
    """How often each request was sent, where clients try again often enough to load the fleet; else nothing."""
    attempts = summary["attempts"]
    times = attempts["amplification"]
    if times is None or times < LEAST_AMPLIFICATION:
        return ""
    copies = ""
    if attempts["hedges"]:
        copies = f"; {words.share(attempts['hedges'] / attempts['sent'])} of what was sent were copies, to be sooner"
    return f"Each request was sent {times:.2g} times on average{copies}."


def fleet_sentence(summary: dict[str, Any]) -> str:
    """How many replicas, how busy, for how much."""
    replicas, cost = summary["replicas"], summary["cost"]
    if replicas["min"] == replicas["max"]:
        fleet = words.plural(replicas["max"], "replica")
    else:
        fleet = f"{words.count(replicas['mean'])} replicas on average ({replicas['min']} to {replicas['max']})"
    one = replicas["min"] == replicas["max"] == 1
    busy = summary["utilization"]["busy_share"]
    said = f"{fleet} {'is' if one else 'are'} busy {words.share(busy)} of the time"
    if busy is None:
        said = f"{fleet} {'was' if one else 'were'} ready"
    if cost["usd_per_day"] is not None:
        said += f" and {'costs' if one else 'cost'} {words.usd(cost['usd_per_day'])} a day"
        if cost["usd_per_request"] is not None:
            said += f", {words.usd(cost['usd_per_request'])} a request"
    return said[0].upper() + said[1:] + _slowness(summary) + "."


def _slowness(summary: dict[str, Any]) -> str:
    """What slow and missing answers cost beside the fleet, where they have a price; else nothing."""
    found = summary.get("slowness")
    if found is None or found["usd_per_day"] is None:
        return ""
    return f"; slow and lost answers cost {words.usd(found['usd_per_day'])} a day"


def commitment_sentence(summary: dict[str, Any]) -> str:
    """The contract that loses most against paying the list price, if one does; else nothing."""
    contracts = (summary.get("commitments") or {}).get("contracts", {})
    losing = {
        name: told
        for name, told in contracts.items()
        if told["saved_usd"] is not None and -told["saved_usd"] > LEAST_LOSS_SHARE * told["usd"]
    }
    if not losing:
        return ""
    name, told = min(losing.items(), key=lambda item: item[1]["saved_usd"])
    beyond = f"{words.usd(-told['saved_usd'])} more than on demand"
    used, needed = told["used_share"], told["break_even_share"]
    if not used:
        said = f"Nothing of contract '{name}' is used: it costs {words.usd(told['usd'])} for nothing"
    elif needed is None or needed > 1:
        said = f"Contract '{name}' costs {beyond}, and would do so if all of it were used"
    else:
        what = "its hours" if told["gpus"] else "what it commits to"
        at = f"{words.share_beside(used, needed)} of {what} and needs {words.share(needed)}"
        said = f"Contract '{name}' is used for {at}: it costs {beyond}"
    others = len(losing) - 1
    also = f"; {words.plural(others, 'other contract')} lose{'s' if others == 1 else ''} too" if others else ""
    return f"{said}{also}."


def ledger_sentence(summary: dict[str, Any]) -> str:
    """Where the paid GPU-hours went, most first; nothing of a fleet that does not change, nor works in vain."""
    if not worth_telling(summary):
        return ""
    shares = sorted(waste(summary).items(), key=lambda entry: (entry[0] != "useful", -entry[1]))
    parts = [f"{words.share(part)} {name.replace('_', ' ')}" for name, part in shares if part >= LEAST_SHARE]
    paid = math.fsum(summary["ledger"]["gpu_hours"].values())  # those of commitments that nobody used included
    return f"Of {words.count(paid)} GPU-hours paid: {', '.join(parts)}."


def regret_sentence(summary: dict[str, Any]) -> str:
    """What the autoscaler costs beyond one that knows the future, where that was asked for; else nothing."""
    found = summary.get("regret")
    if found is None:
        return ""
    paid, least, floor = (_money(found, name) for name in ("policy", "clairvoyant", "floor"))
    keeps = "keeps this service" if found["matched"] else "does not keep this service, even"
    beyond = ""
    if found["regret_share"] is not None:
        side = "more" if found["regret_share"] >= 0 else "less"
        beyond = f", {words.share(abs(found['regret_share']))} {side}"
        if found["regret_share"] < 0 and found["leanest"]:
            beyond += " by serving worse"
    first = "An" if replications(summary) == 1 else "In the first replication an"
    return (
        f"{first} autoscaler that knows the future {keeps} for {least}; this one costs {paid}{beyond}. "
        f"Replicas that are full all the time would cost {floor}."
    )


def _money(found: dict[str, Any], whose: str) -> str:
    usd = found[f"{whose}_usd"]
    return f"{words.count(found[f'{whose}_gpu_hours'])} GPU-hours" if usd is None else words.usd(usd)


def peak_sentence(summary: dict[str, Any], timeline: Columns) -> str:
    """What happens when most requests wait, if the queue grows to more than a passing crowd; else nothing."""
    waiting, replicas = timeline["waiting"], timeline["replicas"]
    if not np.isfinite(waiting).any():
        return ""
    peak = int(np.nanargmax(waiting))
    if not runs_away(waiting, replicas):
        return ""
    crowd = words.plural(round(waiting[peak]), "request")
    tail = _worst_tail(timeline, peak)
    until = f", and those who come then get their first token after up to {words.duration(tail)} (p99)" if tail else ""
    where = "" if replications(summary) == 1 else "In the first replication "
    if waiting[-1] > 0.95 * waiting[peak]:
        return f"{where + 'the' if where else 'The'} queue is still growing at the end, with {crowd} waiting{until}."
    at = words.duration(timeline["start_s"][peak])
    if where:
        return f"{where}{crowd} wait at the worst, {at} into the run{until}."
    return f"At the worst, {at} into the run, {crowd} wait{until}."


def runs_away(waiting: NDArray[np.float64], replicas: NDArray[np.float64]) -> bool:
    """Whether the longest queue is worth a word: ten requests, one a replica, and far above the usual."""
    if not np.isfinite(waiting).any():
        return False
    peak = int(np.nanargmax(waiting))
    usual = float(np.nanmedian(waiting))
    fleet = replicas[peak] if np.isfinite(replicas[peak]) else 0.0
    return bool(waiting[peak] >= max(10.0, fleet) and (waiting[peak] > 3 * usual or _still_growing(waiting)))


def _still_growing(waiting: NDArray[np.float64]) -> bool:
    """Whether the last bin is the fullest, near enough, and well above the middle of the run: a steady overload."""
    return bool(waiting[-1] > 0.95 * np.nanmax(waiting) and waiting[-1] > 1.5 * np.nanmedian(waiting))


def _worst_tail(timeline: Columns, peak: int) -> float | None:
    near = timeline["ttft_s_p99"][max(0, peak - 1) : peak + 2]
    return float(np.nanmax(near)) if np.isfinite(near).any() else None


def _attainment(target: dict[str, Any], around: tuple[float, float] | None = None) -> str:
    """What an objective attains; `around`: its interval, where that has both sides of the target in it."""
    attained = words.share_beside(target["attained"], target["share"])
    if around is not None:
        attained = words.between(*around, lambda share: words.share_beside(share, target["share"]))
    limit, aim = words.duration(target["under_s"]), f"(target {words.percent(target['share'])})"
    if around is None and target["attained"] == 0:
        return f"no {whose(target, 'request')} {NONE_KEPT[target['metric']].format(limit)} {aim}"
    if target["met"] is False and around is None:
        attained = f"fewer than {attained[1:]}" if attained.startswith("<") else f"only {attained}"
    return f"{attained} of {whose(target)} {PROMISES[target['metric']].format(limit)} {aim}"


def whose(target: dict[str, Any], requests: str = "requests") -> str:
    """The requests that an objective is about: `requests`, `paid requests`, `paid requests of acme`."""
    name, tenant = target.get("class"), target.get("tenant")
    requests = requests if name is None else f"{name} {requests}"
    return requests if tenant is None else f"{requests} of {tenant}"


def _losses(requests: dict[str, int]) -> str:
    """Requests that were not served, in words; empty when all were."""
    names = {"rejected": "rejected", "abandoned": "given up", "timed_out": "timed out", "failed": "failed"}
    names["unfinished"] = "unfinished"
    lost = [
        f"{words.share(requests[outcome] / requests['arrived'])} {text}"
        for outcome, text in names.items()
        if requests[outcome]
    ]
    return f"; of all requests {_and(lost)}" if lost else ""


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
