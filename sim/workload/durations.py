"""A duration that a file gives as a number or as a law."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import BaseModel, Discriminator, Tag

from sim.config.units import Duration, PositiveDuration
from sim.workload.distributions import Constant, DurationLaw
from sim.workload.law import Distribution

__all__ = ["AnyTime", "PositiveTime", "constant_s", "law_or"]


def law_or(plain: str) -> Discriminator:
    """Tells a mapping (tag `law`) from anything else (the tag given)."""
    return Discriminator(lambda value: "law" if isinstance(value, Mapping | BaseModel) else plain)


if TYPE_CHECKING:
    AnyTime: TypeAlias = float | Distribution[float]
    PositiveTime: TypeAlias = float | Distribution[float]
else:
    AnyTime = Annotated[Annotated[Duration, Tag("duration")] | Annotated[DurationLaw, Tag("law")], law_or("duration")]
    PositiveTime = Annotated[
        Annotated[PositiveDuration, Tag("duration")] | Annotated[DurationLaw, Tag("law")], law_or("duration")
    ]
    """A number is above 0."""


def constant_s(law: float | Distribution[float] | None) -> float | None:
    """The one value that a duration always has, in seconds; None if it has none or varies."""
    if isinstance(law, Constant):
        return law.mean_value
    return None if law is None or isinstance(law, Distribution) else float(law)
