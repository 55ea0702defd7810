"""The numbers of a run whose request rows are not kept: sums over the rows, taken as they come.

A row is looked at once, by one compiled loop (`fold`), and everything that a summary or a timeline tells of requests is
found from the sums (`tally`).
"""

from __future__ import annotations

from sim.result.tally.tally import Tally

__all__ = ["Tally"]
