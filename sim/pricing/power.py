"""Electricity: what GPUs draw by how loaded they are, what a kilowatt-hour costs and emits by the hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Tag, model_validator

from sim.config.curves import once_each
from sim.config.said import said
from sim.config.units import AMOUNT, Share, UsdPerKwh
from sim.pricing.hourly import of_a_day, several_or

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
_Watts = Annotated[float, AMOUNT.between(0, 1e6)]
_PositiveWatts = Annotated[float, AMOUNT.between(0, 1e6).positive()]
_Grams = Annotated[float, AMOUNT.between(0, 1e6)]

if TYPE_CHECKING:
    HourlyUsdPerKwh: TypeAlias = float | tuple[float, ...]
    HourlyAmount: TypeAlias = float | tuple[float, ...]
else:
    HourlyUsdPerKwh = Annotated[
        Annotated[UsdPerKwh, Tag("usd")] | Annotated[tuple[UsdPerKwh, ...], AfterValidator(of_a_day), Tag("by_hour")],
        several_or("usd"),
    ]
    HourlyAmount = Annotated[
        Annotated[_Grams, Tag("amount")] | Annotated[tuple[_Grams, ...], AfterValidator(of_a_day), Tag("by_hour")],
        several_or("amount"),
    ]


class Watts(BaseModel):
    """What one GPU draws with its part of the server: CPU, memory, fans, network; cooling is in the PUE.

    Between idle and busy it depends on how full the batch is: a decoding GPU draws a good part of its limit with a
    single sequence, so `at` may give points of the curve; without it the draw is `busy` whenever anything runs.
    """

    model_config = _CLOSED

    idle: Annotated[_PositiveWatts, Field(description="Watts with the engine up and nothing to do.")]
    busy: Annotated[_PositiveWatts, Field(description="Watts with a full batch.")]
    at: Annotated[
        dict[Share, _PositiveWatts],
        once_each("load"),
        Field(description="Watts by batch load, as {10%: 600, 50%: 900}; straight lines between, `busy` at 100%."),
    ] = {}
    off: Annotated[_Watts | None, Field(description="Watts of a GPU that no replica has; left out: as idle.")] = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.busy < self.idle:
            raise said(f"must be at least idle ({self.idle:g} W); got {self.busy:g} W", "busy")
        if self.off is not None and self.off > self.idle:
            raise said(f"must be at most idle ({self.idle:g} W); got {self.off:g} W", "off")
        if any(load in (0.0, 1.0) for load in self.at):
            raise said("holds loads between 0 and 100%; the ends are 'idle' and 'busy'", "at")
        return self

    def drawn(self, busy_share: NDArray[np.float64], batch_share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean watts of a GPU, from the share of time its replica works and how full the batch is then; same shapes."""
        loads = sorted(self.at)
        watts = [self.at[load] for load in loads]
        low = watts[0] if watts else self.busy
        working = np.interp(batch_share, [0.0, *loads, 1.0], [low, *watts, self.busy])
        return self.idle + np.clip(busy_share, 0.0, 1.0) * (working - self.idle)

    @property
    def off_w(self) -> float:
        """Watts of a GPU that no replica has."""
        return self.idle if self.off is None else self.off


class Electricity(BaseModel):
    """What a data centre pays for power, and what making it emits."""

    model_config = _CLOSED

    watts: Annotated[Watts, Field(description="What a GPU draws.")]
    pue: Annotated[
        Annotated[float, AMOUNT.between(1, 3)],
        Field(description="Power usage effectiveness: the building's power over that of its computers."),
    ] = 1.25
    tariff: Annotated[HourlyUsdPerKwh, Field(description="USD per kWh; or 24, by hour of the day.")] = 0.08
    co2_g_per_kwh: Annotated[
        HourlyAmount | None, Field(description="Grams of CO2 per kWh; or 24, by hour of the day. Left out: not told.")
    ] = None
