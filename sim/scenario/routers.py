"""What a scenario may say of a router: its name alone, or also how fresh its loads are and how far it remembers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from sim.config import catalogue
from sim.config.said import said
from sim.config.units import AMOUNT, DURATION
from sim.model.routing import BLIND, BOUNDED, ROUTERS

SHORTEST_REFRESH_S = 1e-6


def _known(name: str) -> str:
    if name not in ROUTERS:
        raise said(f"'{name}' is not one of {', '.join(ROUTERS)}{catalogue.did_you_mean(name, ROUTERS)}")
    return name


# the routers are those of the model's union: nothing to add here when one is added there
Name = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(ROUTERS)})]


class Router(BaseModel):
    """How the replica of a new request is picked, and what is known for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    kind: Annotated[Name, Field(description="The router.")]
    refresh_s: Annotated[
        Annotated[float, DURATION.positive()] | None,
        Field(alias="refresh", description="It reads the replicas' loads so often. Left out: it always knows them."),
    ] = None
    counts_own: Annotated[
        bool | None,
        Field(strict=True, description="Between two reads it adds what it has itself sent. Left out: it does."),
    ] = None
    load_bound: Annotated[
        Annotated[float, AMOUNT.between(1, 1e6)] | None,
        Field(description="It goes by what it remembers up to this many times the mean load. Left out: 1.25."),
    ] = None

    @field_validator("refresh_s")
    @classmethod
    def _not_too_often(cls, value: float | None) -> float | None:
        if value is not None and value < SHORTEST_REFRESH_S:
            raise said(f"must be at least {SHORTEST_REFRESH_S:g} s; left out, the router always knows the loads")
        return value

    @model_validator(mode="after")
    def _is_used(self) -> Self:
        if self.refresh_s is not None and self.kind in BLIND:
            raise said(f"says nothing for '{self.kind}', which looks at no load; remove it", "refresh")
        if self.counts_own is not None and self.refresh_s is None:
            raise said("says nothing without 'refresh': the router always knows the loads; remove it", "counts_own")
        if self.load_bound is not None and self.kind not in BOUNDED:
            raise said(f"is for {' and '.join(BOUNDED)}; remove it", "load_bound")
        return self


if TYPE_CHECKING:
    AnyRouter: TypeAlias = str | Router
else:
    AnyRouter = Annotated[
        Annotated[Name, Tag("a name")] | Annotated[Router, Tag("a router")],
        Discriminator(lambda value: "a router" if isinstance(value, Mapping | BaseModel) else "a name"),
    ]


def as_router(router: str | Router) -> Router:
    """The router that a `router` key means."""
    return router if isinstance(router, Router) else Router(kind=router)
