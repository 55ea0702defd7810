"""Autoscaling policies: pure decisions from an observation, one file a family; the union below is the registry."""

from __future__ import annotations

from sim.autoscaling.fixed import Fixed
from sim.autoscaling.observation import Decision, Observation, Policy

__all__ = ["AnyPolicy", "Decision", "Fixed", "Observation", "Policy"]

# The union is the registry: the loader, the error text, the JSON Schema and the contract tests read it.
AnyPolicy = Fixed
