"""What a purchase plan is about, in plain numbers: periods, load levels, and what can be bought.

Owns the words between a scenario and the MILP; knows neither.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Period:
    """A stretch of time in which nothing bought begins or ends: a month, or several beyond the plan's last."""

    month: int
    """Months after the plan's first, from 0, at which it begins."""
    hours: float
    months: int = 1
    planned: bool = True
    """False: it is beyond the plan's last month."""


@dataclass(frozen=True)
class Site:
    """The requests of one pool in one region."""

    name: str
    region: str
    gpus: Mapping[str, float]
    """GPUs that a replica takes away from what is bought, by GPU that it may run on."""
    spot_share: float = 0.0
    """Of its GPUs, on spot at most."""


@dataclass(frozen=True)
class State:
    """One load level of one demand scenario in one period."""

    period: int
    """Place among the periods."""
    path: int
    """Place among the demand scenarios."""
    probability: float
    """Of the demand scenario."""
    hours: float
    """At this level."""
    replicas: Mapping[tuple[str, str], int]
    """Needed for all requests of a site (its name) on one GPU."""


@dataclass(frozen=True)
class Commitment:
    """GPUs paid for used or not, bought by node."""

    name: str
    kind: str
    gpu: str
    region: str
    usd_per_gpu_h: float
    gpus_at_once: int
    term_months: int
    first_month: int = 0
    """The first month in which it can be there: the lead time from the plan's first day."""
    most_gpus: float = math.inf


@dataclass(frozen=True)
class Hourly:
    """GPUs paid for by the hour."""

    name: str
    kind: str
    """`on_demand` or `spot`."""
    gpu: str
    region: str
    usd_per_gpu_h: float
    gpus_at_once: int = 1
    most_gpus: float = math.inf


@dataclass(frozen=True)
class Spending:
    """A commitment to spend so much an hour, for which on-demand GPUs are had at a discount."""

    name: str
    discount_share: float
    term_months: int
    first_month: int = 0
    gpu: str | None = None
    region: str | None = None


@dataclass(frozen=True)
class Problem:
    """All that a proposal follows from."""

    periods: tuple[Period, ...]
    sites: tuple[Site, ...]
    states: tuple[State, ...]
    commitments: tuple[Commitment, ...] = ()
    hourly: tuple[Hourly, ...] = ()
    spending: tuple[Spending, ...] = ()
    there: Mapping[tuple[str, str, int], float] = field(default_factory=dict)
    """GPUs that contracts of today still give, by GPU, region and period (its place)."""
    quotas: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """GPUs of the provider at once, by GPU and region."""
    short_at_most: float = 0.05
    """Probability, in each month and at each site, that demand outgrows what there is."""


@dataclass(frozen=True)
class Bought:
    """One purchase."""

    option: str
    kind: str
    gpu: str
    region: str
    month: int
    """In which it begins to hold."""
    term_months: int
    gpus: int
    usd_per_gpu_h: float


@dataclass(frozen=True)
class Committed:
    """One commitment to spend."""

    option: str
    month: int
    term_months: int
    usd_per_h: float


@dataclass(frozen=True)
class Use:
    """What runs at one load level, in GPUs by GPU and region; and the share of a site's requests left unserved."""

    on_demand: Mapping[tuple[str, str], float]
    spot: Mapping[tuple[str, str], float]
    discounted: Mapping[tuple[str, str], float]
    """On demand, paid from a commitment to spend."""
    carried: Mapping[tuple[str, str], float]
    """Share of a site's requests on a GPU, by name of site and GPU."""
    short: Mapping[str, float]
    """By site."""


@dataclass(frozen=True)
class Proposal:
    """What to buy, and what then runs in every state."""

    bought: tuple[Bought, ...]
    spending: tuple[Committed, ...]
    uses: tuple[Use, ...]
    """One for each state of the problem."""
    usd: float
    """Expected, to the end of the last contract; shortage not priced in."""
    gap_share: float
    """How far from the best it may be."""

    def gpus(self, period: Period, gpu: str, region: str, kind: str | None = None) -> int:
        """GPUs that purchases give in a period."""
        return sum(
            each.gpus
            for each in self.bought
            if (each.gpu, each.region) == (gpu, region)
            and kind in (None, each.kind)
            and each.month <= period.month < each.month + each.term_months
        )
