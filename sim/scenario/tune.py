"""What a scenario says of tuning itself: which keys, within what ranges, towards what, with how many runs.

It changes no run: only `fleetcast tune` reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from sim.config.said import said
from sim.config.units import COUNT, DURATION, PositiveAmount

__all__ = ["AnyRange", "Budget", "Choices", "Objective", "Range", "Tune", "budget_of", "quantity"]

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
Objective = Literal["cost", "p99", "attainment", "rejects", "regret"]
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z%][A-Za-z/%]*)?\s*")
_BUDGET = re.compile(r"\s*([\d.,]+\s*[kM]?)\s*(runs?|evaluations?|requests?)\s*")
_SUCH_AS = "such as 200 runs, 50M requests or 10m"


def quantity(value: float | str) -> tuple[float, str]:
    """A value of a key as a number and the unit that it is written with. Raises `ValueError`."""
    if isinstance(value, int | float):
        return float(value), ""
    found = _NUMBER.fullmatch(value)
    if found is None:
        raise ValueError(value)
    return float(found[1]), found[2] or ""


def _end(value: Any) -> Any:
    """One end of a range, kept as it is written."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise said("must be a number or a quantity, such as 20 or 30s")
    try:
        quantity(value)
    except ValueError:
        raise said(f"must be a number or a quantity, such as 20 or 30s; got '{str(value)[:40]}'") from None
    return value


End = Annotated[int | float | str, BeforeValidator(_end)]


class Range(BaseModel):
    """All values between two ends."""

    model_config = _CLOSED

    from_: Annotated[End, Field(alias="from", description="The lower end, as it would stand at the key.")]
    to: Annotated[End, Field(description="The upper end, in the same unit.")]
    log: Annotated[bool, Field(description="Search by ratio, not by difference; both ends are above 0 then.")] = False
    step: Annotated[PositiveAmount | None, Field(description="Between two values, in that unit. Left out: any.")] = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        low, high = self.ends
        if self.unit is None:
            raise said(f"must have the unit of `from` ('{self.from_}'), or be a duration as that is", "to")
        if low >= high:
            raise said(f"must be above `from` ({self.from_}), got {self.to}", "to")
        if self.log and low <= 0:
            raise said(f"must be above 0 with `log`, got {self.from_}", "from")
        if self.log and self.step is not None:
            raise said("is either by `step` or by ratio: leave one of them out", "log")
        return self

    @property
    def unit(self) -> str | None:
        """What values are written with; None: the ends have not one unit."""
        units = {quantity(self.from_)[1], quantity(self.to)[1]}
        if len(units) == 1:
            return units.pop()
        return "s" if units <= DURATION.units.keys() else None

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends, in that unit."""
        (low, one), (high, other) = quantity(self.from_), quantity(self.to)
        if one != other and {one, other} <= DURATION.units.keys():
            return low * float(DURATION.units[one]), high * float(DURATION.units[other])
        return low, high


class Choices(BaseModel):
    """One of some values."""

    model_config = _CLOSED

    choices: Annotated[
        tuple[bool | int | float | str, ...], Field(description="The values, as they would stand there.")
    ]

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return {"choices": value} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _several(self) -> Self:
        if len(set(map(str, self.choices))) < max(len(self.choices), 2):
            raise said("must be two or more different values", "choices")
        return self


def _which(value: Any) -> str:
    is_range = isinstance(value, Range) or (isinstance(value, dict) and "choices" not in value)
    return "range" if is_range else "choices"


AnyRange = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")],
    Discriminator(_which),
]


@dataclass(frozen=True)
class Budget:
    """How long a search may go on."""

    amount: float
    kind: Literal["runs", "requests", "seconds"]

    @property
    def told(self) -> str:
        """In words."""
        return f"{self.amount:,.0f} {self.kind}"


def budget_of(text: str) -> Budget:
    """`200 runs`, `50M requests`, `10m`. Raises `PydanticCustomError` (see `said`)."""
    found = _BUDGET.fullmatch(text)
    try:
        if found is None:
            return Budget(float(DURATION.positive().parse(text)), "seconds")
        amount = COUNT.positive().parse(found[1].replace(",", "").replace(" ", ""))
    except ValueError:
        raise said(f"must be runs, requests or a time, {_SUCH_AS}; got '{text[:40]}'") from None
    return Budget(float(amount), "requests" if found[2].startswith("request") else "runs")


def _budget(text: Any) -> str:
    if not isinstance(text, str):
        raise said(f"must be runs, requests or a time, {_SUCH_AS}")
    budget_of(text)
    return text


class Tune(BaseModel):
    """How `fleetcast tune` looks for better values of some keys."""

    model_config = _CLOSED

    ranges: Annotated[
        dict[str, AnyRange],
        Field(description="By key: `{from, to, log, step}` or a list of values. They come before what policies say."),
    ] = {}
    only: Annotated[bool, Field(description="Whether no keys are tuned but those of `ranges`.")] = False
    objective: Annotated[
        Objective,
        Field(
            description="What is to be least: cost, p99, missed attainment, rejects, or regret (cost beyond the "
            "clairvoyant's). Of all but cost and regret: without costing more than now."
        ),
    ] = "cost"
    keep: Annotated[
        Literal["promised", "attained"],
        Field(
            description="What each objective of the SLO has to attain: what was promised (or, where the untouched "
            "policy misses that, as much as it attains), or never less than the untouched policy does."
        ),
    ] = "promised"
    budget: Annotated[
        Annotated[str, AfterValidator(_budget)],
        Field(description="Of the search: `200 runs`, `50M requests`; or a time for all of it, such as `10m`."),
    ] = "200 runs"
    search_runs: Annotated[
        Annotated[int, COUNT.between(1, 1000)], Field(description="Runs of a point that stays in the race to its end.")
    ] = 9
    finalists: Annotated[
        Annotated[int, COUNT.between(1, 50)], Field(description="Points that are measured again on fresh seeds.")
    ] = 10
    fresh_runs: Annotated[
        Annotated[int, COUNT.between(2, 1000)], Field(description="Runs of each of them on fresh seeds.")
    ] = 10

    @property
    def most(self) -> Budget:
        """The budget, read."""
        return budget_of(self.budget)
