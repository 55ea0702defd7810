"""What a plan may buy: the contracts of `contracts`, each for one GPU; and GPUs by the hour, on demand or spot.

The words are those of contracts and prices; how many GPUs is what the plan finds out, so no option says it.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from sim.config.units import AMOUNT, Count, Duration, PositiveCount, Share, UsdPerHour
from sim.pricing.contracts import Owned, Reserved, SavingsPlan

_Dollar = Annotated[float, AMOUNT.between(1, 1)]


class _Bought(BaseModel):
    """What all options may say."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    gpu: Annotated[str | None, Field(description="For this GPU only; left out: for each of the plan's.")] = None
    region: Annotated[str | None, Field(description="In this region only; left out: in each.")] = None
    most: Annotated[PositiveCount | None, Field(description="GPUs at once; left out: as many as the quota.")] = None


class OnDemandOption(_Bought):
    """GPUs by the hour, there when wanted."""

    kind: Literal["on_demand"]
    price_usd_per_gpu_h: Annotated[
        UsdPerHour | None, Field(alias="price", description="USD per GPU-hour; left out: as listed.")
    ] = None
    gpus_at_once: Annotated[
        PositiveCount | None, Field(description="GPUs of an instance; left out: those of a replica.")
    ] = None


class SpotOption(_Bought):
    """GPUs by the hour that may be taken back."""

    kind: Literal["spot"]
    price_usd_per_gpu_h: Annotated[
        UsdPerHour | None, Field(alias="price", description="USD per GPU-hour; left out: as listed.")
    ] = None
    most_share: Annotated[
        Share | None, Field(description="Of the GPUs that are needed; left out: the pool's `interruptible`.")
    ] = None


class _Lead(_Bought):
    lead_s: Annotated[
        Duration | None, Field(alias="lead", description="From the order to the first use; left out: `lead_time`.")
    ] = None


class ReservedOption(_Lead, Reserved):
    """GPUs reserved for a term, by node."""

    gpus: Annotated[Count, Field(exclude=True, description="Found by the plan.")] = 1


class OwnedOption(_Lead, Owned):
    """GPUs bought, by node."""

    gpus: Annotated[Count, Field(exclude=True, description="Found by the plan.")] = 1


class SavingsOption(_Lead, SavingsPlan):
    """A commitment to spend so much an hour at a discount."""

    commit_usd_per_h: Annotated[_Dollar, Field(alias="commit", exclude=True, description="Found by the plan.")] = 1.0


AnyOption: TypeAlias = Annotated[
    OnDemandOption | SpotOption | ReservedOption | OwnedOption | SavingsOption, Field(discriminator="kind")
]
"""The union is the registry."""
