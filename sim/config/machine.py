"""What this machine has. Owns the question of how much memory a run may take."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["memory_bytes"]

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_bytes() -> float:
    """Bytes of memory that a process may use: the machine's, or its container's if that is less; inf if unknown."""
    found = [math.inf]
    with suppress(AttributeError, OSError, ValueError):  # not every system tells
        found.append(float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES"))
    for limit in map(Path, _CGROUP_LIMITS):
        with suppress(OSError, ValueError):  # it may not be there, or say `max` for none
            found.append(float(limit.read_text(encoding="ascii")))
    return min(found)
