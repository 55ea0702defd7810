"""What a scenario may say of a queue: where requests wait, and how the replica of a new one is picked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from sim.config.tunable import Tunable
from sim.config.units import Count
from sim.scenario.replica import kind_or
from sim.scenario.routers import AnyRouter, Router, as_router
from sim.scenario.routes import Spill
from sim.scenario.waiting import Waiting

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


_MaxWaiting = Annotated[
    Count | None,
    Field(description="Requests that may wait; one more is rejected. Left out: no limit."),
    Tunable(0.1, 4, times=True, log=True, least=1),
]
_Spill = Annotated[
    Spill | None, Field(description="Where new requests go when there are too many here. Left out: nowhere.")
]


class PerReplica(Waiting):
    """Each replica has its own queue; a router picks the replica when a request arrives."""

    model_config = _CLOSED

    kind: Literal["per_replica"] = "per_replica"
    router: Annotated[
        AnyRouter, Field(description="How the replica of a new request is picked: a name, or `{kind, ...}`.")
    ] = "least_outstanding"
    max_waiting: _MaxWaiting = None
    spill: _Spill = None

    @property
    def routing(self) -> Router:
        """The router with all that can be said of it."""
        return as_router(self.router)


class Central(Waiting):
    """One queue for the pool; a replica takes the next request when it has room."""

    model_config = ConfigDict(**_CLOSED, json_schema_extra={"required": ["kind"]})

    kind: Literal["central"] = "central"
    max_waiting: _MaxWaiting = None
    spill: _Spill = None


AnyQueue = Annotated[
    Annotated[PerReplica, Tag("per_replica")] | Annotated[Central, Tag("central")],
    Discriminator(kind_or("per_replica")),
]
