"""The tables of `results.md`: every number of a summary, and what it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tables_money
from tables_columns import small_run

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
        "The whole bill: paid time at its price or under a contract, unused commitments, energy, egress "
        "(the lines of `invoice`); null where a price is not known.",
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
        "Where the paid GPU-hours went; the entries add up to `replicas.gpu_hours` and those that nobody "
        "used. `useful`: the work done, "
        "as replicas that are full all the time would take for it. `wasted`: the same of work for attempts that came "
        "to nothing (given up, timed out, failed, or second to a copy). `cold_start`: launched, not ready yet. "
        "`floor`: spare time that the policy's minimum alone keeps (all of it in a fixed fleet). `cool_down`: spare, "
        "above what load alone asked for at the last decision, so kept by windows, rates and cooldowns. "
        "`headroom`: spare otherwise. `drain`: from draining to gone, on its last requests. "
        "`failed`: down and repaired in place, or taken before it was ready. `rounding`: billed after it was gone. "
        "`unused`: paid under a contract, and no replica had it. `egress`: no time, but what sending answers cost.",
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
    "error_budget": (
        "",
        REQUESTS,
        "A list, by objective that allows misses: `metric`, `under_s`, `share`, `class`, `tenant` as in `slo`; "
        "`requests` it is about, `allowed` of them to miss (the budget) and `missed`; `spent_share` (1: all of the "
        "budget); `exhausted_at_s`, null if it never is; `worst`, the 5 minutes (a tenth of a run below 50) with most "
        "misses: `from_s`, `to_s`, `requests`, `missed`, `burn_rate` (share of misses over the share that is allowed); "
        "and `alerts`, those of the SRE workbook: `kind` (`page`, `ticket`), `burn_rate` over `long_s` and `short_s`, "
        "`fired` (times), `first_at_s`, `firing_s`, `most_burn_rate` (if everything misses). For runs below 6 hours "
        "all windows are shorter by one factor, so that the longest of a page is the run. Requests count when they "
        "come; those that are not served are misses.",
    ),
    **tables_money.MONEY,
    "pools": (
        "",
        "",
        "By name of pool: the same blocks, from `requests` to `faults`, of that pool alone; `price`, what its GPUs are "
        "listed at, with source and day; `law`, where its iteration "
        "times come from (`source`, `about`, `engine`, `precision`, `kv_capacity_tokens`; of a calibration that says "
        "so, the range that it `holds` in, and the means of the run that are `outside`); and `kv_transfer`, for a pool "
        "that hands over: `to`, `requests` handed over, `link_busy_share`. A request counts where "
        "the attempt went that counts, an attempt where it was sent.",
    ),
    "run.wall_s": ("s", RUN, "From the first draw to the last event, on the wall clock."),
    "run.engine_s": ("s", RUN, "Of that, inside the calendar: compiling and loading excluded."),
    "run.requests_per_engine_s": ("1/s", RUN, "All requests of the run over `engine_s`."),
    "run.quantiles": (
        "",
        RUN,
        "`exact`, or `histogram` where the rows of requests are not kept: quantiles are then within 1.1 %.",
    ),
    "run.events": ("events", RUN, "Transitions called: arrivals and wake-ups of replicas."),
    "run.version": ("", RUN, "The version of fleetcast."),
    "run.config_sha256": ("", RUN, "Digest of the resolved scenario."),
    "theory": (
        "",
        "",
        "What queueing theory gives of the scenario, a list: `path` of the number, `theory`, `simulated`, "
        "`difference_share` (of the theory), `method`, `kind` (`exact`, `approximation`, `upper bound`, "
        "`lower bound`) and what it `assumes`. `timeline.waiting.max` is the longest queue of the timeline.",
    ),
}

STUDIES = {
    "replications": "Of `fleetcast run` with more than one run: how many (`number`), why no more (`stopped`: "
    "`precision`, `budget` or `number`), `requests` of one on average, the `precision` and the `budget`, and the "
    "number that is `least_known` with about how many `replications` would do.",
    "intervals": "By dotted path: the 95 % interval `[low, high]` of each number; the number itself is the "
    "estimate of all runs.",
    "refused": "Quantiles that are `null` because fewer than 100 requests lie beyond them, by dotted path, with how "
    "many more requests each takes.",
    "steady": "With `--steady`: `warmup_s`, `horizon_s`, how often the run was `extended`, and which series was "
    "`slowest` to settle.",
    "assertions": "Of a scenario with `assert`: each `text`, the `quantity` (a path), `value`, `interval`, `limit`, "
    "`verdict` (`pass`, `fail`, `undecided`), `confidence`, after how many `runs` it was decided, and `why` not.",
}
"""What a result has only in some cases, by the runs made of it."""

PARTIES = {
    "classes": "By name of class, where there are any: `requests`, `latency`, `slo` (the objectives that can be about "
    "its requests), `throughput` and `attempts` of its requests alone; `cost_share`, its part of the cost; and `cost`: "
    "`total_usd`, `usd_per_request`, `usd_per_million_output_tokens`, and the four keys of prompts and outputs. The "
    "cost of each pool is shared by the work that it did, for answers and in vain; time that nobody used in the same "
    "proportion. With `revenue` in the scenario also `revenue_usd`, `gross_margin_usd` and `gross_margin_share`.",
    "tenants": "The same by name of tenant; `(none)` has the requests of nobody's, so shares add up to 1.",
    "tenants_fairness": "Jain's index of the shares of their requests that tenants got good answers to: 1 when all "
    "are served alike, 1/n when one of n gets everything.",
    **tables_money.WHERE_PRICED,
}
"""Keys that a summary has only where the scenario has what they tell of."""


def result_keys() -> str:
    """Every number of `summary.json`."""
    told = list(_collapsed(small_run().summary()))
    assert told == list(RESULTS), f"results and their definitions differ: {set(told) ^ set(RESULTS)}"
    lines = ["| key | unit | over | what it is |", "| --- | --- | --- | --- |"]
    for path, (unit, window, about) in RESULTS.items():
        lines.append(f"| `{path}` | {unit} | {window} | {about} |")
    lines += [f"| `{path}` |  | {REQUESTS} | {about} |" for path, about in PARTIES.items()]
    lines += [f"| `{path}` |  |  | {about} |" for path, about in STUDIES.items()]
    return "\n".join(lines)


def _collapsed(summary: dict[str, Any]) -> Iterator[str]:
    """The dotted paths of a summary; statistics of a latency, and the inside of pools and objectives, as one."""
    for key, value in summary.items():
        if not isinstance(value, dict) or key == "pools":
            yield key
        else:
            yield from (f"{key}.{inner}" for inner in value)
