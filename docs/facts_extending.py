"""What `extending.md` quotes of the source."""

from __future__ import annotations

import inspect


def arrivals_union() -> str:
    """The line of the source that lists the arrival laws."""
    from sim.workload import arrivals

    source = inspect.getsource(arrivals).splitlines()
    (at,) = (number for number, line in enumerate(source) if line.startswith("AnyArrivals"))
    return f"`{source[at + 1].strip().rstrip(',')}`"
