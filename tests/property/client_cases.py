"""Random clients for the random fleets of the oracle's comparison: limits, retries, copies, sessions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim.model.specs import PoolSpec, SenderSpec
from sim.model.tables import FAILED, REJECTED, TIMED_OUT
from tests.oracle import Job, Step
from tests.property.test_elastic_oracle import resuming_case

JITTERS = ["none", "full", "equal", "decorrelated"]


@dataclass(frozen=True)
class Case:
    """A fleet, what control does to it, and those who use it."""

    specs: list[PoolSpec]
    jobs: list[Job]
    """Those that arrive by themselves, then those that follow others."""
    senders: list[SenderSpec]
    steps: list[Step]
    lets_go: bool
    horizon_s: float


def client_case(seed: int, ties: bool) -> Case:
    """A random case; with ties all times are multiples of a power of two, those drawn by luck too."""
    specs, jobs, most_in_flight, steps, lets_go = resuming_case(seed, ties)
    rng = np.random.default_rng([seed, 5])
    if rng.random() < 0.3:  # nobody comes or goes
        steps = [Step(0.0, "open", row) for row in range(sum(spec.replicas for spec in specs))]
    specs = [replace(spec, cancels=bool(rng.random() < 0.6)) for spec in specs]
    senders = [sender(rng, most, ties) for most in most_in_flight]
    bears = [limits(rng, ties) for _ in senders]
    for job in jobs:
        if ties:
            job.ticket = math.floor(64 * job.ticket) / 64
        for name, (usual_s, spread) in bears[job.stream].items():
            setattr(job, name, scatter(rng, usual_s, spread, ties))
    followers: list[Job] = []
    if rng.random() < 0.5:
        for job in jobs:
            if rng.random() < 0.5:
                followers += session(job, rng, ties)
    horizon_s = math.inf if rng.random() < 0.5 else jobs[-1].arrival_s
    return Case(specs, jobs + followers, senders, steps, lets_go, horizon_s)


def sender(rng: np.random.Generator, most_in_flight: int | None, ties: bool) -> SenderSpec:
    retries = tuple(outcome for outcome in (REJECTED, TIMED_OUT, FAILED) if rng.random() < 0.8)
    keys: dict[str, Any] = {"max_in_flight": most_in_flight}
    if rng.random() < 0.7:
        keys |= {
            "attempts": int(rng.integers(2, 5)),
            "retries": retries,
            "exponential": bool(rng.random() < 0.5),
            "jitter": str(rng.choice(JITTERS)),
            "backoff_s": scatter(rng, float(rng.choice([0, 0.125, 0.5])), 0.5, ties),
            "longest_backoff_s": float(rng.choice([0.375, 1.0, math.inf])),
            "budget": float(rng.choice([math.inf, 0.125, 0.25, 0.5])),
            "most_credit": float(rng.choice([1, 2, 10])),
        }
    if rng.random() < 0.5:
        keys |= {"hedges": int(rng.integers(1, 4)), "hedge_s": scatter(rng, float(rng.choice([0.125, 0.5])), 0.5, ties)}
    if rng.random() < 0.5:
        keys |= {
            "slow_s": scatter(rng, 0.5, 1.0, ties),
            "leaves": float(rng.choice([0.5, 1])),
            "away_s": float(rng.choice([1.0, math.inf])),
        }
    return SenderSpec(persists=bool(rng.random() < 0.5), **keys)


def limits(rng: np.random.Generator, ties: bool) -> dict[str, tuple[float, float]]:
    """What the requests of a stream bear: its usual value and how far it spreads."""
    found = {}
    for name, low_s, high_s in (
        ("patience_s", 0.03, 1.0),
        ("first_token_timeout_s", 0.1, 1.5),
        ("total_timeout_s", 0.2, 3.0),
        ("token_timeout_s", 0.02, 0.2),
    ):
        if rng.random() < (0.2 if name == "token_timeout_s" else 0.4):
            found[name] = (float(np.exp(rng.uniform(np.log(low_s), np.log(high_s)))), float(rng.choice([0, 0.5])))
    return found


def scatter(rng: np.random.Generator, usual_s: float, spread: float, ties: bool) -> float:
    value_s = usual_s * float(rng.uniform(1 - spread, 1 + spread))
    return max(round(value_s * 32), usual_s > 0) / 32 if ties else value_s


def session(head: Job, rng: np.random.Generator, ties: bool) -> list[Job]:
    """What follows a request: a chain of turns, some of which fan out and join."""
    made: list[Job] = []
    ends = [head]
    for _ in range(int(rng.integers(1, 4))):
        wide = 1 if len(ends) > 1 or rng.random() < 0.7 else int(rng.integers(2, 4))
        turns = [turn(head, rng, ties) for _ in range(wide)]
        for job in turns:
            job.waits = job.joins = len(ends)
        for end in ends:
            end.then = turns
        made += turns
        ends = turns
    return made


def turn(head: Job, rng: np.random.Generator, ties: bool) -> Job:
    ticket = float(rng.random())
    return replace(
        head,
        arrival_s=math.inf,
        prompt=int(rng.integers(1, 41)) if head.prompt else 0,
        cached=0,
        prefix=(),
        sizes=(),
        answer=-1,
        answer_tokens=0,
        then=[],
        rivals=[],
        ticket=math.floor(64 * ticket) / 64 if ties else ticket,
        pause_s=scatter(rng, float(rng.choice([0, 0.25])), 1.0, ties),
    )
