"""What is told of kept runs that look right and cannot be used: by another version, or by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sim.config.errors import ConfigError, DataError, Problem

_SIGNS = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@contextmanager
def damage_told(file: str) -> Iterator[None]:
    """Raise `DataError` for whatever goes wrong where numbers of runs that were read are looked up, and only there.

    Checksums tell what the disk did. What somebody wrote with the right checksum is only seen when it is used.
    """
    import numpy as np

    try:
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            yield
    except (ConfigError, DataError):
        raise
    except _SIGNS as error:
        told = f"holds a run whose numbers cannot be used ({type(error).__name__}: {error!s:.80})"
        raise DataError(Problem(f"{told}; take it away, or name another folder", file=file)) from error
