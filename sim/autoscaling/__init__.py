"""Autoscaling policies: pure decisions from an observation, one file a family; the union below is the registry."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Tag

from sim.autoscaling.clouds.aws import TargetTracking
from sim.autoscaling.clouds.aws_step import StepScaling
from sim.autoscaling.clouds.gcp_mig import GcpMig
from sim.autoscaling.external import EXTERNAL, External, kind_of
from sim.autoscaling.fixed import Fixed
from sim.autoscaling.knative.knative import Knative
from sim.autoscaling.kubernetes.hpa import Hpa
from sim.autoscaling.kubernetes.keda import Keda
from sim.autoscaling.observation import Decision, Observation, Policy
from sim.autoscaling.own.clairvoyant import Clairvoyant
from sim.autoscaling.own.predictive import Predictive
from sim.autoscaling.own.queue_length import QueueLength
from sim.autoscaling.own.scheduled import Scheduled
from sim.autoscaling.own.slo_feedback import SloFeedback
from sim.autoscaling.serving.aibrix import Aibrix
from sim.autoscaling.serving.dynamo import DynamoPlanner
from sim.autoscaling.serving.ray_serve import RayServe
from sim.autoscaling.serving.wva import Wva

__all__ = ["AnyPolicy", "Decision", "External", "Fixed", "Observation", "Policy"]

# The union is the registry: the loader, the error text, the JSON Schema and the contract tests read it.
AnyPolicy = Annotated[
    Annotated[Fixed, Tag("fixed")]  # what a mapping without a kind is
    | Annotated[Hpa, Tag("hpa")]
    | Annotated[Keda, Tag("keda")]
    | Annotated[Knative, Tag("knative")]
    | Annotated[TargetTracking, Tag("aws_target_tracking")]
    | Annotated[StepScaling, Tag("aws_step_scaling")]
    | Annotated[GcpMig, Tag("gcp_mig")]
    | Annotated[RayServe, Tag("ray_serve")]
    | Annotated[DynamoPlanner, Tag("dynamo_planner")]
    | Annotated[Wva, Tag("wva")]
    | Annotated[Aibrix, Tag("aibrix")]
    | Annotated[Scheduled, Tag("scheduled")]
    | Annotated[Predictive, Tag("predictive")]
    | Annotated[QueueLength, Tag("queue_length")]
    | Annotated[SloFeedback, Tag("slo_feedback")]
    | Annotated[Clairvoyant, Tag("clairvoyant")]
    | Annotated[External, Tag(EXTERNAL)],  # stays last
    Discriminator(kind_of),
]
