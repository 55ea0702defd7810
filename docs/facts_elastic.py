"""What `autoscaling.md` quotes: the seven elastic scenarios and what is set beside each; every run is made once.

A page reaches these names in `<!--= ... -->`. Each process keeps small things of a run only.
"""

from __future__ import annotations

import functools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from sim.result import words

HPA, KEDA, KNATIVE, PREDICTIVE = "autoscale-hpa", "autoscale-keda-zero", "autoscale-knative", "autoscale-predictive"
SPOT, ZONE, ROLLOUT = "spot-mix", "zone-outage", "rollout"
DAY_S = 86_400.0
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

Sets = tuple[str, ...]


def _fixed(pool: str, replicas: int) -> Sets:
    return (f"pools.{pool}.autoscaler={{kind: fixed, replicas: {replicas}}}",)


def _rolled(keys: str) -> Sets:
    return (f"pools.chat.rollouts=[{{at: 30m, to: {{precision: fp8}}, {keys}}}]",)


def _policy(pool: str, *keys: str) -> Sets:
    return tuple(f"pools.{pool}.autoscaler.{key}" for key in keys)


CRON = (
    "pools.tool.autoscaler.triggers=[{metric: concurrency, threshold: 6}, "
    "{cron: {start: 15 7 * * 1-5, end: 0 18 * * 1-5, desired_replicas: 1}}]"
)
SLOW_PANIC = _policy("shop", "panic_threshold_percentage=1000")
SNAPSHOT = ("pools.shop.boot=5s",)
CLAIRVOYANT = (
    "pools.code.autoscaler={kind: clairvoyant, min_replicas: 1, max_replicas: 8, "
    "lead: 10m, window: 5m, utilization: 0.5}",
)
ON_DEMAND = ("pools.chat.supply=[{name: base, zones: 3}]",)

BESIDE: dict[str, dict[str, Sets]] = {
    HPA: {
        "`hpa`, as shipped": (),
        "`fixed` at its largest, 8": _fixed("chat", 8),
        "`fixed` at 4": _fixed("chat", 4),
        "`fixed` at 3": _fixed("chat", 3),
    },
    KEDA: {
        "asleep at night, as shipped": (),
        "woken at 7:15 by a cron trigger": (CRON,),
        "never asleep: `min_replicas: 1`": _policy("tool", "min_replicas=1"),
    },
    KNATIVE: {
        "as shipped": (),
        "without panic (threshold 1000 %)": SLOW_PANIC,
        "boot of 5 s": SNAPSHOT,
        "boot of 5 s, without panic": (*SNAPSHOT, *SLOW_PANIC),
        "`min_replicas: 5`": _policy("shop", "min_replicas=5"),
    },
    PREDICTIVE: {
        "`seasonal_naive`, as shipped": (),
        "`holt_winters`": _policy("code", "method=holt_winters"),
        "`last`: the load of the moment": _policy("code", "method=last"),
        "`clairvoyant`": CLAIRVOYANT,
    },
    SPOT: {
        "as shipped": (),
        "all on demand": ON_DEMAND,
        "a hazard of 0.0003/h (AWS's advisor on p5)": ("pools.chat.supply.1.spot.hazard=0.0003/h",),
        "killed after 10 s of the notice": ("pools.chat.drain.grace=10s",),
    },
    ZONE: {
        "6, as shipped": (),
        "6, no outage": ("pools.chat.faults=[]",),
        "7 (N+1)": _policy("chat", "replicas=7"),
        "8 (N+2)": _policy("chat", "replicas=8"),
        "9 (N+3)": _policy("chat", "replicas=9"),
    },
    ROLLOUT: {
        "1 more, none fewer, as shipped": (),
        "25 % of each (Kubernetes's default)": _rolled("max_surge: 25%"),
        "none more, 1 fewer": _rolled("max_surge: 0, max_unavailable: 1"),
        "none more, 2 fewer": _rolled("max_surge: 0, max_unavailable: 2"),
        "all at once beside the old (blue-green)": _rolled("max_surge: 100%, max_unavailable: 0"),
    },
}
"""By scenario: what is run, by its name on the page; the first is the scenario as it ships."""


@dataclass(frozen=True)
class Elastic:
    """What is kept of a run."""

    summary: dict[str, Any]
    verdict: str
    timeline: dict[str, list[float]]
    wanted: list[tuple[float, int]]
    """Time and size of every decision that changes something, and the first."""
    spot_usd_per_hour: list[float]
    mornings: list[tuple[float, float]]
    """By day with requests: arrival and TTFT of the first one."""
    rolled_s: float
    """From the first order of the new version until the last old replica is gone; 0 without a rollout."""

    def __getitem__(self, path: str) -> Any:
        """A number of the summary by its dotted path."""
        found: Any = self.summary
        for key in path.split("."):
            found = found[int(key)] if isinstance(found, list) else found[key]
        return found

    @property
    def usd_per_day(self) -> float:
        """Over the measured window."""
        return float(self["cost.usd_per_day"])

    def attained(self, metric: str) -> float:
        """SLO attainment of one metric."""
        return next(float(target["attained"]) for target in self["slo"] if target["metric"] == metric)


def _run(name: str, sets: Sets) -> Elastic:
    """Run a scenario and keep what the page needs."""
    from sim import load, simulate
    from sim.result.money.bill import bill_of

    result = simulate(load(name, sets))
    log = result.log
    decided = [(row.at_s, row.wanted) for row in log.decisions]
    spans = log.spans
    edges_s = log.edges_s
    spot = [line.usd(edges_s) for line in bill_of(result.scenario, log).lines if line.market == "spot"]
    new = spans[spans["version"] > 0]
    old_s = spans["gone_s"][spans["version"] == 0]
    return Elastic(
        summary=result.summary(),
        verdict=result.verdict(),
        timeline={column: values.tolist() for column, values in result.columns.items()},
        wanted=[row for row, before in zip(decided, [(0.0, -1), *decided], strict=False) if row[1] != before[1]],
        spot_usd_per_hour=(sum(spot, np.zeros(len(edges_s) - 1)) * 3600 / np.diff(edges_s)).tolist(),
        mornings=_mornings(log.requests),
        rolled_s=float(old_s.max() - new["ordered_s"].min()) if len(new) else 0.0,
    )


def _mornings(rows: Any) -> list[tuple[float, float]]:
    day = (rows["arrival_s"] // DAY_S).astype(int)
    firsts = rows[np.unique(day, return_index=True)[1]]
    return [(float(row["arrival_s"]), float(row["first_token_s"] - row["arrival_s"])) for row in firsts]


@functools.cache
def _runs() -> dict[tuple[str, str], Elastic]:
    """Every run of the page, two at a time; the longest first."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
        jobs = {
            (name, case): executor.submit(_run, name, sets) for name in BESIDE for case, sets in BESIDE[name].items()
        }
        return {key: job.result() for key, job in jobs.items()}


def elastic(name: str, case: str = "") -> Elastic:
    """A run: the scenario as it ships, or the case whose name on the page begins so."""
    cases = list(BESIDE[name])
    wanted = case or cases[0]
    found = [wanted] if wanted in cases else [label for label in cases if label.startswith(wanted)]
    assert len(found) == 1, f"{name}: {found} begin with {case!r}"
    return _runs()[name, found[0]]


def question(name: str) -> str:
    """The question that a scenario asks."""
    from sim import load

    return load(name).description


def told(name: str) -> str:
    """The command that runs a scenario, and what it says first."""
    return f"```text\n$ fleetcast run {name}\n{elastic(name).verdict}\n...\n```"


# -- tables ------------------------------------------------------------------------------------------------------------

_ENTRIES = {
    "useful": "what full replicas would have taken",
    "cold_start": "launched, not ready yet",
    "headroom": "spare, wanted for the load",
    "cool_down": "spare, kept by a window, a rate or a cooldown",
    "floor": "spare, kept by the minimum",
    "drain": "on their last requests",
    "failed": "down, or taken before they were ready",
    "rounding": "billed after they were gone",
}


def ledger_table(name: str) -> str:
    """The ledger of a scenario as it ships."""
    block = elastic(name)["ledger"]
    total = sum(block["gpu_hours"].values())
    lines = ["| entry | | GPU-hours | share | cost |", "| --- | --- | ---: | ---: | ---: |"]
    for entry, about in _ENTRIES.items():
        hours = block["gpu_hours"][entry]
        if hours / total < 5e-5:
            continue
        share = words.share(hours / total)
        lines.append(f"| `{entry}` | {about} | {_hours(hours)} | {share} | {words.usd(block['usd'][entry])} |")
    lines.append(f"| paid | | {_hours(total)} | 100% | {words.usd(sum(block['usd'].values()))} |")
    return "\n".join(lines)


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.1f}" if hours >= 1 else f"{hours:.2g}"


def beside(name: str) -> str:
    """The runs of a scenario side by side: money, replicas, SLO, waits."""
    metrics = [target["metric"] for target in elastic(name)["slo"]]
    heads = [f"{target['metric'].upper()} ≤ {words.duration(target['under_s'])}" for target in elastic(name)["slo"]]
    lines = [
        f"| | a day | replicas | {' | '.join(heads)} | TTFT p99 | TTFT max |",
        f"| --- | ---: | ---: | {' | '.join('---:' for _ in heads)} | ---: | ---: |",
    ]
    for case in BESIDE[name]:
        run = _runs()[name, case]
        cells = (
            case,
            words.usd(run.usd_per_day),
            replicas(run),
            *(_attained(run, metric) for metric in metrics),
            words.duration(run["latency.ttft_s.p99"]),
            words.duration(run["latency.ttft_s.max"]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _attained(run: Elastic, metric: str) -> str:
    target = next(target for target in run["slo"] if target["metric"] == metric)
    told = words.share_beside(target["attained"], target["share"])
    return told if target["met"] else f"**{told}**"


def replicas(run: Elastic) -> str:
    """`2.99 (2 to 12)`."""
    low, high = run["replicas.min"], run["replicas.max"]
    return f"{high}" if low == high else f"{run['replicas.mean']:.2f} ({low} to {high})"


def saved(run: Elastic, than: Elastic) -> str:
    """What a run costs less than another: `$2,713 a day, 73.6%`."""
    less = than.usd_per_day - run.usd_per_day
    return f"{words.usd(less)} a day ({words.share(less / than.usd_per_day)})"


def points(run: Elastic, than: Elastic, metric: str) -> str:
    """How much less of the SLO a run attains than another, in points."""
    return f"{100 * (than.attained(metric) - run.attained(metric)):.2f}"


def usd_more(run: Elastic, than: Elastic) -> str:
    """How much more a run costs a day than another."""
    return words.usd(run.usd_per_day - than.usd_per_day)


def morning(run: Elastic, which: int) -> str:
    """TTFT of the first request of a day, counted from 0."""
    return words.duration(run.mornings[which][1])


def mornings_table() -> str:
    """When the first request of each day came and how long it waited, asleep at night or woken before."""
    cases = list(BESIDE[KEDA])
    lines = [f"| the day's first request | {' | '.join(cases)} |", f"| --- |{' ---: |' * len(cases)}"]
    runs = [_runs()[KEDA, case] for case in cases]
    for place, (at_s, _) in enumerate(runs[0].mornings):
        minutes = int(at_s % DAY_S // 60)
        when = f"{DAYS[int(at_s // DAY_S)]} {minutes // 60}:{minutes % 60:02}"
        lines.append(f"| {when} | {' | '.join(morning(run, place) for run in runs)} |")
    return "\n".join(lines)


def policies_table() -> str:
    """One row a policy: what it is, whose semantics, how fresh its metrics are."""
    import inspect

    from sim.autoscaling import AnyPolicy, External

    heads = ("`kind`", "what it is", "semantics of", "decides every", "scrape, delay")
    lines = [f"| {' | '.join(heads)} |", "| --- | --- | --- | ---: | ---: |"]
    *ours, _ = (get_args(member)[0] for member in get_args(get_args(AnyPolicy)[0]))
    for policy in ours:
        kind = policy.model_fields["kind"].default
        period, fresh = _pace(policy)
        about = (inspect.getdoc(policy) or "").partition("\n")[0]
        lines.append(f"| `{kind}` | {about} | {SEMANTICS[kind]} | {period} | {fresh} |")
    about = (inspect.getdoc(External) or "").partition("\n")[0]
    return "\n".join([*lines, f"| `package.module:Class` | {about} | your own | its own | its own |"])


def _pace(policy: Any) -> tuple[str, str]:
    """How often a policy decides and how fresh its metrics are, when nothing is said of either."""
    keys = {info.alias or name: info.default for name, info in policy.model_fields.items()}
    looks = [words.duration(keys[key]) for key in PACES if key in keys]
    fresh = getattr(policy, "fresh", None)
    told = "" if fresh is None else f"{words.duration(fresh.scrape_s)}, {words.duration(fresh.delay_s)}"
    return " and ".join(looks), told


PACES = (
    "sync_period",
    "polling_interval",
    "tick",
    "period",
    "datapoint",
    "metrics_interval",
    "load_adjustment_interval",
    "throughput_adjustment_interval",
    "interval",
)
"""Keys that say how often a policy looks."""
SEMANTICS = {
    "fixed": "",
    "hpa": "Kubernetes autoscaling/v2, controller up to 1.36 (scaling from 0: 1.37)",
    "keda": "kedacore/keda@8b4f083c, over the same HPA",
    "knative": "knative/serving@98e5ef90",
    "aws_target_tracking": "AWS Application and EC2 Auto Scaling, their documentation",
    "aws_step_scaling": "the same",
    "gcp_mig": "Compute Engine, its documentation",
    "ray_serve": "Ray Serve 2.60",
    "dynamo_planner": "ai-dynamo/dynamo 1.6.1",
    "wva": "llm-d-workload-variant-autoscaler, versions 1 and 2, with its chart's HPA",
    "aibrix": "vllm-project/aibrix@e3e10f9e",
    "scheduled": "our own",
    "predictive": "our own; Holt-Winters after Hyndman",
    "queue_length": "our own, a baseline",
    "slo_feedback": "our own, a baseline",
    "clairvoyant": "our own, a lower bound: it knows the arrivals",
}
"""Whose behaviour a policy has, by kind; a policy that is not here stops the builder."""
