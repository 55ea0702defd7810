"""What becomes of requests on a replica that is on its way out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sim.config.units import Duration


class Drain(BaseModel):
    """A replica that goes takes no new requests, and ends once it is empty or its grace period is over.

    Without `grace` it waits for the longest generation. A Kubernetes pod gets 30 s unless its
    `terminationGracePeriodSeconds` says otherwise (Kubernetes documentation, pod lifecycle), which cuts longer ones.
    `resume` is what a router does that keeps the tokens it has passed on and sends them along with the prompt (NVIDIA
    Dynamo documentation, request migration). Whichever is meant to go `first`, replicas that are not ready yet go
    before it, as a Kubernetes ReplicaSet has it; there, `least_busy` takes a pod-deletion-cost annotation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    queued: Annotated[
        Literal["redirect", "stay"],
        Field(description="Requests that wait in the replica's own queue: sent to other replicas, or served here."),
    ] = "redirect"
    grace_s: Annotated[
        Duration | None,
        Field(alias="grace", description="After this the replica is killed (Kubernetes: 30s). Left out: no limit."),
    ] = None
    lost: Annotated[
        Literal["retry", "resume", "fail"],
        Field(
            description="Requests that a kill or a failure cuts off: started again elsewhere, gone on with elsewhere "
            "(what was served counts; prompt and tokens so far are prefilled there), or failed."
        ),
    ] = "retry"
    first: Annotated[
        Literal["newest", "oldest", "least_busy"],
        Field(
            description="Of those that are ready, which one is scaled in: the last or the first that was ordered, or "
            "the one with the fewest requests (the newest of several)."
        ),
    ] = "newest"
