"""From the columns a run leaves behind to its latency, SLO attainment, utilization, cost and time series; and to files.

Everything is derived at the end, from request rows, samples and life spans; there is no metrics object that grows.
"""

from __future__ import annotations

from sim.result.log import DecisionRow, RunLog
from sim.result.result import Result

__all__ = ["DecisionRow", "Result", "RunLog"]
