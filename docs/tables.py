"""Tables that the reference pages hold, read from the code: scenario keys, laws, formats, results, sheets, speed."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import tables_money

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

QUANTITIES = {
    "90s": "duration",
    "5/s": "rate",
    "8": "whole number",
    "1024": "number",
    "80GiB": "size",
    "$2.99/h": "price",
    "$0.09/GB": "price",
    "95%": "share",
    "2.039TB/s": "bandwidth",
    "0.05/h": "rate",
    "25%": "whole number or share",
}
"""What a value is, by the first example that its JSON Schema shows."""


def schema_file(check: bool) -> list[str]:
    """`docs/scenario.schema.json`, which the first line of a scenario points editors to."""
    from sim.cli.schema import schema_text

    path, text = DOCS / "scenario.schema.json", schema_text()
    if check:
        same = path.is_file() and path.read_text(encoding="utf-8") == text
        return [] if same else ["docs/scenario.schema.json: is not the schema of this version"]
    path.write_text(text, encoding="utf-8")
    return []


@cache
def _schema() -> dict[str, Any]:
    from sim.scenario.schema import json_schema

    return json_schema()


def file(path: str, language: str = "yaml") -> str:
    """A file of the project as a fenced block."""
    return f"```{language}\n{(ROOT / path).read_text(encoding='utf-8').strip()}\n```"


def keys(definition: str = "") -> str:
    """The keys of one part of a scenario file: what they take, their default, what they mean."""
    part = _schema()["$defs"][definition] if definition else _schema()
    lines = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for name, about in part["properties"].items():
        if about.get("const") is not None:
            continue
        needed = name in part.get("required", ())
        default = "required" if needed else _default(about)
        lines.append(f"| `{name}` | {_value(about)} | {default} | {about.get('description', '')} |")
    return "\n".join(lines)


def _default(about: dict[str, Any]) -> str:
    default = about.get("default")
    if default is None or default in ("", []):
        return ""
    if isinstance(default, dict):
        return f"`{{kind: {default['kind']}}}`" if "kind" in default else ""
    if next(iter(about.get("examples", ())), None) == "90s" and default and default % 86_400 == 0:
        return f"`{default / 86_400:g}d`"
    text = json.dumps(default).strip('"') if not isinstance(default, float) else f"{default:g}"
    return f"`{text}`"


def _value(about: dict[str, Any]) -> str:
    """What a key takes, in a word."""
    if "enum" in about:
        return ", ".join(f"`{item}`" for item in about["enum"])
    first = next(iter(about.get("examples", ())), None)
    if first in QUANTITIES:
        return QUANTITIES[first]
    if "const" in about:
        return f"`{about['const']}`"
    for several in ("anyOf", "oneOf"):
        if several in about:
            options = [item for item in about[several] if item.get("type") != "null"]
            refs = [item["$ref"].rpartition("/")[2] for item in options if "$ref" in item]
            if refs and len(refs) == len(options):
                return " or ".join(f"`{_tag(ref)}`" for ref in refs) if len(refs) < 4 else "a law"
            if options[0].get("description") == "A name or a path.":
                return "name, path or mapping"
            if options[0].get("description") == "A duration, a name or a path.":
                return "duration, law, name, path or mapping"
            return _value(options[0])
    if about.get("type") == "array":
        return "list"
    if about.get("type") == "object":
        return "mapping"
    if "$ref" in about:
        return "mapping"
    return {"string": "text", "boolean": "`true`, `false`", "number": "number", "integer": "whole number"}[
        about["type"]
    ]


def _tag(ref: str) -> str:
    kind = _schema()["$defs"][ref]["properties"].get("kind")
    return str((kind or {}).get("const", ref))


def arrival_laws() -> str:
    """One row an arrival law, from the union."""
    from sim.workload.arrivals import AnyArrivals

    return _laws(get_args(get_args(AnyArrivals)[0]))


def distributions() -> str:
    """One row a distribution, from the union."""
    from sim.workload.distributions import AnyDistribution

    return _laws(get_args(AnyDistribution))


def _laws(laws: tuple[Any, ...]) -> str:
    lines = ["| kind | what it is | keys |", "| --- | --- | --- |"]
    for law in laws:
        law = getattr(law, "__origin__", law)
        fields = {info.alias or name: info for name, info in law.model_fields.items()}
        names = [name for name in fields if name not in ("kind", "min", "max")]
        own = ", ".join(f"`{name}`" for name in names)
        lines.append(f"| `{law.model_fields['kind'].default}` | {_first_line(law)} | {own} |")
    return "\n".join(lines)


def formats() -> str:
    """One row a trace format, from the union."""
    from sim.workload.traces import formats as known

    lines = ["| format | file | columns or keys | what is particular |", "| --- | --- | --- | --- |"]
    for form in known():
        columns = ", ".join(f"`{name}`" for name in form.columns)
        more = ", ".join(f"`{name}`" for name in form.optional)
        columns += f"; and {more}" if more else ""
        lines.append(f"| `{form.kind}` | {', '.join(form.containers)} | {columns} | {_paragraph(form)} |")
    return "\n".join(lines)


def policies() -> str:
    """One row an autoscaling policy, from the union."""
    from sim.autoscaling import AnyPolicy, External

    *ours, own = get_args(get_args(AnyPolicy)[0])
    return f"{_laws(tuple(ours))}\n| `{get_args(own)[1].tag}` | {_first_line(External)} | those of the class |"


def routers() -> str:
    """The names of the routers."""
    from sim.model.routing import ROUTERS

    return ", ".join(f"`{name}`" for name in ROUTERS)


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _paragraph(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def gpus() -> str:
    """The GPU sheets."""
    lines = ["| name | card | memory | list price, as of | source of the price |", "| --- | --- | --- | --- | --- |"]
    for sheet in _sheets("gpus"):
        price = sheet.get("price") or {}
        told = f"{price['on_demand']}, {price.get('as_of', '')}" if price else "none"
        cells = (f"`{sheet['name']}`", sheet.get("description", ""), sheet["memory"], told, price.get("source", ""))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def models() -> str:
    """The model sheets, and on what replicas their speed is measured."""
    lines = ["| name | model | calibrated on | operator times on |", "| --- | --- | --- | --- |"]
    for sheet in _sheets("models"):
        known = [
            ", ".join(dict.fromkeys(f"{row['gpus_per_replica']} x {row['gpu']}" for row in sheet.get(key, ())))
            for key in ("calibrations", "operators")
        ]
        lines.append(f"| `{sheet['name']}` | {sheet.get('description', '')} | {known[0]} | {known[1]} |")
    return "\n".join(lines)


def engines() -> str:
    """The engine sheets."""
    lines = ["| name | a host iteration | a sequence | outside the engine | asynchronous | from |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for sheet in _sheets("engines"):
        ahead = "yes" if sheet["lookahead"] else "no"
        logit = sheet.get("o1_per_vocabulary_token")
        a_sequence = f"{sheet['o1']} + {logit} x vocabulary" if logit else sheet["o1"]
        cells = (f"`{sheet['name']}`", sheet["o0"], a_sequence, sheet["overhead"], ahead, sheet["source"])
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def boots() -> str:
    """The boot presets, and how long they take on average."""
    from sim.hardware import weights_bytes
    from sim.scenario.boot import Boot

    sizes = [weights_bytes(_model(name)) for name in ("llama-3-8b", "llama-3-70b")]
    lines = ["| name | what is there, and where the weights come from | 8B | 70B |", "| --- | --- | --- | --- |"]
    for sheet in _sheets("boot"):
        boot = Boot.model_validate(sheet)
        means = [f"{boot.mean_s(size, draws=4096):.0f} s" for size in sizes]
        lines.append(f"| `{boot.name}` | {boot.description} | {' | '.join(means)} |")
    return "\n".join(lines)


def boot_sources() -> str:
    """Where the figures of the boot presets come from, by stage."""
    lines = ["| preset | stage | figures | from |", "| --- | --- | --- | --- |"]
    for sheet in _sheets("boot"):
        for stage, source in sheet["sources"].items():
            lines.append(f"| `{sheet['name']}` | {stage} | {_law_words(sheet[stage])} | {source} |")
    return "\n".join(lines)


def _law_words(law: Any) -> str:
    """A law as it stands in the sheet, on one line."""
    import yaml

    return f"`{yaml.safe_dump(law, default_flow_style=True, sort_keys=False, width=10_000).strip()}`"


def _model(name: str) -> Any:
    from sim.hardware import ModelSheet

    return ModelSheet.model_validate(next(sheet for sheet in _sheets("models") if sheet["name"] == name))


def _sheets(folder: str) -> list[dict[str, Any]]:
    import yaml

    return [
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "configs" / folder).glob("*.yaml"))
    ]


# What each number of a result is. A result with a number that is not here, or the other way round, stops the builder.
REQUESTS, TIME, RUN = "requests of the window", "time of the window", "run"
OF_EACH = "`mean`, `p50`, `p90`, `p95`, `p99`, `max`"
RESULTS: dict[str, tuple[str, str, str]] = {
    "schema_version": ("", "", "1; a later number means that keys have changed meaning."),
    "name": ("", "", "The scenario's name."),
    "seed": ("", "", "The scenario's seed."),
    "calendar": ("", RUN, "`simpy` or `compiled`: the one that ran."),
    "simulated_s": ("s", RUN, "When the last request left, at least the horizon."),
    "measured_s": ("s", TIME, "Length of the window, horizon minus warm-up."),
    "requests.arrived": (
        "requests",
        REQUESTS,
        "Requests that arrived; each ends in exactly one of the outcomes below. A request that its client sends again "
        "is one request, from its first attempt: completed if an attempt was, else as the attempt that ended last.",
    ),
    "requests.completed": ("requests", REQUESTS, "Answered in full, however late (after the horizon too)."),
    "requests.rejected": ("requests", REQUESTS, "Turned away: the queue was full, or shed load."),
    "requests.abandoned": ("requests", REQUESTS, "Given up by a client that lost patience in the queue."),
    "requests.timed_out": ("requests", REQUESTS, "Not answered by one of their client's deadlines."),
    "requests.failed": ("requests", REQUESTS, "Lost with a replica, and not sent again."),
    "requests.unfinished": ("requests", REQUESTS, "Still there when the run ended."),
    "latency.queue_wait_s": (
        "s",
        REQUESTS,
        "From the first attempt's arrival to the start, in a batch or slot, of the attempt that counts.",
    ),
    "latency.ttft_s": (
        "s",
        REQUESTS,
        "Time to first token: from the first attempt's arrival to the answer's first token at the client.",
    ),
    "latency.tpot_s": (
        "s",
        REQUESTS,
        "Time per output token: (finish - first token) / (output tokens - 1), for two or more.",
    ),
    "latency.e2e_s": ("s", REQUESTS, "From the first attempt's arrival to the last token at the client."),
    "time_average.in_system": ("requests", TIME, "Attempts waiting or running, averaged over time."),
    "time_average.waiting": ("requests", TIME, "Attempts that have not started."),
    "time_average.running": (
        "requests",
        TIME,
        "Attempts that have started and not left: a replica may go on for a client that has gone.",
    ),
    "throughput.requests_per_s": ("1/s", REQUESTS, "Completed requests over the window's length."),
    "throughput.prompt_tokens_per_s": ("tokens/s", REQUESTS, "Their prompt tokens over the window's length."),
    "throughput.output_tokens_per_s": ("tokens/s", REQUESTS, "Their output tokens over the window's length."),
    "throughput.goodput_per_s": (
        "1/s",
        REQUESTS,
        "Requests completed within every objective that is about them, over the window's length.",
    ),
    "prefix_cache.hit_share": (
        "share",
        REQUESTS,
        "Of the prompt tokens of completed requests, those found in the cache.",
    ),
    "slo": (
        "",
        REQUESTS,
        "One entry an objective: `metric`, `under_s`, `share` as asked; `attained`, the share of all requests that "
        "arrived which completed within the limit (unserved ones miss; one with a single output token meets `tpot`); "
        "`met`. One that is about a class or a tenant says so (`class`, `tenant`) and counts only its requests.",
    ),
    "attempts.sent": ("attempts", REQUESTS, "Attempts at these requests, whenever they were sent."),
    **{
        f"attempts.{name}": ("attempts", REQUESTS, "Of these, ended so.")
        for name in ("completed", "rejected", "abandoned", "timed_out", "failed", "unfinished")
    },
    "attempts.amplification": ("", REQUESTS, "Attempts a request: 1 where nobody sends again."),
    "attempts.hedges": ("attempts", REQUESTS, "Of the attempts, copies sent while another one was under way."),
    "attempts.wasted": (
        "",
        REQUESTS,
        "`attempts` that were started and came to nothing, and `prompt_tokens` and `output_tokens` computed for them.",
    ),
    "utilization.busy_share": ("share", TIME, "Of the replicas' ready time, that with at least one running request."),
    "utilization.batch_share": ("share", TIME, "Of the seats of ready replicas, those taken (time-weighted)."),
    "utilization.kv_share": ("share", TIME, "Of their KV memory, that in use; null for slots, which have none."),
    "replicas.mean": ("replicas", TIME, "Replicas that serve, averaged over time; who drains counts until it is gone."),
    "replicas.min": ("replicas", TIME, "Fewest ready for new requests at once (not draining, not down)."),
    "replicas.max": ("replicas", TIME, "Most ready for new requests at once."),
    "replicas.replica_hours": ("h", TIME, "Paid time, summed over replicas: from launched to gone, rounded as billed."),
    "replicas.gpu_hours": ("h", TIME, "The same times `gpus_per_replica`."),
    "cost.total_usd": (
        "USD",
        TIME,
        "Paid time of each replica at its price; null without a price.",
    ),
    "cost.usd_per_hour": ("USD/h", TIME, "Total over the window's hours."),
    "cost.usd_per_request": ("USD", "both", "Total over the completed requests of the window."),
    "cost.usd_per_million_output_tokens": ("USD", "both", "Total over their output tokens, times a million."),
    "cost.usd_per_day": ("USD", TIME, "24 times `usd_per_hour`."),
    "cost.usd_per_month": ("USD", TIME, "30 times `usd_per_day`."),
    "cost.prompt_usd": (
        "USD",
        "both",
        "Of the total, the part of prefill: each pool's cost is split by the GPU time that prefill and decoding took "
        "of its work; null where replicas are slots, which have no phases.",
    ),
    "cost.output_usd": ("USD", "both", "The part of decoding: the rest."),
    "cost.prompt_usd_per_million_tokens": (
        "USD",
        "both",
        "`prompt_usd` over the prompt tokens of completed requests, cached ones included, times a million.",
    ),
    "cost.output_usd_per_million_tokens": ("USD", "both", "`output_usd` over their output tokens, times a million."),
    "cost.marginal_usd_per_million_output_tokens": (
        "USD",
        "both",
        "`ledger.usd.useful` over their output tokens, times a million: prompts included, idle time not.",
    ),
    "ledger.gpu_hours": (
        "h",
        TIME,
        "Where the paid GPU-hours went; the entries add up to `replicas.gpu_hours`. `useful`: the work done, "
        "as replicas that are full all the time would take for it. `wasted`: the same of work for attempts that came "
        "to nothing (given up, timed out, failed, or second to a copy). `cold_start`: launched, not ready yet. "
        "`floor`: spare time that the policy's minimum alone keeps (all of it in a fixed fleet). `cool_down`: spare, "
        "above what load alone asked for at the last decision, so kept by windows, rates and cooldowns. "
        "`headroom`: spare otherwise. `drain`: from draining to gone, on its last requests. "
        "`failed`: down and repaired in place, or taken before it was ready. `rounding`: billed after it was gone.",
    ),
    "ledger.usd": ("USD", TIME, "The same in money; the entries add up to `cost.total_usd`; null without a price."),
    "lives.ordered": ("replicas", TIME, "Replicas ordered in the window (those there at the start count at 0)."),
    "lives.ready": ("replicas", TIME, "Replicas that became ready in it."),
    "lives.scaled_in": ("replicas", TIME, "Gone in it because a smaller fleet was wanted."),
    "lives.cancelled": ("replicas", TIME, "Given up in it before they were ready."),
    "lives.failed": ("replicas", TIME, "Lost in it to a fault, for good."),
    "lives.zone_outage": ("replicas", TIME, "Lost in it with their zone."),
    "lives.reclaimed": ("replicas", TIME, "Spot replicas taken back in it."),
    "lives.rolled": ("replicas", TIME, "Replaced in it by a rollout."),
    "lives.repaired": ("replicas", TIME, "Failures in it that were repaired in place; not in `lives.failed`."),
    "lives.boot_s": (
        "s",
        TIME,
        "From order to ready, of those that became ready in it: `mean`, `p50`, `p99`, `max`.",
    ),
    "faults.retried": ("requests", REQUESTS, "Requests that lost a replica under them and were served again."),
    "faults.lost": ("requests", REQUESTS, "All requests that lost a replica under them, those that failed for it too."),
    "recovery": (
        "",
        TIME,
        "What became of the service after the burst that it took worst; null for a run without a burst (at least "
        "1.2 times the load around it). `burst`: `from_s`, `to_s`, `offered_per_s`, `usual_per_s`. "
        "`goodput_before_share`, `goodput_after_share`: of the requests that come, those answered in time (completed, "
        "and within all limits of the SLO); after: in the second half of `watched_s`, from the burst's end to the "
        "horizon. `load_after_share`: what is offered then, of the most that was carried before. `attempts_after`: "
        "of a request. `recovered_after_s`: until nine tenths of the goodput before are back and stay; null: not in "
        "this run. `state`: `recovered`; `slow`: the queue that the burst left is still worked off; `overloaded`: "
        "more than 1.1 times the load that was carried before; `unknown`: watched for less than three times the "
        "burst's length; or `metastable`: none of these, the failure keeps itself going. `metastable`: true or false.",
    ),
    **tables_money.MONEY,
    "pools": (
        "",
        "",
        "By name of pool: the same blocks, from `requests` to `faults`, of that pool alone; `law`, where its iteration "
        "times come from (`source`, `about`, `engine`, `precision`, `kv_capacity_tokens`; of a calibration that says "
        "so, the range that it `holds` in, and the means of the run that are `outside`); and `kv_transfer`, for a pool "
        "that hands over: `to`, `requests` handed over, `link_busy_share`. A request counts where "
        "the attempt went that counts, an attempt where it was sent.",
    ),
    "run.wall_s": ("s", RUN, "From the first draw to the last event, on the wall clock."),
    "run.engine_s": ("s", RUN, "Of that, inside the calendar: compiling and loading excluded."),
    "run.requests_per_engine_s": ("1/s", RUN, "All requests of the run over `engine_s`."),
    "run.events": ("events", RUN, "Transitions called: arrivals and wake-ups of replicas."),
    "run.version": ("", RUN, "The version of fleetcast."),
    "run.config_sha256": ("", RUN, "Digest of the resolved scenario."),
}

PARTIES = {
    "classes": "By name of class, where there are any: `requests`, `latency`, `slo` (the objectives that can be about "
    "its requests), `throughput` and `attempts` of its requests alone; `cost_share`, its part of the cost; and `cost`: "
    "`total_usd`, `usd_per_request`, `usd_per_million_output_tokens`, and the four keys of prompts and outputs. The "
    "cost of each pool is shared by the work that it did, for answers and in vain; time that nobody used in the same "
    "proportion. With `revenue` in the scenario also `revenue_usd`, `gross_margin_usd` and `gross_margin_share`.",
    "tenants": "The same by name of tenant; `(none)` has the requests of nobody's, so shares add up to 1.",
    "tenants_fairness": "Jain's index of the shares of their requests that tenants got good answers to: 1 when all "
    "are served alike, 1/n when one of n gets everything.",
    "slowness": "What slow and missing answers cost, of a scenario that gives them prices (`slowness`). `entries`, "
    "one a price, in its order: `kind`, `metric`, `beyond_s`, `under_s`, `class`, `tenant` where it has "
    "them; the `requests` it is about; `usd` and `usd_per_day`; and what these rest on: `slow_requests`, "
    "`waited_beyond_hours` and `unanswered_free` (requests that left without an answer before a wait "
    "costs anything) of `linear`; `slow_requests`, `attained` and `credit_share` of `sla_credits`; "
    "`slow_requests`, `users` and `lost_users` of `lost_users`; `lost_requests` of `lost_requests`. "
    "`total_usd` and `usd_per_day` of all of them; `fleet_usd`, the fleet's cost in the same time; "
    "`fleet_plus_slowness_usd` and `fleet_plus_slowness_usd_per_day`, null where the fleet has no price.",
}
"""Keys that a summary has only where the scenario has what they tell of."""

TIMELINE = {
    "start_s": ("s", "Where the bin begins. Bins have one round width, at most 300 of them; the last may be shorter."),
    "end_s": ("s", "Where it ends."),
    "arrivals": ("attempts", "Attempts that arrive in it."),
    "offered": ("requests", "Requests that arrive in it: first attempts."),
    "completed": ("requests", "Answers that end in it, within every objective that is about them."),
    "waiting": ("attempts", "Attempts that wait, averaged over the bin."),
    "running": ("attempts", "Attempts that run, averaged over the bin."),
    "replicas": ("replicas", "Replicas that serve, averaged over the bin, as `replicas.mean`."),
    "booting": ("replicas", "Replicas launched and not ready yet."),
    "draining": ("replicas", "Of those that serve, the ones that take no new requests."),
    "down": ("replicas", "Replicas down that are repaired in place."),
    "busy_share": ("share", "As `utilization.busy_share`, for the bin."),
    "kv_share": ("share", "As `utilization.kv_share`, for the bin; empty for slots."),
    "ttft_s_p50": ("s", "Median TTFT of the requests that arrive in the bin and are completed."),
    "ttft_s_p99": ("s", "Their 99th percentile."),
    "usd_per_hour": ("USD/h", "What the paid replicas cost; empty without a price."),
}

ROWS = {
    "request": ("", "Number in arrival order, from 0."),
    "stream": ("", "Name of its stream; `requests` when there is only one without a name."),
    "arrival_s": ("s", "All times count from the run's start."),
    "prompt_tokens": ("tokens", ""),
    "output_tokens": ("tokens", ""),
    "pool": ("", "Name of the pool that it was sent to."),
    "replica": ("", "Index in its pool, from 0; null for one that never got to a replica."),
    "start_s": ("s", "First time in a batch or slot; null for one that never started."),
    "first_token_s": ("s", "First token at the client."),
    "finish_s": ("s", "Last token at the client."),
    "outcome": ("", "One of the outcomes above."),
    "cached_tokens": ("tokens", "Of the prompt, found in the prefix cache when it was first admitted."),
}

FURTHER_ROWS = {
    "class": ("", "Name of its class; there are classes."),
    "tenant": ("", "Name of its tenant, null for none; there are tenants."),
    "attempt": ("", "Which attempt it is, from 1; clients do more than wait. A copy has the number of what it copies."),
    "copy": ("", "Which copy it is, from 1; 0 for none."),
    "first_request": ("", "`request` of the first attempt at the same."),
    "session": ("", "Number of its conversation or user; there are any."),
    "turn": ("", "Its place in the session, from 0."),
}
"""Columns that there are only in some runs."""


@cache
def _small_run() -> Any:
    from sim import load, simulate

    return simulate(load("mmc", ["horizon=20m"]))


def result_keys() -> str:
    """Every number of `summary.json`."""
    told = list(_collapsed(_small_run().summary()))
    assert told == list(RESULTS), f"results and their definitions differ: {set(told) ^ set(RESULTS)}"
    lines = ["| key | unit | over | what it is |", "| --- | --- | --- | --- |"]
    for path, (unit, window, about) in RESULTS.items():
        lines.append(f"| `{path}` | {unit} | {window} | {about} |")
    lines += [f"| `{path}` |  | {REQUESTS} | {about} |" for path, about in PARTIES.items()]
    return "\n".join(lines)


def _collapsed(summary: dict[str, Any]) -> Iterator[str]:
    """The dotted paths of a summary; statistics of a latency, and the inside of pools and objectives, as one."""
    for key, value in summary.items():
        if not isinstance(value, dict) or key == "pools":
            yield key
        else:
            yield from (f"{key}.{inner}" for inner in value)


def timeline_columns() -> str:
    """Every column of `timeline.csv`."""
    return _columns(list(_small_run().timeline.columns), TIMELINE)


def request_columns() -> str:
    """Every column of `requests.parquet`."""
    told = _columns(list(_small_run().requests.columns), ROWS)
    return "\n".join([told, *(f"| `{name}` | {unit} | {text} |" for name, (unit, text) in FURTHER_ROWS.items())])


def _columns(found: list[str], about: dict[str, tuple[str, str]]) -> str:
    assert found == list(about), f"columns and their definitions differ: {set(found) ^ set(about)}"
    lines = ["| column | unit | what it is |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| `{name}` | {unit} | {text} |" for name, (unit, text) in about.items())])


# -- speed: the numbers of one machine, measured on demand, not checked ------------------------------------------------

SPEED = DOCS / "speed.txt"


def measure() -> None:
    """Run the benchmarks and keep the lines that they print."""
    command = [sys.executable, "-m", "pytest", "-m", "bench", "tests/benchmarks", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    SPEED.write_text("\n".join(_printed(done.stdout)) + "\n", encoding="utf-8")


def _printed(output: str) -> Iterator[str]:
    for line in output.splitlines():
        line = line.strip().lstrip(".")
        if re.match(r"(compiled calendar|SimPy calendar|time per request|fleetcast )", line):
            yield line


def row_bytes() -> int:
    """Memory of one request row."""
    from sim.model.tables import REQUEST

    return REQUEST.itemsize


def events_per_request() -> str:
    """Transitions called for each request of chat-h100."""
    from sim import load, simulate

    summary = simulate(load("chat-h100")).summary()
    return f"{summary['run']['events'] / summary['requests']['arrived']:.1f}"


def speed() -> str:
    """What the benchmarks printed when they were last measured."""
    return f"```text\n{SPEED.read_text(encoding='utf-8').strip()}\n```"
