"""The pictures of `autoscaling.md`: load, replicas, waits and money of an elastic scenario over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import facts_elastic
from facts_elastic import Elastic
from house import INK  # noqa: F401
