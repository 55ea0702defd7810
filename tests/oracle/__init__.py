"""A naive model of the same fleet, for comparison: plain Python, one iteration at a time, every batch scanned whole.

Written from the semantics (docs/architecture.md; what control does is told in `control`), not from the transitions:
lists instead of tables, `min` over everything instead of heaps and tournaments, no jump over identical iterations, and
a new object for every replica that opens.
"""

from tests.oracle.control import Step
from tests.oracle.naive import Naive
from tests.oracle.parts import Job

__all__ = ["Job", "Naive", "Step"]
