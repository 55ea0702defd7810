"""What a scenario may say of a queue: where requests wait, and how the replica of a new one is picked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from sim.config import catalogue
from sim.config.said import said
from sim.config.units import Count
from sim.model.routing import ROUTERS
from sim.scenario.replica import kind_or
from sim.scenario.waiting import Waiting

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _known_router(name: str) -> str:
    if name not in ROUTERS:
        raise said(f"'{name}' is not one of {', '.join(ROUTERS)}{catalogue.did_you_mean(name, ROUTERS)}")
    return name


# the routers are those of the model's union: nothing to add here when one is added there
Router = Annotated[str, AfterValidator(_known_router), WithJsonSchema({"type": "string", "enum": list(ROUTERS)})]
_MaxWaiting = Annotated[
    Count | None, Field(description="Requests that may wait; one more is rejected. Left out: no limit.")
]


class PerReplica(Waiting):
    """Each replica has its own queue; a router picks the replica when a request arrives."""

    model_config = _CLOSED

    kind: Literal["per_replica"] = "per_replica"
    router: Annotated[Router, Field(description="How the replica of a new request is picked.")] = "least_outstanding"
    max_waiting: _MaxWaiting = None


class Central(Waiting):
    """One queue for the pool; a replica takes the next request when it has room."""

    model_config = ConfigDict(**_CLOSED, json_schema_extra={"required": ["kind"]})

    kind: Literal["central"] = "central"
    max_waiting: _MaxWaiting = None


AnyQueue = Annotated[
    Annotated[PerReplica, Tag("per_replica")] | Annotated[Central, Tag("central")],
    Discriminator(kind_or("per_replica")),
]
