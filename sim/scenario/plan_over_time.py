"""What a scenario says of a plan over months: demand to come, what can be bought and how soon, quotas, the risk taken.

Owns the keys of `plan.over_time`. Months are calendar months; the first one's demand is the workload as it is given.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sim.config.said import Problems, said, said_all
from sim.config.units import AMOUNT, COUNT, SHARE, Duration, PositiveCount, PositiveShare, Share, shown
from sim.pricing import Price
from sim.pricing.spans import DAY_S
from sim.scenario.plan_options import AnyOption

LEAD_S = {"owned": 90 * DAY_S, "reserved": 14 * DAY_S}
"""Where nothing else is said: servers take a quarter to come, a reservation two weeks of procurement."""

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
MOST_MONTHS = 60
_PER_MONTH = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*(%?)\s*(?:/\s*month)?\s*")


def _growth(value: Any) -> float:
    """A change a month as a share: `5%/month`, `5%`, `-2%`, 0.05."""
    if isinstance(value, str):
        match = _PER_MONTH.fullmatch(value)
        if match is None:
            raise said(f"must be a change a month, such as 5%/month or -2%/month; got {shown(value)}")
        found = float(match[1]) / (100 if match[2] else 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value)
    else:
        raise said(f"must be a change a month, such as 5%/month; got {shown(value)}")
    if not -0.9 <= found <= 10:
        hint = f"; did you mean '{found:g}%'?" if abs(found) >= 1 else ""
        raise said(f"must be between -90% and 1000% a month; got {shown(value)}{hint}")
    return found


def _month(value: Any) -> str:
    """A calendar month as ISO 8601 writes it."""
    text = str(value)
    match = re.fullmatch(r"(\d{4})-(\d\d)", text)
    if match is None or not 1 <= int(match[2]) <= 12 or not 1970 <= int(match[1]) <= 2999:
        raise said(f"must be a month, such as 2026-12; got {shown(value)}")
    return text


Growth = Annotated[float, BeforeValidator(_growth)]
"""A change a month, as a share of the month before."""
Month = Annotated[str, BeforeValidator(_month)]
"""A calendar month, as in 2026-12."""
_Factor = Annotated[float, AMOUNT.between(1e-6, 1e6)]


class GrowthRange(BaseModel):
    """Growth that is not known well: with even odds below `p50`, one in ten above `p90`; as far off below it."""

    model_config = _CLOSED

    p50: Annotated[Growth, Field(description="A month, as likely too high as too low.")]
    p90: Annotated[Growth, Field(description="A month, exceeded with a probability of 10 %.")]

    @model_validator(mode="after")
    def _wide(self) -> Self:
        if self.p90 < self.p50:
            raise said(f"must be at least p50 ({self.p50:g}), which is exceeded more often", "p90")
        return self


def _growth_or_range(value: Any) -> Any:
    return value if isinstance(value, dict | GrowthRange) else {"p50": _growth(value), "p90": _growth(value)}


class DemandScenario(BaseModel):
    """One way that demand may go."""

    model_config = _CLOSED

    probability: Annotated[PositiveShare, Field(description="How likely it is; all of them sum to 1.")]
    growth: Annotated[Growth | None, Field(description="A month, from the second month on.")] = None
    factors: Annotated[
        tuple[_Factor, ...] | None, Field(description="Of the workload as given, month by month; instead of growth.")
    ] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.growth is None) == (self.factors is None):
            raise said("takes one of growth (such as 5%/month) and factors (a list, one a month)")
        return self


class MonthlyFile(BaseModel):
    """A forecast made elsewhere: CSV with `month`, then p10, p50 and p90, or a column for each demand scenario."""

    model_config = _CLOSED

    file: Annotated[str, Field(min_length=1, description="The file.")]
    unit: Annotated[
        _Factor, Field(description="The value that the workload as given stands for; 1: values are factors of it.")
    ] = 1.0
    probabilities: Annotated[
        dict[str, PositiveShare] | None, Field(description="Of the scenario columns, by name; left out: all alike.")
    ] = None


class History(BaseModel):
    """Demand of the past, from which the months to come are forecast: CSV with a time and a rate for each hour."""

    model_config = _CLOSED

    file: Annotated[str, Field(min_length=1, description="The file.")]


class FutureDemand(BaseModel):
    """How demand goes on: one of growth, scenarios, forecast and history; all left out, it stays."""

    model_config = _CLOSED

    growth: Annotated[
        GrowthRange | None, BeforeValidator(lambda value: None if value is None else _growth_or_range(value))
    ] = Field(None, description="A month: 5%/month, or {p50: 5%, p90: 9%}.")
    scenarios: Annotated[dict[str, DemandScenario] | None, Field(description="By name, with probabilities.")] = None
    forecast: Annotated[MonthlyFile | None, Field(description="A forecast made elsewhere.")] = None
    history: Annotated[History | None, Field(description="Hourly rates of the past, to be forecast from.")] = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        given = [key for key in ("growth", "scenarios", "forecast", "history") if getattr(self, key) is not None]
        if len(given) > 1:
            raise said(f"takes one of growth, scenarios, forecast and history; got {' and '.join(given)}")
        if self.scenarios is not None:
            total = sum(each.probability for each in self.scenarios.values())
            if abs(total - 1) > 1e-6:
                raise said(f"must have probabilities that sum to 1; they sum to {total:.6g}", "scenarios")
        return self


class Launch(BaseModel):
    """Demand that comes, or goes (a migration away), with one event; beside organic growth."""

    model_config = _CLOSED

    month: Annotated[Month, Field(description="From this month on, as in 2027-02.")]
    factor: Annotated[_Factor, Field(description="All demand times this: 1.3 is 30 % more, 0.8 a fifth less.")]
    probability: Annotated[PositiveShare, Field(description="How likely it is, on its own.")] = 1.0
    months: Annotated[PositiveCount | None, Field(description="How long it lasts; left out: for good.")] = None


class PlannedRegion(BaseModel):
    """One of the places where demand is served, each with a fleet of its own."""

    model_config = _CLOSED

    share: Annotated[PositiveShare, Field(description="Of all demand; those of all regions sum to 1.")]
    prices: Annotated[
        dict[str, Price], Field(description="By GPU, where they differ from the pool's.", examples=[{}])
    ] = {}
    quotas: Annotated[dict[str, PositiveCount], Field(description="GPUs of the provider at once, by GPU.")] = {}


class Risk(BaseModel):
    """How often a fleet may be too small."""

    model_config = _CLOSED

    short_at_most: Annotated[
        Annotated[float, SHARE.between(0, 0.5)],
        Field(description="Probability of a month in which demand outgrows what there is."),
    ] = 0.05


def _shares(regions: dict[str, PlannedRegion]) -> dict[str, PlannedRegion]:
    total = sum(region.share for region in regions.values())
    if regions and abs(total - 1) > 1e-6:
        raise said(f"must have shares that sum to 1; they sum to {total:.6g}")
    return regions


class OverTime(BaseModel):
    """A plan over months: what to buy, when, by which contract."""

    model_config = _CLOSED

    months: Annotated[int, COUNT.between(1, MOST_MONTHS), Field(description="How many are planned.")]
    starts: Annotated[
        Month | None, Field(description="The first of them; left out: the month of the scenario's `starts`.")
    ] = None
    demand: Annotated[FutureDemand, Field(description="How demand goes on; left out: it stays.")] = FutureDemand()
    growth: Annotated[Growth | None, Field(description="Short for demand: {growth: ...}.")] = None
    launches: Annotated[dict[str, Launch], Field(description="Events that change demand, by name.")] = {}
    migrations: Annotated[dict[str, Launch], Field(description="The same, told apart in the document.")] = {}
    regions: Annotated[
        dict[str, PlannedRegion], AfterValidator(_shares), Field(description="Where demand is served; left out: once.")
    ] = {}
    lead_time: Annotated[
        dict[Literal["owned", "reserved", "savings_plan"], Duration],
        Field(description="From the order to the first use, by kind; left out: owned 90d, reserved 14d, else none."),
    ] = {}
    options: Annotated[
        tuple[AnyOption, ...] | None,
        Field(description="What can be bought; left out: on demand, and what prices are listed for."),
    ] = None
    quotas: Annotated[dict[str, PositiveCount], Field(description="GPUs of the provider at once, by GPU.")] = {}
    node: Annotated[
        dict[str, PositiveCount], Field(description="GPUs bought at once, by GPU; left out: a node of its sheet.")
    ] = {}
    hours: Annotated[
        Literal["fleet", "demand"],
        Field(
            description="What follows the hours of a day on demand: the fleet as its autoscaler makes it (a fixed one "
            "stays), or the need for each rate of the workload's curve."
        ),
    ] = "fleet"
    risk: Annotated[Risk, Field(description="How often it may be too small.")] = Risk()
    afterwards: Annotated[
        Literal["stays", "ends"],
        Field(description="Demand after the last month, while contracts go on: as in that month, or none."),
    ] = "stays"
    tolerance: Annotated[Share, Field(description="Attainment this close to the promise counts as kept.")] = 0.002
    rounds: Annotated[int, COUNT.between(1, 10), Field(description="Of proposing and verifying, at most.")] = 3

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problems: Problems = []
        if self.growth is not None and self.demand != FutureDemand():
            problems.append((("growth",), "says nothing beside 'demand', which tells how demand goes on; remove one"))
        for name, each in (self.demand.scenarios or {}).items():
            if each.factors is not None and len(each.factors) != self.months:
                told = f"must be {self.months}, one for each month; got {len(each.factors)}"
                problems.append((("demand", "scenarios", name, "factors"), told))
        if self.starts is not None:
            for kind in ("launches", "migrations"):
                for name, launch in getattr(self, kind).items():
                    if months_between(self.starts, launch.month) >= self.months:
                        told = f"is after the plan's last month; it has {self.months} from {self.starts} on"
                        problems.append(((kind, name, "month"), told))
        if problems:
            raise said_all(problems)
        return self

    def lead_s(self, kind: str) -> float:
        """From the order of a kind of contract to its first use."""
        return next((each_s for name, each_s in self.lead_time.items() if name == kind), LEAD_S.get(kind, 0.0))

    @property
    def future(self) -> FutureDemand:
        """How demand goes on."""
        if self.growth is None:
            return self.demand
        return FutureDemand(growth=GrowthRange(p50=self.growth, p90=self.growth))


def months_between(first: str, later: str) -> int:
    """Whole months from one to another; below 0 if the second is earlier."""
    return (int(later[:4]) - int(first[:4])) * 12 + int(later[5:]) - int(first[5:])
