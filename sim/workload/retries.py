"""What clients do beyond waiting: they send a request again after a failure, or a copy of it before there is one."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from sim.config.said import said
from sim.config.units import AMOUNT, COUNT, Duration, PositiveDuration, PositiveShare

__all__ = ["AnyRetry", "ExponentialRetry", "FixedRetry", "Hedge"]

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
_MOST_ATTEMPTS = 1000
Failure = Literal["rejected", "timed_out", "failed", "abandoned"]


def _twice(attempts: int) -> int:
    if attempts < 2:
        raise said(f"counts the first time too, so it must be at least 2; got {attempts} (for one, leave this out)")
    return attempts


_Attempts = Annotated[int, COUNT.between(1, _MOST_ATTEMPTS), AfterValidator(_twice)]


def _some(outcomes: tuple[Failure, ...]) -> tuple[Failure, ...]:
    if not outcomes:
        raise said("must name at least one outcome; leave 'retry' out for clients that never try again")
    for index, outcome in enumerate(outcomes):
        if outcome in outcomes[:index]:
            raise said(f"names '{outcome}' twice", index)
    return outcomes


class _Retry(BaseModel):
    """What all ways to retry share."""

    model_config = _CLOSED

    attempts: Annotated[_Attempts, Field(description="How often a request is sent at most, the first time included.")]
    budget: Annotated[
        PositiveShare | None,
        Field(description="Retries that each first attempt earns for all clients of the stream. Left out: no limit."),
    ] = None
    budget_burst: Annotated[
        Annotated[float, AMOUNT.between(1, 1e9)] | None,
        Field(description="Earned retries that are kept, and there are at the start; with a budget 10 if left out."),
    ] = None
    on: Annotated[
        tuple[Failure, ...], AfterValidator(_some), Field(description="Outcomes after which a request is sent again.")
    ] = ("rejected", "timed_out", "failed")
    heeds_retry_after: Annotated[
        bool, Field(strict=True, description="Wait at least as long as a rejection says (`retry_after` of the queue).")
    ] = True

    @model_validator(mode="after")
    def _burst_of_a_budget(self) -> Self:
        if self.budget is None and self.budget_burst is not None:
            raise said("is what a budget keeps; give a 'budget', such as 10%", "budget_burst")
        return self


class FixedRetry(_Retry):
    """The same pause before every retry."""

    kind: Literal["fixed"] = "fixed"
    base_s: Annotated[Duration, Field(alias="base", description="The pause; 0: at once.")] = 1.0
    jitter: Annotated[
        Literal["none", "full", "equal"],
        Field(description="A pause d is d, uniform in [0, d], or d/2 and uniform in [0, d/2]."),
    ] = "none"

    @property
    def cap_s(self) -> float:
        """The longest pause."""
        return self.base_s


class ExponentialRetry(_Retry):
    """Each pause is twice as long as the one before."""

    kind: Literal["exponential"] = "exponential"
    base_s: Annotated[PositiveDuration, Field(alias="base", description="The first pause.")] = 0.5
    cap_s: Annotated[PositiveDuration, Field(alias="cap", description="No pause is longer.")] = 8.0
    jitter: Annotated[
        Literal["none", "full", "equal", "decorrelated"],
        Field(
            description="A pause d is d, uniform in [0, d], or d/2 and uniform in [0, d/2]; decorrelated: uniform from "
            "base to 3 times the last pause."
        ),
    ] = "full"

    @model_validator(mode="after")
    def _cap_above_base(self) -> Self:
        if self.cap_s < self.base_s:
            raise said(f"must be at least base ({self.base_s:g} s), the first pause; got {self.cap_s:g} s", "cap")
        return self


def _kind(value: Any) -> str:
    return str(value.get("kind", "exponential") if isinstance(value, dict) else getattr(value, "kind", "exponential"))


AnyRetry = Annotated[
    Annotated[FixedRetry, Tag("fixed")] | Annotated[ExponentialRetry, Tag("exponential")], Discriminator(_kind)
]


class Hedge(BaseModel):
    """A copy of a request that has no first token yet; whichever is first counts, and the others are given up."""

    model_config = _CLOSED

    after_s: Annotated[
        PositiveDuration, Field(alias="after", description="Without a first token for so long, a copy is sent.")
    ]
    attempts: Annotated[
        _Attempts, Field(description="How often a request is sent at most, the first time included.")
    ] = 2
