"""The numbers of a summary as tables of words, for the terminal and for the report alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sim.autoscaling.observation import WAITING
from sim.report.tables.assertions import assertion_table
from sim.report.tables.bill import bill_tables
from sim.report.tables.clients import attempts_table, party_tables
from sim.report.tables.economics import showback_tables
from sim.report.tables.intervals import interval_table, told
from sim.report.tables.slowness import slowness_table
from sim.report.tables.table import Table
from sim.result import words
from sim.result.attempts import OUTCOME_ORDER
from sim.result.money.ledger import ENTRIES, changes, waste, worth_telling
from sim.result.verdict import replications, undecided, whose

if TYPE_CHECKING:
    from sim.scenario import Scenario

METRIC_NAMES = {
    "queue_wait": "queue wait",
    "ttft": "first token (TTFT)",
    "tpot": "per output token (TPOT)",
    "e2e": "whole answer (E2E)",
}
STATISTICS = ("mean", "p50", "p90", "p95", "p99", "max")
LAW_SOURCES = {
    "given": "given",
    "calibrated": "measured runs",
    "operators": "operator times",
    "roofline": "data sheets",
    None: words.MISSING,
}
LEDGER_NAMES = {
    "useful": "useful: what full replicas would have taken",
    "wasted": "wasted: work for attempts that came to nothing",
    "cold_start": "cold start: not ready yet",
    "headroom": "headroom: spare, wanted for the load",
    "cool_down": "cool-down: spare, kept by a window or a rate",
    "floor": "floor: spare, kept by the minimum",
    "drain": "drain: on their last requests",
    "failed": "failed: down, or taken before ready",
    "rounding": "rounding: billed after they were gone",
    "unused": "unused: paid under a contract, for nobody",
    "egress": "egress: sending the answers",
}
MET = {True: "met", False: "missed", None: words.MISSING}
UNDECIDED = "undecided"
"""Where the interval of what is attained has the target inside."""


def tables(summary: dict[str, Any]) -> list[Table]:
    """The tables of a run that have rows, most asked-for first. A pool gets its own columns when there are several."""
    made = (
        slo_table(summary),
        assertion_table(summary),
        latency_table(summary),
        interval_table(summary),
        slowness_table(summary),
        ledger_table(summary),
        regret_table(summary),
        *bill_tables(summary),
        fleet_table(summary),
        outcome_table(summary),
        attempts_table(summary),
        *party_tables(summary),
        *showback_tables(summary),
    )
    return [table for table in made if table.rows]


def latency_table(block: dict[str, Any]) -> Table:
    rows = []
    for metric, name in METRIC_NAMES.items():
        found = block["latency"][f"{metric}_s"]
        if found["mean"] is not None:
            path = f"latency.{metric}_s"
            rows.append(
                (
                    name,
                    *(told(block, f"{path}.{each}") or words.duration(found[each]) for each in STATISTICS),
                )
            )
    return Table("Latency", ("of completed", *STATISTICS), tuple(rows))


def slo_table(block: dict[str, Any]) -> Table:
    rows = [
        (
            f"{METRIC_NAMES[target['metric']]} ≤ {words.duration(target['under_s'])}{_of_whom(target)}",
            words.percent(target["share"]),
            words.share_beside(target["attained"], target["share"]),
            MET[target["met"]] if undecided(block, place) is None else UNDECIDED,
        )
        for place, target in enumerate(block["slo"])
    ]
    return Table("SLO", ("of all requests that arrived", "target", "attained", ""), tuple(rows))


def _of_whom(target: dict[str, Any]) -> str:
    about = whose(target)
    return "" if about == "requests" else f", {about}"


def outcome_table(summary: dict[str, Any]) -> Table:
    """What became of the requests, for the whole run and for each of several pools."""
    columns = _columns(summary)
    rows = [("arrived", *(words.count(block["requests"]["arrived"]) for block in columns.values()))]
    for outcome in OUTCOME_ORDER:
        if outcome == "completed" or summary["requests"][outcome]:
            rows.append(
                (outcome.replace("_", " "), *(_outcome(block["requests"], outcome) for block in columns.values()))
            )
    return Table("Outcomes", ("requests", *columns), tuple(rows))


def ledger_table(summary: dict[str, Any]) -> Table:
    """Where the paid GPU-hours went, for a fleet that changes or works in vain; one that does neither has no rows."""
    rows = []
    several = len(summary["pools"]) > 1
    columns = _columns(summary)
    shares = {name: waste(block) for name, block in columns.items()}
    for entry in ENTRIES if worth_telling(summary) else ():
        if waste(summary)[entry] == 0 and not summary["ledger"]["usd"][entry]:
            continue
        hours = [
            f"{words.count(block['ledger']['gpu_hours'][entry])} ({words.share(shares[name].get(entry))})"
            for name, block in columns.items()
        ]
        rows.append((LEDGER_NAMES[entry], *hours, words.usd(summary["ledger"]["usd"][entry])))
    heading = (*(columns if several else ("GPU-hours",)), "cost")
    return Table("Ledger", ("of the paid GPU-hours", *heading), tuple(rows))


def regret_table(summary: dict[str, Any]) -> Table:
    """What the autoscalers cost beyond ones that know the future; no rows where that was not asked for."""
    columns = {name: block for name, block in _columns(summary).items() if "regret" in block}
    found = [block["regret"] for block in columns.values()]
    priced = all(one["policy_usd"] is not None for one in found)
    lines: dict[str, Callable[[dict[str, Any]], str]] = {
        "this autoscaler": lambda one: _paid(one, "policy", priced),
        "one that knows the future": lambda one: (
            _paid(one, "clairvoyant", priced) + ("" if one["matched"] else ", serving worse")
        ),
        "regret": lambda one: f"{_regretted(one, priced)} ({_signed(one['regret_share'])})",
        "replicas always full": lambda one: _paid(one, "floor", priced),
    }
    rows = [(name, *(say(one) for one in found)) for name, say in lines.items()] if found else []
    heading = tuple(columns) if len(columns) > 1 else ("cost" if priced else "GPU-hours",)
    when = "measured time" if replications(summary) == 1 else "first replication"
    return Table("Regret", (f"for the {when}", *heading), tuple(rows))


def _paid(one: dict[str, Any], whose: str, priced: bool) -> str:
    return words.usd(one[f"{whose}_usd"]) if priced else words.count(one[f"{whose}_gpu_hours"])


def _regretted(one: dict[str, Any], priced: bool) -> str:
    if not priced:
        return words.count(one["policy_gpu_hours"] - one["clairvoyant_gpu_hours"])
    return ("-" if one["regret_usd"] < 0 else "") + words.usd(abs(one["regret_usd"]))


def _signed(share: float | None) -> str:
    return ("-" if share is not None and share < 0 else "") + words.share(None if share is None else abs(share))


def fleet_table(summary: dict[str, Any]) -> Table:
    """Replicas, how full they are and what they cost, for the whole fleet and for each of several pools."""
    columns = _columns(summary)
    lines: dict[str, Callable[[dict[str, Any]], str]] = {
        "replicas": lambda block: _replicas(block["replicas"]),
        "replicas ordered": lambda block: _happened(block, "ordered"),
        "replicas lost to faults": lambda block: _happened(block, "failed", "zone_outage"),
        "failures repaired in place": lambda block: _happened(block, "repaired"),
        "replicas reclaimed": lambda block: _happened(block, "reclaimed"),
        "order to ready, median": lambda block: words.duration(block["lives"]["boot_s"]["p50"]),
        "order to ready, p99": lambda block: words.duration(block["lives"]["boot_s"]["p99"]),
        "requests that lost a replica": lambda block: words.count(block["faults"]["lost"] or None),
        "busy": lambda block: words.share(block["utilization"]["busy_share"]),
        "batch occupancy": lambda block: words.share(block["utilization"]["batch_share"]),
        "KV memory in use": lambda block: words.share(block["utilization"]["kv_share"]),
        "requests waiting, average": lambda block: words.count(block["time_average"]["waiting"]),
        "requests running, average": lambda block: words.count(block["time_average"]["running"]),
        "requests served": lambda block: _rate(block["throughput"]["requests_per_s"]),
        "output tokens": lambda block: (
            _rate(block["throughput"]["output_tokens_per_s"]) if _counts(block) else words.MISSING
        ),
        "prompt tokens from the prefix cache": lambda block: (
            words.share(block["prefix_cache"]["hit_share"]) if block["prefix_cache"]["hit_share"] else words.MISSING
        ),
        "link busy": lambda block: (
            words.share(block["kv_transfer"]["link_busy_share"]) if block.get("kv_transfer") else words.MISSING
        ),
        "GPU-hours": lambda block: words.count(block["replicas"]["gpu_hours"]),
        "list price a GPU-hour": lambda block: words.usd((block.get("price") or {}).get("on_demand")),
        "cost of the run": lambda block: words.usd(block["cost"]["total_usd"]),
        "cost a day": lambda block: words.usd(block["cost"]["usd_per_day"]),
        "cost a month (30 days)": lambda block: words.usd(block["cost"]["usd_per_month"]),
        "cost a request": lambda block: words.usd(block["cost"]["usd_per_request"]),
        "cost a million output tokens": lambda block: (
            words.usd(block["cost"]["usd_per_million_output_tokens"]) if _counts(block) else words.MISSING
        ),
        "by GPU time, a million prompt tokens": lambda block: _by_token(block, "prompt_usd_per_million_tokens"),
        "by GPU time, a million output tokens": lambda block: _by_token(block, "output_usd_per_million_tokens"),
        "useful time only, a million output tokens": lambda block: _by_token(
            block, "marginal_usd_per_million_output_tokens"
        ),
        "iteration times from": lambda block: LAW_SOURCES[(block.get("law") or {}).get("source")],
    }
    rows = [(name, *(say(block) for block in columns.values())) for name, say in lines.items()]
    said = tuple(row for row in rows if any(value != words.MISSING for value in row[1:]))
    return Table("Fleet and cost", ("", *columns), said)


def pool_notes(scenario: Scenario, summary: dict[str, Any]) -> list[str]:
    """What to know of the pools before believing their numbers."""
    moved = [
        f"Requests of pool {name} decode in pool {block['kv_transfer']['to']}; all tables count them with pool {name}."
        for name, block in summary["pools"].items()
        if block.get("kv_transfer")
    ]
    # vLLM's own gauge has no series without a replica; here the queue of the pool's gateway counts in it
    doors = [
        f"While pool {name} has no replica, {WAITING} is what waits at its door. vLLM itself reports nothing then: in "
        "your cluster, scale from zero on a metric of the gateway."
        for name, pool in scenario.pools.items()
        if pool.autoscaler.floor_replicas == 0 and any(query.metric == WAITING for query in pool.autoscaler.queries)
    ]
    return [*_law_notes(summary), *_price_notes(summary), *moved, *doors]


def _price_notes(summary: dict[str, Any]) -> list[str]:
    """Who says what the GPUs cost, and when: one note for pools with the same price."""
    said: dict[str, list[str]] = {}
    for name, block in summary["pools"].items():
        price = block.get("price") or {}
        if price.get("source"):
            day = f", {price['as_of']}" if price.get("as_of") else ""
            told = f"{words.usd(price['on_demand'])} a GPU-hour on demand: {price['source']}{day}."
            said.setdefault(told, []).append(name)
    return [f"Price of {_named(pools)}: {told}" for told, pools in said.items()]


def _law_notes(summary: dict[str, Any]) -> list[str]:
    """Where iteration times come from, and how far to trust times that nobody measured: once for all that share it."""
    said: dict[str, list[str]] = {}
    for name, block in summary["pools"].items():
        law = block.get("law") or {"source": "given"}
        if law["source"] == "given":
            continue
        told = f"come from {law['about']}, with the host times of {law['engine']}."
        if law["source"] == "calibrated":
            told = f"are {law['about']}."
        elif law["source"] == "roofline":
            told += " They are computed, not measured: up to 20 % off where that was checked, more on new GPUs."
        said.setdefault(told, []).append(name)
        for quantity, seen in law.get("outside", {}).items():
            said.setdefault(_outside(quantity, seen, law["holds"]), []).append(name)
    return [f"Iteration times of {_named(pools)} {told}" for told, pools in said.items()]


_NAMED = 5
"""Pools that a note names; of more it says how many they are."""


def _named(pools: Sequence[str]) -> str:
    """`pool a`, `pools a and b`; of many how many they are, and the first."""
    if len(pools) == 1:
        return f"pool {pools[0]}"
    if len(pools) > _NAMED:
        return f"{len(pools)} pools ({', '.join(pools[:_NAMED])} and so on)"
    return f"pools {', '.join(pools[:-1])} and {pools[-1]}"


_QUANTITIES = {
    "seqs": "sequences decoding at once on a replica",
    "context_tokens": "tokens of context a sequence",
    "prompt_tokens": "prompt tokens a request",
    "rate_per_s": "requests a second on a replica",
}


def _outside(quantity: str, seen: float, holds: dict[str, list[float]]) -> str:
    low, high = (words.count(value) for value in holds[quantity])
    told = low if low == high else f"{low} to {high}"
    return (
        f"were measured at {told} {_QUANTITIES[quantity]}; this run has "
        f"{words.count(seen)} on average: there they are a guess."
    )


def _happened(block: dict[str, Any], *events: str) -> str:
    """How many replicas came to this in a fleet that changes; nothing to say of none, nor of a fleet that does not."""
    number = sum(block["lives"][event] for event in events)
    return words.count(number) if number and changes(block) else words.MISSING


def _counts(block: dict[str, Any]) -> bool:
    """Whether the answers have tokens at all: where none is drawn, each answer counts as one."""
    throughput = block["throughput"]
    return bool(throughput["output_tokens_per_s"] != throughput["requests_per_s"])


def _by_token(block: dict[str, Any], key: str) -> str:
    return words.usd(block["cost"].get(key)) if _counts(block) else words.MISSING


def _columns(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    if len(summary["pools"]) == 1:
        (only,) = summary["pools"].values()
        return {"": {**summary, "law": only.get("law"), "price": only.get("price")}}
    return {"all": summary} | {f"pool {name}": block for name, block in summary["pools"].items()}


def _outcome(requests: dict[str, int], outcome: str) -> str:
    number = requests[outcome]
    return f"{words.count(number)} ({words.share(number / requests['arrived'])})" if requests["arrived"] else "0"


def _replicas(replicas: dict[str, Any]) -> str:
    if replicas["min"] == replicas["max"]:
        return words.count(replicas["max"])
    return f"{words.count(replicas['mean'])} ({replicas['min']} to {replicas['max']})"


def _rate(per_s: float | None) -> str:
    return words.MISSING if per_s is None else f"{words.count(per_s)}/s"
