"""The numbers of a run whose request rows are not kept: sums over the rows, taken as they come.

A row is looked at once, by one compiled loop (`fold`), and everything that a summary or a timeline tells of requests is
found from the sums (`tally`).
"""

from __future__ import annotations

from sim.result.tally.tally import Tally

__all__ = ["NOTE", "Tally"]

NOTE = (
    "rows of requests were not kept: latency quantiles are read from histograms and within 1.1 % of the exact ones; "
    "counts, means, maxima, attainment and money are exact"
)
"""What the log of such a run says of it."""
