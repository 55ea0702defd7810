"""The formula for one line of servers, the best that its arrivals and services allow; and what routers make of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sim.result.twin.told import Kind
from sim.result.twin.traffic import Work
from sim.theory import (
    GIM1,
    MG1,
    MMc,
    ModulatedLine,
    Waits,
    allen_cunneen,
    batch_arrivals_one_server,
    cosmetatos,
    erlang_c,
    erlang_gaps,
)
from sim.workload.arrival import Arrivals
from sim.workload.arrivals import Batch, Mmpp, Poisson, Renewal
from sim.workload.distributions import Constant, Erlang, Exponential, Gamma, Hyperexponential

MOST_MODULATED = 1000
"""Servers up to which bursts are solved exactly; it takes a matrix a server."""
BURSTY = 4.0
"""Dispersion from which two moments are poor."""


class Tail(Protocol):
    """The law of a wait."""

    def wait_exceeds(self, wait_s: float) -> float: ...

    def wait_quantile_s(self, share: float) -> float: ...


class Sojourns(Protocol):
    """The law of the time from arrival to finish."""

    def sojourn_exceeds(self, sojourn_s: float) -> float: ...

    def sojourn_quantile_s(self, share: float) -> float: ...


@dataclass(frozen=True)
class Line:
    """What a formula says of one line."""

    mean_wait_s: float
    method: str
    kind: Kind
    tail: Tail | None = None
    tail_kind: Kind = "approximation"
    sojourns: Sojourns | None = None
    assumes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What comes to one line."""

    rate_per_s: float
    law: Arrivals | None
    """Of all arrivals, at this rate; None if only their dispersion is known."""
    dispersion: float
    work: Work
    turns: int = 1
    """One in so many requests of a Poisson process, in turn."""


def line(servers: int, asked: Asked) -> Line | None:
    """The best formula for one line of servers; None at and beyond capacity."""
    rate, work = asked.rate_per_s, asked.work
    if rate * work.mean_s >= servers:
        return None
    law = asked.law
    if isinstance(law, Poisson):
        return _poisson(servers, rate, work)
    if isinstance(law, Mmpp) and work.exponential and servers <= MOST_MODULATED:
        bursts = ModulatedLine(servers, law.rates, law.leave, work.mean_s)
        return Line(bursts.mean_wait_s, f"MMPP/M/{servers}, matrix-geometric", "exact")
    if isinstance(law, Batch) and servers == 1:
        size, square = law.size_moments
        return Line(batch_arrivals_one_server(law.rate, size, square, work.mean_s, work.scv), "M[X]/G/1", "exact")
    gaps = erlang_gaps(asked.turns, rate) if asked.turns > 1 else _transform(law)
    if gaps is not None and work.exponential and servers == 1:
        renewal = GIM1(rate, work.mean_s, gaps)
        return Line(renewal.mean_wait_s, "GI/M/1", "exact", renewal, "exact", renewal)
    return _two_moments(servers, rate, asked.dispersion, work)


def _poisson(servers: int, rate: float, work: Work) -> Line:
    if work.exponential:
        plain = MMc(servers, rate, work.mean_s)
        return Line(plain.mean_wait_s, f"M/M/{servers}", "exact", plain, "exact", plain)
    if servers == 1:
        single = MG1(rate, work.mean_s, work.scv**0.5)
        return Line(
            single.mean_wait_s, "M/G/1 (Pollaczek-Khinchine)", "exact", Waits(rate * work.mean_s, single.mean_wait_s)
        )
    wait_s = cosmetatos(servers, rate, work.mean_s, work.scv)
    return Line(
        wait_s,
        f"M/G/{servers} (Cosmetatos)",
        "approximation",
        Waits(erlang_c(servers, rate * work.mean_s), wait_s),
        assumes=("by two moments of the service: within some per cent up to a cv of about 1",),
    )


def _two_moments(servers: int, rate: float, dispersion: float, work: Work) -> Line:
    wait_s = allen_cunneen(servers, rate, work.mean_s, dispersion, work.scv)
    assumes = "by two moments of gaps and service: within some ten per cent for independent gaps"
    if dispersion > BURSTY:
        assumes = "by two moments, which are poor for bursts this long: it may be off by a factor"
    name = "G/G/1 (Kingman)" if servers == 1 else f"G/G/{servers} (Allen-Cunneen)"
    tail = Waits(erlang_c(servers, rate * work.mean_s), wait_s)
    return Line(wait_s, name, "approximation", tail, assumes=(assumes,))


def _transform(law: Arrivals | None) -> Callable[[float], float] | None:
    """The Laplace transform of independent gaps, where it is known."""
    gap = law.gap if isinstance(law, Renewal) else None
    if gap is None or gap.min is not None or gap.max is not None:
        return None
    if isinstance(gap, Constant):
        return lambda s: float(np.exp(-s * gap.value))
    if isinstance(gap, Exponential):
        return lambda s: 1 / (1 + s * gap.mean)
    if isinstance(gap, Erlang):
        return lambda s: float((1 + s * gap.mean / gap.phases) ** -gap.phases)
    if isinstance(gap, Gamma):
        shape, scale = gap._shape_scale
        return lambda s: float((1 + s * scale) ** -shape)
    if isinstance(gap, Hyperexponential):
        shares, means = gap._branches
        return lambda s: float((shares / shares.sum()) @ (1 / (1 + s * means)))
    return None


def by_lot(asked: Asked, replicas: int) -> Asked:
    """What one of so many replicas gets by lot: a thinned stream."""
    rate, law = asked.rate_per_s / replicas, asked.law
    thin: Arrivals | None = None
    if isinstance(law, Poisson):
        thin = Poisson(rate=rate)
    elif isinstance(law, Mmpp):
        thin = Mmpp(rates=tuple(each / replicas for each in law.rates), leave=law.leave)
    return Asked(rate, thin, 1 + (asked.dispersion - 1) / replicas, asked.work)


def in_turn(asked: Asked, replicas: int) -> Asked:
    """What one of so many replicas gets by turns: one request in so many."""
    rate = asked.rate_per_s / replicas
    turns = replicas if isinstance(asked.law, Poisson) else 1
    return Asked(rate, None, asked.dispersion / replicas, asked.work, turns)
