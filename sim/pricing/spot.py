"""Spot prices that move: processes from which the price of every hour of a run is drawn, or read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from sim.config.said import said
from sim.config.units import AMOUNT, USD_PER_HOUR, PositiveDuration, UsdPerHour
from sim.pricing.hourly import of_a_day
from sim.pricing.spans import HOUR_S, HOURS

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
_PositiveUsdPerHour = Annotated[float, USD_PER_HOUR.positive()]
_Cv = Annotated[float, AMOUNT.between(0.001, 1000)]


class ByHour(BaseModel):
    """The same price every day at the same hour."""

    model_config = _CLOSED

    kind: Literal["by_hour"]
    usd: Annotated[
        tuple[UsdPerHour, ...],
        AfterValidator(of_a_day),
        Field(description="USD per GPU-hour, 24 of them, from midnight on."),
    ]

    @property
    def mean_usd(self) -> float:
        """USD per GPU-hour, on average."""
        return sum(self.usd) / HOURS

    def hours(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        """USD per GPU-hour of the first hours of a run, shape (count,). Draws nothing."""
        return np.resize(np.array(self.usd), count)


class MeanReverting(BaseModel):
    """A price that wanders and comes back: the logarithm is an Ornstein-Uhlenbeck process, sampled by the hour.

    Its stationary law is lognormal with this mean and coefficient of variation; the correlation of two hours falls as
    exp(-distance / reverts). (Lucia and Schwartz 2002 use the same process for the price of electricity.)
    """

    model_config = _CLOSED

    kind: Literal["mean_reverting"]
    mean_usd: Annotated[_PositiveUsdPerHour, Field(alias="mean", description="USD per GPU-hour in the long run.")]
    cv: Annotated[_Cv, Field(description="Standard deviation over the mean.")]
    reverts_s: Annotated[
        PositiveDuration, Field(alias="reverts", description="Time in which a deviation falls to 1/e.")
    ] = 6 * HOUR_S
    most_usd: Annotated[
        _PositiveUsdPerHour | None, Field(alias="most", description="It is never above this, such as the list price.")
    ] = None

    @model_validator(mode="after")
    def _most_above_mean(self) -> Self:
        if self.most_usd is not None and self.most_usd < self.mean_usd:
            raise said(f"must be at least the mean ({self.mean_usd:g}); got {self.most_usd:g}", "most")
        return self

    def hours(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        """USD per GPU-hour of the first hours of a run, shape (count,). One draw an hour, whatever the run is."""
        sd = math.sqrt(math.log1p(self.cv**2))
        keeps = math.exp(-HOUR_S / self.reverts_s)
        step = sd * math.sqrt(1 - keeps**2)
        noise = rng.standard_normal(count)
        path = np.empty(count)
        at = 0.0
        for hour, draw in enumerate(noise.tolist()):
            at = sd * draw if hour == 0 else keeps * at + step * draw
            path[hour] = at
        usd = self.mean_usd * np.exp(path - sd**2 / 2)
        return usd if self.most_usd is None else np.minimum(usd, self.most_usd)


class Listed(BaseModel):
    """Prices that were read: one an hour from the run's start on; the last one holds on."""

    model_config = _CLOSED

    kind: Literal["listed"]
    usd: Annotated[tuple[UsdPerHour, ...], Field(min_length=1, description="USD per GPU-hour, hour by hour.")]

    @property
    def mean_usd(self) -> float:
        """USD per GPU-hour, on average."""
        return sum(self.usd) / len(self.usd)

    def hours(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        """USD per GPU-hour of the first hours of a run, shape (count,). Draws nothing."""
        known = np.array(self.usd[:count])
        return np.concatenate((known, np.full(count - len(known), self.usd[-1])))


# The union is the registry.
SpotProcess = Annotated[ByHour | MeanReverting | Listed, Field(discriminator="kind")]

if TYPE_CHECKING:
    AnySpot: TypeAlias = float | ByHour | MeanReverting | Listed
else:
    AnySpot = Annotated[
        Annotated[UsdPerHour, Tag("usd")] | Annotated[SpotProcess, Tag("process")],
        Discriminator(lambda value: "process" if isinstance(value, dict | BaseModel) else "usd"),
    ]
