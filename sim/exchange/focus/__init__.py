"""A run's bill as the FinOps Open Cost and Usage Specification (FOCUS) 1.2 writes it, marked as simulated in every row.

Cost and usage of the measured window only. `EffectiveCost` over all rows is the run's `cost.total_usd`.
"""

from __future__ import annotations

from sim.exchange.focus.columns import COLUMNS, OWN, VERSIONS
from sim.exchange.focus.rows import check_ready, focus_lines, focus_rows

__all__ = ["COLUMNS", "OWN", "VERSIONS", "check_ready", "focus_lines", "focus_rows"]
