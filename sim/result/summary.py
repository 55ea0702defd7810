"""The summary of a run: one document of plain numbers under fixed keys. None, never NaN, where there is no data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import COMPLETED, OUTCOMES
from sim.result.cost import cost, spent_usd
from sim.result.fleet import integrals_at, ratio, replicas, utilization
from sim.result.latency import latency_and_slo
from sim.result.laws import law_block
from sim.result.ledger import ledger
from sim.result.lives import lives_block
from sim.result.occupancy import occupancy
from sim.result.provenance import version
from sim.result.recovery import recovery_block
from sim.result.transfer import transfer_block
from sim.result.window import Window, measured_window

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.scenario import Scenario

SCHEMA_VERSION = 1
# The order in which outcomes are shown: what went well first.
OUTCOME_ORDER = ("completed", "rejected", "abandoned", "timed_out", "failed", "unfinished")


def summarize(scenario: Scenario, log: RunLog) -> dict[str, Any]:
    """Every number of a run, by the keys that other tools rely on (units are in the keys).

    Latency and outcomes are those of the requests that arrive in [warmup, horizon), followed to their end; averages,
    utilization, replicas and cost those of the time in [warmup, horizon).
    """
    window = measured_window(scenario, log)
    names = list(log.pools)
    groups: list[int | None] = [None, *range(len(names))] if len(names) > 1 else [None]
    latency = latency_and_slo(log.requests, window, scenario.slo, groups)
    blocks = {group: _blocks(scenario, log, window, group, *latency[group]) for group in groups}
    # One pool is the whole fleet: the same numbers, computed once.
    shown = {name: blocks[place if len(names) > 1 else None] for place, name in enumerate(names)}
    rows = log.requests[window.rows]
    pools = {
        name: {
            **block,
            "law": law_block(scenario.pools[name], block),
            "kv_transfer": transfer_block(
                scenario.pools[name], place, rows, window.length_s, block["replicas"]["mean"]
            ),
        }
        for place, (name, block) in enumerate(shown.items())
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "name": scenario.name,
        "seed": scenario.seed,
        "calendar": log.calendar,
        "simulated_s": float(log.end_s),
        "measured_s": window.length_s,
        **blocks[None],
        "recovery": recovery_block(scenario, log),
        "pools": pools,
        "run": _run(scenario, log),
    }


def _blocks(
    scenario: Scenario,
    log: RunLog,
    window: Window,
    group: int | None,
    latency: dict[str, Any],
    slo: list[dict[str, Any]],
) -> dict[str, Any]:
    """The blocks of one pool (its index) or of the whole fleet (None)."""
    pools = {place: scenario.pools[name] for place, name in enumerate(log.pools) if group in (None, place)}
    rows = log.requests[window.rows]
    mask = None if group is None else rows["pool"] == group
    outcomes = _outcomes(rows, mask)
    served = rows["outcome"] == COMPLETED
    if mask is not None:
        served &= mask
    prompt_tokens, output_tokens = (_total(rows[name], served) for name in ("prompt_tokens", "output_tokens"))
    ends_s = np.array((window.start_s, window.end_s))
    there = occupancy(log.requests, ends_s, group)
    usd = spent_usd(log.spans, pools, ends_s)
    total_usd = None if usd is None else float(usd[1] - usd[0])
    waiting, running = (ratio(part[0], window.length_s) for part in (there.waiting_s, there.running_s))
    return {
        "requests": outcomes,
        "latency": latency,
        "time_average": {
            "in_system": None if waiting is None or running is None else waiting + running,
            "waiting": waiting,
            "running": running,
        },
        "throughput": {
            "requests_per_s": ratio(outcomes["completed"], window.length_s),
            "prompt_tokens_per_s": ratio(prompt_tokens, window.length_s),
            "output_tokens_per_s": ratio(output_tokens, window.length_s),
        },
        "prefix_cache": {"hit_share": ratio(_total(rows["cached_tokens"], served), prompt_tokens)},
        "slo": slo,
        "utilization": utilization(integrals_at(log.samples, ends_s, list(pools))),
        "replicas": replicas(log, pools, window.start_s, window.end_s),
        "cost": cost(total_usd, window.length_s, outcomes["completed"], output_tokens),
        "ledger": ledger(log, pools, window),
        "lives": lives_block(log, window, group),
        "faults": _faults(rows, mask),
    }


def _outcomes(rows: NDArray[np.void], mask: NDArray[np.bool_] | None) -> dict[str, int]:
    outcome = rows["outcome"] if mask is None else rows["outcome"][mask]
    counts = np.bincount(outcome, minlength=len(OUTCOMES)).tolist()
    return {"arrived": len(outcome), **{name: counts[OUTCOMES.index(name)] for name in OUTCOME_ORDER}}


def _faults(rows: NDArray[np.void], mask: NDArray[np.bool_] | None) -> dict[str, int]:
    """Requests that lost a replica under them: those that were then served again, and all of them."""
    lost = rows["lost"] > 0 if mask is None else (rows["lost"] > 0) & mask
    return {"retried": int((lost & (rows["outcome"] == COMPLETED)).sum()), "lost": int(lost.sum())}


def _total(tokens: NDArray[np.int32], served: NDArray[np.bool_]) -> int:
    return int(np.sum(tokens, where=served, dtype=np.int64))


def _run(scenario: Scenario, log: RunLog) -> dict[str, Any]:
    """How the run went: the only block that differs from one run of a scenario to the next."""
    return {
        "wall_s": log.wall_s,
        "engine_s": log.engine_s,
        "requests_per_engine_s": ratio(len(log.requests), log.engine_s),
        "events": log.events,
        "version": version(),
        "config_sha256": scenario.digest,
    }
