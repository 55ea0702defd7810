"""Theory in words: the line below a run's tables, and the sentences of a check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sim.result.twin.block import contradictions
from sim.result.twin.fleet import Twin
from sim.result.twin.told import PoolTwin, Told
from sim.result.words import count, duration, plural, ratio
from sim.theory.fluid import Backlog

_SHOWN = {
    "utilization.busy_share": ("busy", ratio),
    "utilization.batch_share": ("batch", ratio),
    "latency.queue_wait_s.mean": ("mean wait", duration),
    "latency.ttft_s.mean": ("mean TTFT", duration),
    "latency.tpot_s.mean": ("mean TPOT", duration),
    "latency.queue_wait_s.p99": ("p99 wait", duration),
    "timeline.waiting.max": ("longest queue", count),
}
"""What a run shows of it, in this order."""
_EACH = 5
"""Figures in the line of a run, at most."""


def theory_sentence(summary: Mapping[str, Any]) -> str | None:
    """`theory: busy 80% (simulated 79.8%), ...`; None where theory gives none of the usual figures."""
    found = {each["path"]: each for each in summary.get("theory", ()) if each["simulated"] is not None}
    parts, bounds = [], {"lower bound": "at least ", "upper bound": "at most "}
    for path, (name, said) in _SHOWN.items():
        each = found.get(path)
        if each is None or (path == "utilization.batch_share" and "utilization.busy_share" in found):
            continue
        about = bounds.get(each["kind"], "about " if each["kind"] == "approximation" else "")
        parts.append(f"{name} {about}{said(each['theory'])} (simulated {said(each['simulated'])})")
    return f"theory: {', '.join(parts[:_EACH])}" if parts else None


def theory_notes(summary: Mapping[str, Any]) -> list[str]:
    """Where several runs contradict what is exact."""
    found = contradictions(summary)
    if not found:
        return []
    each = found[0]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return [
        f"theory ({each['method']}) gives {each['path']} = {each['theory']:.4g} exactly, and the interval of these "
        f"runs is far from it ({each['simulated']:.4g}){more}: they may be too short, or start too empty, for a steady "
        "state; if not, this is a bug of ours, please report it"
    ]


def check_sentences(found: Twin) -> Iterator[str]:
    """What a check says, pool by pool: whether it carries what comes, and with how many replicas it would."""
    for pool in found.pools.values():
        yield f"{pool.name}: {_carries(pool)}"
        if pool.backlog is not None:
            yield f"  {_queue(pool.backlog)}"
        if pool.least_replicas is not None:
            more = pool.least_replicas > pool.replicas
            yield (
                f"  smallest fleet by theory: {plural(pool.least_replicas, 'replica')}"
                f"{' (it has ' + count(pool.replicas) + ')' if more else ''}, {pool.least_why}"
            )
        elif pool.least_why and not pool.closed:
            yield f"  smallest fleet by theory: {pool.least_why}"


def warnings(found: Twin) -> list[str]:
    """What cannot work, for stderr."""
    return [
        f"pool {pool.name} is overloaded: {_rate(pool.peak_per_s)} come when most do, and it can serve "
        f"{_rate(pool.capacity_per_s)}"
        for pool in found.pools.values()
        if pool.stable is False and pool.capacity_per_s is not None
    ]


def _carries(pool: PoolTwin) -> str:
    """One pool in a sentence."""
    if pool.capacity_per_s is None:
        return "theory cannot say what it carries"
    most = (
        f"{plural(pool.replicas, 'replica')}{' at most' if pool.grows else ''} can serve {_rate(pool.capacity_per_s)}"
    )
    limited = f"{most} ({pool.limited_by})"
    if pool.closed:
        return f"{limited}; its users ask for {_rate(pool.offered_per_s)} at most"
    load, peak = pool.load_share, pool.peak_load_share
    assert load is not None
    assert peak is not None
    varies = pool.peak_per_s > 1.001 * pool.offered_per_s
    come = f"{_rate(pool.offered_per_s)} come, {ratio(load)} of that"
    if varies:
        come += f"; {_rate(pool.peak_per_s)} when most do, {ratio(peak)}"
    verdict = "stable" if pool.stable else "OVERLOADED"
    spare = f"; it could take {1 / peak:.3g} times the traffic" if peak > 0 and pool.stable else ""
    return f"{verdict}: {limited}; {come}{spare}"


def _queue(backlog: Backlog) -> str:
    """How a backlog goes."""
    start_s, off_s = backlog.grows_from_s, backlog.worked_off_s
    told = (
        f"from {duration(start_s)} on the queue grows, to {count(round(backlog.peak))} requests at "
        f"{duration(backlog.peak_at_s)}: a wait of {duration(backlog.longest_wait_s)}"
    )
    if off_s is None:
        return told
    after = " (arrivals have ended by then)" if off_s > float(backlog.at_s[-1]) else ""
    return f"{told}; it is worked off at {duration(off_s)}{after}"


def figure_rows(found: Twin) -> list[tuple[str, str, str, str]]:
    """Path, value, kind and method of every number, as text."""
    return [(each.path, _value(each), each.kind, each.method) for each in found.figures]


def _value(each: Told) -> str:
    last = each.path.rpartition(".")[2]
    if "_s." in each.path:
        return duration(each.value)
    if last.endswith("_share") or last == "attained":
        return ratio(each.value)
    return count(each.value)


def _rate(per_s: float) -> str:
    """`8 requests/s`, `120 requests/h`: the unit in which it is at least 1."""
    for size_s, unit in ((1.0, "s"), (60.0, "min"), (3600.0, "h")):
        if per_s * size_s >= 1:
            return f"{per_s * size_s:,.4g} requests/{unit}"
    return f"{per_s * 86400:.4g} requests/d"
