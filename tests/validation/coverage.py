"""How often the 95 % intervals of a study hold the true value: many studies of queues with known answers.

`python -m tests.validation.coverage` prints the table; --experiments, --replications, --scale (runs so many times as
long) and --workers say how. Runs start empty and are measured in steady state, after a warm-up of twenty relaxation
times.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sim import load, theory
from sim.scenario import Scenario
from sim.statistics.intervals import Interval
from sim.study.executors import executor
from sim.study.replicated.replications import Precision, replicate
from tests.validation import known_answers
from tests.validation.cases import EXPONENTIAL, engine, memory_s, poisson, queue
from tests.validation.known_answers import LineWait

MEAN, P99, ATTAINED = PATHS = ("latency.queue_wait_s.mean", "latency.queue_wait_s.p99", "slo.0.attained")
NAMES = {MEAN: "mean wait", P99: "p99 wait", ATTAINED: "attainment"}
PROMISED = 0.9
"""The objective's limit is the wait that this share of requests does not exceed."""
WARMUPS = 20
REPLICATIONS = 20
EXPERIMENTS = 200


@dataclass(frozen=True)
class System:
    """A queue whose answer is known."""

    workload: Mapping[str, Any]
    pool: Mapping[str, Any]
    answer: LineWait
    rate_per_s: float
    memory_s: float
    """About how long it remembers how it began."""
    requests: int
    """Requests measured in a replication."""

    def scenario(self, seed: int, scale: float) -> Scenario:
        """One experiment's."""
        warmup_s = WARMUPS * self.memory_s
        return load(
            {
                "name": "coverage",
                "seed": seed,
                "calendar": "compiled",
                "warmup": warmup_s,
                "horizon": warmup_s + scale * self.requests / self.rate_per_s,
                "workload": self.workload,
                "pools": {"pool": self.pool},
                "slo": [{"metric": "queue_wait", "under": self.limit_s, "share": PROMISED}],
            }
        )

    @property
    def limit_s(self) -> float:
        """The limit of the objective."""
        return self.answer.quantile_s(PROMISED)

    @property
    def true(self) -> dict[str, float]:
        """By dotted path."""
        return {MEAN: self.answer.mean_s, P99: self.answer.quantile_s(0.99), ATTAINED: PROMISED}


@cache
def systems() -> dict[str, System]:
    """By name. The lengths are those that the intervals need.

    Twenty runs of 30,000 requests do, some fifty relaxation times and more. Bursts take four times as many: with 30,000
    the p99 of the MMPP queue was held by 92 % of 150 studies, at the edge of what is accepted.
    """
    tokens, batch = 100_000, theory.batching(4.571, 100, 0.02, 0.0005, 16)
    rates, leave = (4.0, 16.0), (0.1, 0.2)
    return {
        "M/M/1 at 90%": System(
            {"arrivals": poisson(0.9), "service": EXPONENTIAL},
            queue(1),
            known_answers.mmc(1, 0.9),
            *(0.9, memory_s(0.9, 1), 30_000),
        ),
        "M/M/10 at 90%": System(
            {"arrivals": poisson(9.0), "service": EXPONENTIAL},
            queue(10),
            known_answers.mmc(10, 9.0),
            *(9.0, memory_s(9.0, 10), 30_000),
        ),
        "MMPP/M/10 at 80%": System(
            {"arrivals": {"kind": "mmpp", "rates": rates, "leave": leave}, "service": EXPONENTIAL},
            queue(10),
            known_answers.mmpp(10, rates, leave),
            *(8.0, 40 / sum(leave), 120_000),
        ),
        "batching, 16 seats": System(
            {
                "arrivals": poisson(batch.arrivals_per_s),
                "prompt_tokens": {"kind": "constant", "value": 0},
                "output_tokens": {"kind": "exponential", "mean": tokens},
            },
            # many tokens, each short: the limit that the theorem is about
            engine(0.02 * 100 / tokens, 0.0005 * 100 / tokens, 16, kind="central"),
            known_answers.station(batch),
            *(batch.arrivals_per_s, 20.0, 30_000),
        ),
    }


@dataclass(frozen=True)
class Experiment:
    """One study to be made, in whatever process."""

    system: str
    seed: int
    replications: int | None = REPLICATIONS
    """None: until the mean wait is known within `precision`."""
    scale: float = 1.0
    precision: float = 0.05


@dataclass(frozen=True)
class Found:
    """What a study said."""

    replications: int
    intervals: Mapping[str, Interval]


def carried_out(experiment: Experiment) -> Found:
    """Make one study, in this process."""
    scenario = systems()[experiment.system].scenario(experiment.seed, experiment.scale)
    done = replicate(scenario, experiment.replications, [Precision(experiment.precision, (MEAN,))])
    told = {path: done.estimates.of(path) for path in PATHS}
    return Found(len(done.records), {path: interval for path, interval in told.items() if interval is not None})


@dataclass(frozen=True)
class Coverage:
    """Of one number of one system: how its intervals did."""

    system: str
    path: str
    true: float
    found: tuple[Interval, ...]
    replications: float
    """Of a study, on average."""

    @property
    def share(self) -> float:
        """Of the studies, those whose interval holds the true value."""
        return sum(one.low <= self.true <= one.high for one in self.found) / len(self.found)

    @property
    def above(self) -> float:
        """Those whose whole interval lies above the true value."""
        return sum(one.low > self.true for one in self.found) / len(self.found)

    @property
    def width(self) -> float:
        """Mean half width, relative to the true value."""
        return sum(one.half_width for one in self.found) / len(self.found) / self.true

    @property
    def bias(self) -> float:
        """Of the estimate, relative to the true value."""
        return sum(one.estimate for one in self.found) / len(self.found) / self.true - 1

    def row(self) -> tuple[str, ...]:
        """As a row of the table."""
        cells = (f"{self.true:.4g}", f"{self.share:.1%}", f"{self.above:.1%}", f"{self.width:.1%}", f"{self.bias:+.2%}")
        return self.system, NAMES[self.path], *cells, f"{self.replications:.0f}", str(len(self.found))


HEAD = ("system", "number", "true", "held", "all above", "+-", "bias", "runs", "studies")


def measured(
    names: Sequence[str],
    experiments: int = EXPERIMENTS,
    replications: int | None = REPLICATIONS,
    workers: int = 2,
    scale: float = 1.0,
    precision: float = 0.05,
) -> list[Coverage]:
    """Make the studies, and say how their intervals did."""
    tasks = [Experiment(name, seed, replications, scale, precision) for name in names for seed in range(experiments)]
    with executor(workers) as pool:
        done = list(pool.in_order(carried_out, tasks))
    told = []
    for name in names:
        mine = [found for task, found in zip(tasks, done, strict=True) if task.system == name]
        mean = sum(found.replications for found in mine) / len(mine)
        for path, true in systems()[name].true.items():
            told.append(Coverage(name, path, true, tuple(found.intervals[path] for found in mine), mean))
    return told


def table(coverage: Sequence[Coverage]) -> str:
    """As Markdown."""
    rows = [HEAD, tuple("---" for _ in HEAD), *(one.row() for one in coverage)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Coverage of the intervals of replicated runs.")
    parser.add_argument("systems", nargs="*", help="names, or how they begin; all if left out")
    parser.add_argument("--experiments", type=int, default=EXPERIMENTS)
    parser.add_argument("--replications", type=int, default=REPLICATIONS, help="0: until the mean wait is precise")
    parser.add_argument("--precision", type=float, default=0.05)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    names = [name for name in systems() if not asked.systems or name.startswith(tuple(asked.systems))]
    print(
        table(
            measured(names, asked.experiments, asked.replications or None, asked.workers, asked.scale, asked.precision)
        )
    )


if __name__ == "__main__":
    main()
