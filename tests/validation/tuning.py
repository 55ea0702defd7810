"""What tuning saves on three workloads, on fresh seeds: a weekly curve, chat with sudden bursts, a retry storm.

`python -m tests.validation.tuning` prints the table; names (or how they begin) choose among the workloads, --budget and
--workers say how much is done. The first two need traces beside the checkout.

In each the untouched policy is an ordinary one: a target that somebody might pick, and defaults for the rest.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sim.scenario import Scenario, load
from sim.scenario.tune import budget_of
from sim.study.executors import executor
from sim.study.tuned.answer import Tuned
from sim.study.tuned.tune import tune

TRACES = Path(__file__).parents[3] / "shared" / "data" / "traces"
"""Files of others, beside the checkout."""
CURVE = TRACES / "servegen_m-large_week1_rate_10min.csv"
CHAT = TRACES / "azure2023_conv.csv"
BUDGET = "10m"
LEAST_SAVING = 0.15
HOUR_S = 3600.0


def _hpa(**more: Any) -> dict[str, Any]:
    """An HPA on requests per replica, with what the API fills in."""
    metrics = [
        {"metric": "num_requests_running", "type": "AverageValue", "target": more.pop("running")},
        {"metric": "num_requests_waiting", "type": "AverageValue", "target": more.pop("waiting")},
    ]
    return {"kind": "hpa", "metrics": metrics, "behavior": {}, **more}


def _quantiles(kind: str) -> dict[str, Any]:
    """The lengths of the same week, in 21 quantiles; the longest one in a hundred are as long as the hundredth."""
    with gzip.open(TRACES / f"servegen_m-large_{kind}_token_hist.csv.gz", "rt") as file:
        rows = [(float(tokens), float(weight)) for tokens, weight in list(csv.reader(file))[1:]]
    tokens, weights = (np.array(column) for column in zip(*rows, strict=True))
    shares = np.linspace(0, 1, 21)
    at = np.interp(np.minimum(shares, 0.99), np.cumsum(weights) / weights.sum(), tokens)
    return {
        "kind": "quantiles",
        "at": {round(float(share), 2): round(float(value), 1) for share, value in zip(shares, at, strict=True)},
    }


def weekly_curve() -> Scenario:
    """A week of a language-model service: its measured rate, scaled, with a part that drifts at random."""
    lengths = {"prompt_tokens": _quantiles("input"), "output_tokens": _quantiles("output")}
    curve = {"kind": "curve", "file": str(CURVE), "columns": ["t", "total_rate_rps"], "mean": 0.8, "repeat": True}
    drift = {"kind": "cox", "rate": 0.2, "cv": 1.0, "correlation": "20m"}
    return load(
        {
            "name": "tune-week",
            "seed": 11,
            "horizon": "7d",
            "workload": {
                "streams": {
                    "steady": {"pool": "chat", "arrivals": curve, **lengths},
                    "drifting": {"pool": "chat", "arrivals": drift, **lengths},
                }
            },
            "pools": {
                "chat": {
                    "model": "llama-3-8b",
                    "gpu": "l4",
                    "gpus_per_replica": 1,
                    "replica": {"kind": "batching", "max_num_seqs": 6, "max_batched_tokens": 2048},
                    "boot": "warm-node-nvme",
                    "drain": {"queued": "redirect", "grace": "5m", "lost": "retry"},
                    "autoscaler": _hpa(running=3, waiting=1, min_replicas=1, max_replicas=12),
                }
            },
            "slo": [
                {"metric": "ttft", "under": "3s", "share": "99%"},
                {"metric": "tpot", "under": "150ms", "share": "95%"},
            ],
            "tune": {"search_runs": 5, "finalists": 6, "fresh_runs": 4},
        }
    )


def chat_with_bursts() -> Scenario:
    """Six hours of chat: lengths of a real hour, its rate minute by minute six times as slow, and bursts at random."""
    from collections import Counter
    from datetime import datetime

    rows = [line.split(",")[0] for line in CHAT.read_text().splitlines()[1:]]
    times = [datetime.fromisoformat(row[:26]).timestamp() for row in rows]
    minutes = Counter(int((at - times[0]) // 60) for at in times)
    points = [[360.0 * minute, 0.8 * minutes[minute] / 60] for minute in range(58)]
    lengths = load("autoscale-hpa").workload.model_dump(mode="json", by_alias=True)
    tokens = {key: lengths[key] for key in ("prompt_tokens", "output_tokens")}
    bursts = {"kind": "mmpp", "rates": [0.0, 4.0], "leave": [1 / (1.5 * HOUR_S), 1 / 300.0]}
    return load(
        {
            "name": "tune-bursts",
            "seed": 12,
            "horizon": "5.8h",
            "workload": {
                "streams": {
                    "usual": {"pool": "chat", "arrivals": {"kind": "curve", "points": points}, **tokens},
                    "bursts": {"pool": "chat", "arrivals": bursts, **tokens},
                }
            },
            "pools": {
                "chat": {
                    "model": "llama-3-8b",
                    "gpu": "l4",
                    "gpus_per_replica": 1,
                    "replica": {"kind": "batching", "max_num_seqs": 16, "max_batched_tokens": 4096},
                    "boot": "warm-node-nvme",
                    "drain": {"queued": "redirect", "grace": "5m", "lost": "retry"},
                    "autoscaler": {
                        "kind": "knative",
                        "min_replicas": 2,
                        "max_replicas": 24,
                        "initial_scale": 2,
                        "container_concurrency": 16,
                        "target": 8,
                    },
                }
            },
            "slo": [
                {"metric": "ttft", "under": "3s", "share": "97%"},
                {"metric": "tpot", "under": "150ms", "share": "95%"},
            ],
            "tune": {"search_runs": 5, "finalists": 6, "fresh_runs": 5},
        }
    )


def retry_storm() -> Scenario:
    """The shipped retry storm, two hours of it, with an autoscaler and a cap on who waits."""
    return load(
        "retry-storm",
        [
            "name=tune-retry-storm",
            "horizon=60m",
            "warmup=5m",
            "workload.arrivals.rate=28/s",
            "workload.arrivals.at=20m",
            "pools.chat.boot=60s",
            "pools.chat.queue.max_waiting=150",
            "pools.chat.autoscaler={kind: queue_length, target: 24, min_replicas: 4, max_replicas: 16}",
            "tune={search_runs: 5, finalists: 6, fresh_runs: 5}",
        ],
    )


WORKLOADS = {"weekly curve": weekly_curve, "chat with bursts": chat_with_bursts, "retry storm": retry_storm}


@dataclass(frozen=True)
class Row:
    """A workload, tuned."""

    name: str
    found: Tuned
    took_s: float

    @property
    def saving(self) -> Mapping[str, float]:
        """Share of the cost, with its 95 % interval."""
        best = self.found.best.saving
        if best is None:
            return {"estimate": 0.0, "low": 0.0, "high": 0.0}
        return {"estimate": best.estimate, "low": best.low, "high": best.high}

    def cells(self) -> tuple[str, ...]:
        """As a row of the table."""
        before, after, found = self.found.baseline, self.found.best, self.found
        saving = self.saving
        regret = [f"{one.regret.estimate:.0%}" if one.regret else "" for one in (before, after)]
        fixed = "" if found.fixed is None else f"{1 - found.fixed.fresh.cost / before.fresh.cost:.0%}"
        return (
            self.name,
            found.scenario.pools["chat"].autoscaler.kind,
            f"{before.fresh.cost:.2f}",
            f"{after.fresh.cost:.2f}",
            f"{saving['estimate']:.1%} ({saving['low']:.1%} to {saving['high']:.1%})",
            _shares(before.fresh.attained),
            _shares(after.fresh.attained),
            _shares(found.needed) + ("" if after.surely else " (not surely)"),
            f"{regret[0]} → {regret[1]}",
            fixed,
            f"{found.spent['points']} / {found.spent['search_runs'] + found.spent['fresh_runs']}",
            f"{self.took_s:.0f}",
        )


HEAD = (
    *("workload", "policy", "USD/h before", "after", "saved", "attained before", "after", "needed"),
    *("beyond clairvoyant", "fixed fleet saves", "points / runs", "seconds"),
)


def _shares(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2%}" for value in values)


def measured(names: Sequence[str], budget: str = BUDGET, workers: int = 2, told: Any = lambda _: None) -> list[Row]:
    """Tune these workloads."""
    rows = []
    for name in names:
        began = time.monotonic()
        with executor(workers) as pool:
            found = tune(WORKLOADS[name](), pool, budget=budget_of(budget), told=told)
        rows.append(Row(name, found, time.monotonic() - began))
    return rows


def table(rows: Sequence[Row]) -> str:
    """As Markdown."""
    lines = [HEAD, tuple("---" for _ in HEAD), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What tuning saves.")
    parser.add_argument("workloads", nargs="*", help="names, or how they begin; all if left out")
    parser.add_argument("--budget", default=BUDGET, help="of each: runs, requests, or a time")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quiet", action="store_true")
    asked = parser.parse_args()
    names = [name for name in WORKLOADS if not asked.workloads or name.startswith(tuple(asked.workloads))]
    rows = measured(names, asked.budget, asked.workers, (lambda _: None) if asked.quiet else print)
    print(table(rows))
    for row in rows:
        print(row.name, dict(row.found.best.fresh.candidate.values))


if __name__ == "__main__":
    main()
