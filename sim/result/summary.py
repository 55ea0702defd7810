"""The summary of a run: one document of plain numbers under fixed keys. None, never NaN, where there is no data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import OUTCOMES
from sim.result.attempts import OUTCOME_ORDER, attempts_block, attempts_of
from sim.result.error_budget import error_budget_block
from sim.result.fleet import integrals_at, ratio, replicas, utilization
from sim.result.groups import EVERYBODY, Group
from sim.result.latency import Served, latency_and_slo
from sim.result.laws import law_block, price_block
from sim.result.lives import lives_block
from sim.result.money.allocation import Allocation, allocate
from sim.result.money.bill import Bill, bill_of
from sim.result.money.commitments import commitments_block
from sim.result.money.cost import cost
from sim.result.money.earned import Earned, earned, usd_of
from sim.result.money.economics import economics_block, margin
from sim.result.money.invoice import energy_block, invoice_block
from sim.result.money.ledger import ledger
from sim.result.money.slowness import slowness_block
from sim.result.occupancy import occupancy_of
from sim.result.parties import Party, fairness, parties
from sim.result.provenance import version
from sim.result.recovery import recovery_block
from sim.result.transfer import handed_over, transfer_block
from sim.result.window import Window, measured_window

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.scenario import Scenario

SCHEMA_VERSION = 1


def summarize(scenario: Scenario, log: RunLog, run: bool = True) -> dict[str, Any]:
    """Every number of a run, by the keys that other tools rely on (units are in the keys).

    Latency and outcomes are those of the requests that arrive in [warmup, horizon), followed to their end, whatever
    number of attempts that takes; averages, utilization, replicas and cost those of the time in [warmup, horizon).
    `run`: with the block of that name, whose digest takes as long as half of the rest.
    """
    window = measured_window(scenario, log)
    names = list(log.pools)
    groups: dict[Any, Group] = {None: EVERYBODY}
    if len(names) > 1:
        groups |= {place: Group(pool=place) for place in range(len(names))}
    fleets = list(groups)
    bill = bill_of(scenario, log)
    whose = parties(log)
    groups |= whose
    served = latency_and_slo(log, window, scenario.slo, groups)
    sent = attempts_of(log, window)
    asked = {key: _asked(log, window, key, group, served, sent) for key, group in groups.items()}
    blocks = {key: _blocks(scenario, log, window, key, asked[key], bill) for key in fleets}
    # One pool is the whole fleet: the same numbers, computed once.
    shown = {name: blocks[place if len(names) > 1 else None] for place, name in enumerate(names)}
    whole = allocate(log, window, sent, list(shown.values()), blocks[None]["cost"]["total_usd"])
    for key in fleets:
        blocks[key]["cost"] |= _by_token(whole, key, blocks[key], asked[key])
    found = earned(scenario, log, window)
    handed = handed_over(log, window)
    pools = {
        name: {
            **block,
            "law": law_block(scenario.pools[name], block),
            "price": price_block(scenario.pools[name]),
            "kv_transfer": transfer_block(
                scenario.pools[name], handed[place], window.length_s, block["replicas"]["mean"]
            ),
        }
        for place, (name, block) in enumerate(shown.items())
    }
    measured, invoice = {"measured_s": window.length_s, **blocks[None]}, invoice_block(bill)
    return {
        "schema_version": SCHEMA_VERSION,
        "name": scenario.name,
        "seed": scenario.seed,
        "calendar": log.calendar,
        "simulated_s": float(log.end_s),
        **measured,
        **slowness_block(scenario, log, window, blocks[None]["cost"]),
        **_economics(scenario, found, measured | {"invoice": invoice}, asked[None]["output_tokens"]),
        "recovery": recovery_block(scenario, log),
        "error_budget": error_budget_block(scenario, log),
        "invoice": invoice,
        "commitments": commitments_block(scenario, bill),
        "energy": energy_block(bill),
        "pools": pools,
        **_parties(log, asked, whose, whole, found),
        **({"run": _run(scenario, log)} if run else {}),
    }


def _asked(
    log: RunLog, window: Window, key: Any, group: Group, served: Served, sent: NDArray[np.bool_] | None
) -> dict[str, Any]:
    """The blocks that tell of a group's requests alone."""
    found = served.cells.of(group)
    counts = {"arrived": found.arrived, **{name: found.outcomes[OUTCOMES.index(name)] for name in OUTCOME_ORDER}}
    return {
        "requests": counts,
        "latency": served.latency[key],
        "throughput": {
            "requests_per_s": ratio(counts["completed"], window.length_s),
            "prompt_tokens_per_s": ratio(found.prompt_tokens, window.length_s),
            "output_tokens_per_s": ratio(found.output_tokens, window.length_s),
            "goodput_per_s": ratio(found.good, window.length_s),
        },
        "prefix_cache": {"hit_share": ratio(found.cached_tokens, found.prompt_tokens)},
        "slo": served.slo[key],
        "attempts": attempts_block(log, group, sent, counts),
        "faults": {"retried": found.retried, "lost": found.lost},
        "prompt_tokens": found.prompt_tokens,
        "output_tokens": found.output_tokens,
        "good_share": ratio(found.good, counts["arrived"]),
    }


def _blocks(
    scenario: Scenario, log: RunLog, window: Window, group: int | None, asked: dict[str, Any], bill: Bill
) -> dict[str, Any]:
    """The blocks of one pool (its index) or of the whole fleet (None)."""
    pools = {place: scenario.pools[name] for place, name in enumerate(log.pools) if group in (None, place)}
    ends_s = np.array((window.start_s, window.end_s))
    there = occupancy_of(log, ends_s, group)
    usd = bill.spent_usd([log.pools[place] for place in pools], ends_s)
    total_usd = None if usd is None else float(usd[1] - usd[0])
    waiting, running = (ratio(part[0], window.length_s) for part in (there.waiting_s, there.running_s))
    return {
        "requests": asked["requests"],
        "latency": asked["latency"],
        "time_average": {
            "in_system": None if waiting is None or running is None else waiting + running,
            "waiting": waiting,
            "running": running,
        },
        "throughput": asked["throughput"],
        "prefix_cache": asked["prefix_cache"],
        "slo": asked["slo"],
        "attempts": asked["attempts"],
        "utilization": utilization(integrals_at(log.samples, ends_s, list(pools))),
        "replicas": replicas(log, pools, window.start_s, window.end_s),
        "cost": cost(total_usd, window.length_s, asked["requests"]["completed"], asked["output_tokens"]),
        "ledger": ledger(log, pools, window, bill),
        "lives": lives_block(log, window, group),
        "faults": asked["faults"],
    }


def _by_token(whole: Allocation, key: int | None, block: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """What prompts and answers of a pool (its index) or of the whole fleet (None) cost, and answers on the margin."""
    share = whole.of(EVERYBODY) if key is None else whole.of_pool(key, block["cost"]["total_usd"])
    useful_usd = block["ledger"]["usd"]["useful"]
    return {
        **share.by_token(asked["prompt_tokens"], asked["output_tokens"]),
        "marginal_usd_per_million_output_tokens": (
            None if useful_usd is None else ratio(useful_usd * 1e6, asked["output_tokens"])
        ),
    }


def _economics(scenario: Scenario, found: list[Earned], measured: dict[str, Any], output_tokens: int) -> dict[str, Any]:
    """The block `economics`, where the scenario says what is earned."""
    return {"economics": economics_block(found, measured, output_tokens, scenario.contracts)} if found else {}


def _parties(
    log: RunLog, asked: dict[Any, dict[str, Any]], whose: dict[Party, Group], whole: Allocation, earnings: list[Earned]
) -> dict[str, dict[str, Any] | float | None]:
    """The blocks `classes` and `tenants`, where there are any, and how evenly tenants were served."""
    found: dict[str, Any] = {"classes": {}, "tenants": {}}
    for (kind, name), group in whose.items():
        block, share = asked[kind, name], whole.of(group)
        found[kind][name] = {
            **{part: block[part] for part in ("requests", "latency", "slo", "throughput", "attempts")},
            "cost_share": share.share,
            "cost": share.cost(block["requests"]["completed"], block["prompt_tokens"], block["output_tokens"]),
            **(margin(usd_of(earnings, group), share.total_usd) if earnings else {}),
        }
    told: dict[str, dict[str, Any] | float | None] = {kind: blocks for kind, blocks in found.items() if blocks}
    if log.tenants:
        told["tenants_fairness"] = fairness([asked["tenants", name]["good_share"] for name in log.tenants])
    return told


def _run(scenario: Scenario, log: RunLog) -> dict[str, Any]:
    """How the run went: the only block that differs from one run of a scenario to the next."""
    return {
        "wall_s": log.wall_s,
        "engine_s": log.engine_s,
        "requests_per_engine_s": ratio(log.count, log.engine_s),
        "quantiles": "exact" if log.tally is None else "histogram",
        "events": log.events,
        "version": version(),
        "config_sha256": scenario.digest,
    }
