"""The pictures of `autoscaling.md`: load, replicas, waits and money of an elastic scenario over time."""

from __future__ import annotations

from house import INK  # noqa: F401
