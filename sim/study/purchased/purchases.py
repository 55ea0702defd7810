"""A plan over time as it is told: what to buy and by when, what runs and what it costs month by month, what may fail.

Owns the results; `as_document` makes them plain values for JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Order:
    """One purchase, and when it must be ordered."""

    option: str
    kind: str
    gpu: str
    region: str
    gpus: int
    holds_from: str
    """The first day."""
    holds_until: str
    needed_by: str
    """The first day on which demand outgrows what there would be without it, more often than is allowed; no later than
    `holds_from`. The same as that where the rest could be had on demand: it is bought because it is cheaper."""
    order_by: str
    """The last responsible day: `needed_by` less the lead time."""
    lead_days: float
    because: str
    usd_per_gpu_h: float
    usd: float
    """Over its whole term."""
    is_late: bool = False
    """Whether that day is before the plan's first."""


@dataclass(frozen=True)
class Pledge:
    """One commitment to spend."""

    option: str
    usd_per_h: float
    holds_from: str
    holds_until: str
    order_by: str


@dataclass(frozen=True)
class Layer:
    """GPUs of one kind in one month, in one region."""

    month: str
    region: str
    gpu: str
    layer: str
    """`existing`, `owned`, `reserved`, `on_demand`, `spot` or `savings_plan`."""
    gpus: float
    """Committed; of what is paid by the hour, the mean over hours and demand scenarios."""
    peak_gpus: float
    """In the fullest hour of the demand scenario that takes most."""
    usd: float
    """Expected, of the month."""


@dataclass(frozen=True)
class MonthPlan:
    """One month of the plan."""

    month: str
    demand_factor: Mapping[str, float]
    """By quantile: p10, p50, p90."""
    replicas: Mapping[str, Mapping[str, int]]
    """By site and demand quantile p50, p90: that requests take, spares included."""
    usd_expected: float
    usd_p50: float
    usd_p90: float
    probability_short: float
    """That demand outgrows what there is, somewhere."""


@dataclass(frozen=True)
class Line:
    """One line of a headroom waterfall."""

    what: str
    replicas: int
    why: str


@dataclass(frozen=True)
class Waterfall:
    """Where the replicas of a site come from, in one month: the lines sum to the fleet."""

    site: str
    month: str
    gpu: str
    lines: tuple[Line, ...]

    @property
    def replicas(self) -> int:
        """All of them."""
        return sum(line.replicas for line in self.lines)


@dataclass(frozen=True)
class Verified:
    """One month of one demand scenario, simulated with what is to be there, spares left out."""

    month: str
    scenario: str
    site: str
    demand_factor: float
    replicas: Mapping[str, int]
    """By GPU."""
    seed: int
    runs: int
    meets: bool | None
    """None: it is known to be short, and allowed to."""
    attained: tuple[float | None, ...]
    """By objective."""
    missed_share: float
    by_policy: bool = False
    """Missed by the pool's autoscaler with as many replicas as it wants: more do not mend it."""


@dataclass(frozen=True)
class Round:
    """One round of proposing and verifying."""

    usd: float
    """Expected, to the end of the last contract."""
    verified: int
    failed: int


@dataclass(frozen=True)
class Purchases:
    """A plan over time."""

    months: tuple[MonthPlan, ...]
    orders: tuple[Order, ...]
    pledges: tuple[Pledge, ...]
    layers: tuple[Layer, ...]
    waterfalls: tuple[Waterfall, ...]
    verified: tuple[Verified, ...]
    """Of the last round."""
    rounds: tuple[Round, ...]
    demand: Mapping[str, Any]
    sizes: Mapping[str, Mapping[str, list[tuple[float, int]]]]
    """By pool and GPU: levels of demand and the replicas that they take."""
    usd_expected: float
    """Of all months of the plan."""
    usd_p50: float
    usd_p90: float
    usd_without_commitments: float | None
    """Expected, with everything by the hour; None where nothing is to be had so."""
    usd_after: float
    """What is still to be paid after the last month whatever happens."""
    risk_share: float
    """Probability of a month too small that was allowed."""
    gap_share: float
    """How far from the cheapest the proposal may be, by the solver."""
    notes: tuple[str, ...] = ()

    @property
    def feasible(self) -> bool:
        """Whether every month is verified, and short no more often than is allowed."""
        kept = all(each.meets is not False for each in self.verified)
        return kept and all(month.probability_short <= self.risk_share + 1e-9 for month in self.months)

    def as_document(self) -> dict[str, Any]:
        """JSON-ready."""
        told = asdict(self)
        told["waterfalls"] = [{**asdict(each), "replicas": each.replicas} for each in self.waterfalls]
        return {"feasible": self.feasible, **told}
