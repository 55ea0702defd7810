"""Hardware that is owned: what buying it, keeping it and powering it come to by the hour."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sim.config.units import (
    AMOUNT,
    SHARE,
    Count,
    PositiveUsd,
    Share,
    UsdPerKwMonth,
    UsdPerYear,
)
from sim.pricing.contracts.base import Contract
from sim.pricing.power import Electricity
from sim.pricing.price import Price
from sim.pricing.spans import HOURS_PER_YEAR, MONTHS_PER_YEAR, YEAR_S

_Years = Annotated[float, AMOUNT.between(0.0001, 1000)]
_Availability = Annotated[float, SHARE.between(0.01, 1)]


class Owned(Contract, Electricity):
    """GPUs that were bought: depreciation, capital, maintenance and space run by the clock, energy by the load.

    A GPU-hour, without its energy, costs

        (capex (1 - residual) / years + capex cost_of_capital + maintenance + staff + 12 colocation kW)
            / 8760 / availability

    with straight depreciation and interest on the whole price, the usual simple form (SemiAnalysis' cost of ownership).
    """

    kind: Literal["owned"]
    gpus: Annotated[Count, Field(description="How many GPUs.")]
    capex_usd_per_gpu: Annotated[
        PositiveUsd, Field(alias="capex", description="USD a GPU, installed: server, network and rack included.")
    ]
    residual_share: Annotated[
        Share, Field(alias="residual", description="What it is still worth in the end, of what it cost.")
    ] = 0.0
    years: Annotated[_Years, Field(description="How long it serves.")] = 5.0
    cost_of_capital: Annotated[Share, Field(description="A year, of what it cost.")] = 0.08
    maintenance_usd_per_gpu_year: Annotated[
        UsdPerYear, Field(alias="maintenance", description="USD a GPU and year: repairs, support contracts.")
    ] = 0.0
    staff_usd_per_gpu_year: Annotated[
        UsdPerYear, Field(alias="staff", description="USD a GPU and year: people who run it.")
    ] = 0.0
    colocation_usd_per_kw_month: Annotated[
        UsdPerKwMonth, Field(alias="colocation", description="USD a kW and month for space, of the busy draw.")
    ] = 0.0
    availability: Annotated[
        _Availability, Field(description="Share of the time that a GPU works; the others pay for the rest.")
    ] = 1.0

    @property
    def lasts_s(self) -> float:
        """How long it holds."""
        return self.years * YEAR_S

    @property
    def upfront_share(self) -> float:
        """All is paid on signing."""
        return 1.0

    @property
    def usable_gpus(self) -> float:
        """GPUs that work at any time, on average."""
        return self.gpus * self.availability

    @property
    def capex_usd(self) -> float:
        """What was paid for all of it."""
        return self.gpus * self.capex_usd_per_gpu

    def book_usd(self, left_s: float) -> float:
        """What it is worth in the books with so much of its life left: straight depreciation to the residual."""
        return self.capex_usd * (self.residual_share + (1 - self.residual_share) * left_s / self.lasts_s)

    def usd_per_gpu_h(self, listed: Price | None = None) -> float:
        """USD per GPU-hour, without energy."""
        capex = self.capex_usd_per_gpu
        kw = self.watts.busy / 1000
        yearly = (
            capex * (1 - self.residual_share) / self.years
            + capex * self.cost_of_capital
            + self.maintenance_usd_per_gpu_year
            + self.staff_usd_per_gpu_year
            + self.colocation_usd_per_kw_month * kw * MONTHS_PER_YEAR
        )
        return yearly / HOURS_PER_YEAR / self.availability
