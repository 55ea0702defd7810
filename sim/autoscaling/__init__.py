"""Autoscaling policies: pure decisions from an observation, one file a family; the union below is the registry."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Tag

from sim.autoscaling.aibrix import Aibrix
from sim.autoscaling.external import EXTERNAL, External, kind_of
from sim.autoscaling.fixed import Fixed
from sim.autoscaling.knative import Knative
from sim.autoscaling.observation import Decision, Observation, Policy
from sim.autoscaling.ray_serve import RayServe

__all__ = ["AnyPolicy", "Decision", "External", "Fixed", "Observation", "Policy"]

# The union is the registry: the loader, the error text, the JSON Schema and the contract tests read it.
AnyPolicy = Annotated[
    Annotated[Fixed, Tag("fixed")]  # what a mapping without a kind is
    | Annotated[Knative, Tag("knative")]
    | Annotated[Aibrix, Tag("aibrix")]
    | Annotated[RayServe, Tag("ray_serve")]
    | Annotated[External, Tag(EXTERNAL)],  # stays last
    Discriminator(kind_of),
]
