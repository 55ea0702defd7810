"""Words that several sections of a plan's document share."""

from __future__ import annotations

from collections.abc import Sequence

from sim.result import words
from sim.scenario import Scenario, Target
from sim.study.planned.certificate import Certificate, Line
from sim.study.planned.result import PlannedPool
from sim.study.sensitivity.tornado import Swing

METRICS = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E", "queue_wait": "queue wait"}
MONTH_H = 720.0
"""A month has 30 days, as everywhere."""
_METRICS = {"ttft": "time to first token", "tpot": "time per output token", "e2e": "whole answer", "queue_wait": "wait"}


def objective(target: Target) -> str:
    """`99% of requests: time to first token under 1 s`."""
    whose = f" of {target.class_name or target.tenant}" if target.class_name or target.tenant else ""
    limit = f"{_METRICS[target.metric]} under {words.duration(target.under_s)}"
    return f"{words.percent(target.share)} of requests{whose}: {limit}"


def fleet(pool: PlannedPool) -> str:
    """`9 replicas of 4 x h100-sxm (36 GPUs)`."""
    design = pool.design.as_document()
    many = words.plural(pool.replicas, "replica")
    least = "at least " if pool.design.elastic else ""
    gpus = words.plural(pool.design.gpus(pool.replicas), "GPU")
    if pool.design.mixed is not None:
        return f"{least}{many}, {pool.design.told} ({gpus})"
    return f"{least}{many} of {design['gpus_per_replica']} x {design['gpu'] or 'GPU'} ({gpus})"


def bounds(line: Line) -> tuple[float, float]:
    """The ends of the interval of a share, which are shares too."""
    return max(line.interval.low, 0.0), min(line.interval.high, 1.0)


def share_and_bounds(line: Line) -> tuple[str, str]:
    """What an objective attained, and between what."""
    share = line.promise.share
    around = words.between(*bounds(line), lambda value: words.share_beside(value, share))
    return words.share_beside(line.attained, share), around


def interval(line: Line) -> str:
    """What an objective attained, with its bounds."""
    share, around = share_and_bounds(line)
    return f"{share} ({around})"


def of_fleet(found: Certificate) -> str:
    """The replicas that a certificate is of."""
    if len(found.fleet) == 1:
        return words.plural(found.replicas, "replica")
    return ", ".join(f"{count:,} in {name}" for name, count in found.fleet.items())


def command(found: Certificate, scenario: Scenario, file: str = "planned.yaml") -> str:
    """What makes the runs of a certificate again."""
    keys = {
        name: "min_replicas" if pool.autoscaler.kind != "fixed" else "replicas" for name, pool in scenario.pools.items()
    }
    sets = "".join(f" --set pools.{name}.autoscaler.{keys[name]}={count}" for name, count in found.fleet.items())
    return f"fleetcast run {file} --set seed={found.seed}{sets} --replications {found.runs}"


def nearest(targets: Sequence[Target], swing: Swing) -> tuple[Target, float] | None:
    """The objective that is nearest to being missed, or furthest beyond, and what it attained; None: nobody came."""
    pairs = [(target, each.other) for target, each in zip(targets, swing.attained, strict=True) if each is not None]
    return min(pairs, key=lambda pair: pair[1] - pair[0].share, default=None)


def attained(targets: Sequence[Target], swing: Swing) -> str:
    """What that objective attained, beside its promise."""
    found = nearest(targets, swing)
    if found is None:
        return words.MISSING
    target, share = found
    told = (
        f"{words.share_beside(share, target.share)} of {METRICS[target.metric]} under {words.duration(target.under_s)}"
    )
    return f"{told} ({words.percent(target.share)} promised)"
