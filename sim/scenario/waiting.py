"""What a scenario may say of those who wait in a queue: who goes first, how many may wait, who is turned away."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import Amount, Count, Duration, PositiveDuration
from sim.scenario.replica import kind_or
from sim.workload.names import ClassName

__all__ = ["AnyShed", "ClassCap", "ShedByDelay", "ShedByLoad", "ShedByWait", "Waiting"]

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
_MaxTokens = Annotated[
    Count | None,
    Field(description="Prompt tokens that may wait; a request beyond is rejected. Left out: no limit."),
    Tunable(0.1, 4, times=True, log=True, least=1),
]


class ClassCap(BaseModel):
    """How much of one class may wait; the limits of the queue hold as well."""

    model_config = _CLOSED

    max_waiting: Annotated[
        Count | None,
        Field(description="Requests of the class. Left out: no limit."),
        Tunable(0.1, 4, times=True, log=True, least=1),
    ] = None
    max_waiting_tokens: Annotated[
        Count | None,
        Field(description="Their prompt tokens. Left out: no limit."),
        Tunable(0.1, 4, times=True, log=True, least=1),
    ] = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.max_waiting is None and self.max_waiting_tokens is None:
            raise said("needs 'max_waiting' or 'max_waiting_tokens'")
        return self


class ShedByLoad(BaseModel):
    """New requests of a class are refused while so many requests wait for each ready replica."""

    model_config = ConfigDict(**_CLOSED, json_schema_extra={"required": ["kind", "at"]})

    kind: Literal["load"] = "load"
    at: Annotated[
        dict[ClassName, Amount],
        Field(
            description="By class, the requests waiting for each ready replica (of all classes) from which on it is "
            "refused. A class that is not named is never refused."
        ),
        Tunable(0.1, 4, times=True, log=True),
    ]

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if not self.at:
            raise said("must name at least one class, such as {free: 4}", "at")
        return self


class ShedByWait(BaseModel):
    """New requests are refused that would miss their SLO anyway.

    The wait is estimated: those who wait and go before it, by priority, and itself, times the mean time between two
    starts in the pool while requests wait (an exponentially weighted mean). Who finds nobody waiting is let in.
    """

    model_config = ConfigDict(**_CLOSED, json_schema_extra={"required": ["kind"]})

    kind: Literal["estimated_wait"] = "estimated_wait"
    limit: Annotated[
        dict[ClassName, PositiveDuration],
        Field(description="By class, the longest estimated wait. Left out: what its SLO on ttft or queue_wait says."),
        Tunable(0.2, 3, times=True, log=True),
    ] = {}


class ShedByDelay(BaseModel):
    """Requests are refused when it is their turn, if they have waited more than twice the target while all wait long.

    Controlled delay as in "Fail at Scale" (Maurer 2015): all wait long if, in the last interval, even the one that
    waited least did so for longer than the target.
    """

    model_config = ConfigDict(**_CLOSED, json_schema_extra={"required": ["kind"]})

    kind: Literal["codel"] = "codel"
    target_s: Annotated[
        PositiveDuration,
        Field(alias="target", description="A wait that is not too long, for the one who waits least."),
        Tunable(0.1, 5, times=True, log=True),
    ] = 0.5
    interval_s: Annotated[
        PositiveDuration, Field(alias="interval", description="Over which the least wait is looked for.")
    ] = 1.0

    @model_validator(mode="after")
    def _target_fits(self) -> Self:
        if self.target_s > self.interval_s:
            raise said(f"must not be above the interval ({self.interval_s:g} s); got {self.target_s:g} s", "target")
        return self


AnyShed = Annotated[
    Annotated[ShedByLoad, Tag("load")]
    | Annotated[ShedByWait, Tag("estimated_wait")]
    | Annotated[ShedByDelay, Tag("codel")],
    Discriminator(kind_or("load")),
]


class Waiting(BaseModel):
    """What every queue has."""

    model_config = _CLOSED

    order: Annotated[
        Literal["fcfs", "priority", "weighted_fair"],
        Field(
            description="Who goes first: whoever came first; the class of the highest priority; or classes in turns, "
            "so that each gets its weight's share of the tokens served."
        ),
    ] = "fcfs"
    preemptive: Annotated[
        bool,
        Field(
            description="With priorities: who outranks somebody being served takes its place. A slot's service goes on "
            "later; in a batch, at the next iteration, what was computed is computed again later."
        ),
    ] = False
    aging_s: Annotated[
        PositiveDuration | None,
        Field(
            alias="aging",
            description="With priorities: a class one level lower goes before those that came so much later. Left out: "
            "never.",
        ),
    ] = None
    fair: Annotated[
        Literal["tenants"] | None,
        Field(description="Tenants take turns by their weight, among those of one priority. Left out: they do not."),
    ] = None
    max_waiting_tokens: _MaxTokens = None
    classes: Annotated[dict[ClassName, ClassCap], Field(description="Limits of single classes.")] = {}
    shed: Annotated[
        AnyShed | None, Field(description="When new requests are turned away. Left out: when no more may wait.")
    ] = None
    reject: Annotated[
        Literal["at_once", "at_deadline"],
        Field(description="When a rejected client hears of it: at once, or not before it would have given up."),
    ] = "at_once"
    retry_after_s: Annotated[
        Duration, Field(alias="retry_after", description="When a rejected client is told to come back.")
    ] = 0.0

    @model_validator(mode="after")
    def _fits_order(self) -> Self:
        if self.order != "priority":
            for key, given in (("preemptive", self.preemptive), ("aging", self.aging_s is not None)):
                if given:
                    raise said(f"needs 'order: priority'; the order is {self.order}", key)
        if self.fair is not None and self.order == "weighted_fair":
            raise said("needs 'order: fcfs' or 'priority': weighted_fair shares between classes already", "fair")
        if self.fair is not None and self.aging_s is not None:
            raise said(
                "cannot be with 'fair': tenants take their turns within a priority; take one of them out", "aging"
            )
        return self
