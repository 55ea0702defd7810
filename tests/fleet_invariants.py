"""What holds of the fleet in every run: the lives of replicas, what is paid for them, and where it went.

Part of `tests.invariants`; computed again from spans and samples, by other means than the code that it checks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sim import Scenario
from sim.result import RunLog
from sim.result.log import STILL
from sim.result.money.billing import terms
from sim.scenario import Pool
from tests.bill_invariants import billed_usd

TINY = 1e-9
"""Relative: sums over millions of rows against integrals kept by the engine."""

SMALL = 1e-7
"""The same for time averages of the summary, which adds up terms as long as the run in one bin."""


def cost(scenario: Scenario, log: RunLog, told: dict[str, Any]) -> None:
    """I7: every paid second of every replica, at its price; and where it went, to the second."""
    start_s, end_s = scenario.warmup_s, float(log.edges_s[-1])
    pools = list(scenario.pools.values())
    gpu_hours, hours = 0.0, 0.0
    for span in log.spans.tolist():
        life = dict(zip(log.spans.dtype.names, span, strict=True))
        term = terms(pools[life["pool"]])[life["make"]]
        until_s = life["gone_s"]
        if max(until_s, life["launched_s"]) < math.inf:
            paid_s = max(until_s - life["launched_s"], term.minimum_s)
            granule_s = term.granularity_s
            until_s = life["launched_s"] + (math.ceil(paid_s / granule_s - 1e-9) * granule_s if granule_s else paid_s)
        hour = max(min(until_s, end_s) - max(life["launched_s"], start_s), 0) / 3600
        hours += hour
        gpu_hours += hour * term.gpus_per_replica
    assert close(told["replicas"]["replica_hours"], hours)
    assert close(told["replicas"]["gpu_hours"], gpu_hours)
    is_priced = all(term.priced for pool in pools for term in terms(pool))
    assert (told["cost"]["total_usd"] is not None) == is_priced or scenario.contracts, "a total without a price"
    if is_priced or told["cost"]["total_usd"] is not None:  # what has no price may be covered by contracts, all of it
        usd = billed_usd(scenario, log)
        assert close(told["cost"]["total_usd"], sum(usd.values()))
        for name, block in told["pools"].items():
            assert close(block["cost"]["total_usd"], usd[name]), name
        assert close(sum(line["usd"] for line in told["invoice"]), sum(usd.values()))
    for block in (told, *told["pools"].values()):
        ledger(block)
    for name, hours in told["ledger"]["gpu_hours"].items():
        assert close(hours, sum(block["ledger"]["gpu_hours"][name] for block in told["pools"].values())), name
    for row, (name, pool) in enumerate(scenario.pools.items()):
        entries(log, row, pool, told["pools"][name], start_s, end_s)


def ledger(block: dict[str, Any]) -> None:
    """The entries of the ledger are parts: none is negative, and together they are all that was paid."""
    entries = block["ledger"]
    gpu_hours = block["replicas"]["gpu_hours"] + entries["gpu_hours"]["unused"]
    for unit, whole in (("gpu_hours", gpu_hours), ("usd", block["cost"]["total_usd"])):
        parts = list(entries[unit].values())
        if whole is None:
            assert set(parts) == {None}
            continue
        assert min(parts) >= -TINY * abs(whole), f"{unit} of the ledger: {entries[unit]}"
        assert close(sum(parts), whole), f"{unit} of the ledger add up to {sum(parts)}, paid are {whole}"


def entries(log: RunLog, row: int, pool: Pool, told: dict[str, Any], start_s: float, end_s: float) -> None:
    """The entries of one pool's ledger that lives and samples tell by themselves."""
    if len(terms(pool)) > 1:
        return  # the pool's time at work is told by makes, in proportion
    gpus = terms(pool)[0].gpus_per_replica
    hours = {name: 3600 * part / gpus for name, part in told["ledger"]["gpu_hours"].items()}
    rows = log.samples[log.samples["pool"] == row]
    busy_s = float(np.diff(np.interp((start_s, end_s), rows["at_s"], rows["busy_s"]))[0])
    error_s = SMALL * (1 + busy_s)
    law = log.work[row]
    if law.s_per_service_s > 0:  # slots: the work is what the seats that were taken are of a replica
        running_s = float(np.diff(np.interp((start_s, end_s), rows["at_s"], rows["running_s"]))[0])
        work_s, told_s = running_s * law.s_per_service_s, hours["useful"] + hours["wasted"]
        assert told_s <= work_s + error_s, "useful, and not at work"
        assert work_s <= told_s + hours["drain"] + error_s, "at work, and not useful"
    assert log.calls is not None or hours["wasted"] == 0, "wasted, and nobody gave up"
    floor_s = pool.autoscaler.floor_replicas * (end_s - start_s)
    assert hours["floor"] <= floor_s + error_s, "the floor keeps more than its replicas"
    spans = log.spans[log.spans["pool"] == row]
    ready_s = np.minimum(np.minimum(spans["ready_s"], spans["gone_s"]), end_s)
    starting_s = np.maximum(ready_s - np.maximum(spans["launched_s"], start_s), 0).sum()
    assert hours["cold_start"] <= starting_s + error_s
    assert starting_s <= hours["cold_start"] + hours["failed"] + error_s, "starting, and paid as something else"


def lives(log: RunLog) -> None:
    """Stages of a life come in their order; one row is one replica at a time; who has ended has a reason."""
    spans = log.spans
    assert (np.diff(spans["pool"]) >= 0).all(), "spans are not in the order of the pools"
    assert (spans["replica"] < np.array(log.rooms)[spans["pool"]]).all(), "a replica beyond the room of its pool"
    gone, told = np.isfinite(spans["gone_s"]), spans["why"] != STILL
    assert not (gone & ~told).any(), "gone without a reason"
    assert not (told & ~gone & np.isinf(spans["draining_s"])).any(), (
        "a reason to be gone, and neither gone nor draining"
    )
    stages = ("ordered_s", "launched_s", "image_s", "weights_s", "engine_s", "ready_s", "draining_s")
    latest_s = spans["ordered_s"]
    for name in stages[1:]:
        reached = np.isfinite(spans[name])
        assert (spans[name] >= latest_s)[reached].all(), f"{name} before an earlier stage"
        assert (spans[name] <= spans["gone_s"])[reached].all(), f"{name} after the replica was gone"
        latest_s = np.where(reached, spans[name], latest_s)
    order = np.lexsort((spans["ordered_s"], spans["replica"], spans["pool"]))
    row = spans[order]
    same = (np.diff(row["pool"]) == 0) & (np.diff(row["replica"]) == 0)
    assert (row["gone_s"][:-1] <= row["ordered_s"][1:])[same].all(), "two lives in one row at once"
    life = spans[log.down["span"]]
    inside = (log.down["from_s"] >= life["ready_s"]) & (log.down["from_s"] <= log.down["to_s"])
    assert inside.all(), "down before it was ready, or up before it was down"
    assert (log.down["to_s"] <= life["gone_s"])[np.isfinite(log.down["to_s"])].all(), "repaired after it was gone"

    lost = log.requests["lost"]  # counts to 255
    told = spans["lost"].sum()
    same = told >= lost.sum() if (lost == 255).any() else told == lost.sum()
    assert same, "requests lost on replicas are not those that lost one"


def decided(log: RunLog) -> None:
    """What decisions say of the pool agrees with the sampler: integrals that never fall, and the same at one time."""
    for place, pool in enumerate(log.pools):
        rows = [row for row in log.decisions if row.pool == pool]
        seen = log.samples[log.samples["pool"] == place]
        at_s = np.array([row.at_s for row in rows])
        assert (np.diff(at_s) >= 0).all(), "decisions out of order"
        for name in ("ready_s", "running_s"):
            integral = np.array([getattr(row, name) for row in rows])
            inside = at_s <= seen["at_s"][-1]
            low = seen[name][np.maximum(np.searchsorted(seen["at_s"], at_s[inside], side="right") - 1, 0)]
            high = seen[name][np.searchsorted(seen["at_s"], at_s[inside])]
            error = TINY * (1 + high)
            assert (integral[inside] >= low - error).all(), f"{name} at a decision is less than at the sample before"
            assert (integral[inside] <= high + error).all(), f"{name} at a decision is more than at the sample after"


def close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=TINY, abs_tol=TINY)
