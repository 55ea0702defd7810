"""That what a law has drawn can be simulated. Laws that ship always can; a law of the user's own may not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import ConfigError, Problem

Floats = NDArray[np.float64]


def drawn(values: Any, n: int, law: str) -> Floats:
    """What a law of one number has drawn: n numbers of at least 0. Raises `ConfigError`."""
    found = _numbers(values, f"the law '{law}'")
    if found.shape != (n,):
        raise ConfigError(Problem(f"the law '{law}' must draw an array of shape ({n},); got shape {found.shape}"))
    wrong = ~(found >= 0)
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ConfigError(Problem(f"the law '{law}' drew {found[place]} (draw {place}); it must draw 0 or more"))
    return found


def times(values: Any, horizon_s: float, law: str, after_s: float = 0.0) -> Floats:
    """Arrival times: sorted, from 0 (a piece of them: from `after_s`) to before the horizon. Raises `ConfigError`."""
    found = _numbers(values, f"the law '{law}'")
    if found.ndim != 1:
        told = f"the law '{law}' must give times as an array of shape (n,); got shape {found.shape}"
        raise ConfigError(Problem(told, "arrivals"))
    wrong = ~((found >= after_s) & (found < horizon_s))
    if wrong.any():
        place = int(np.argmax(wrong))
        told = f"times go from {after_s:g} to before {horizon_s:g} s"
        told = f"the law '{law}' gave {found[place]} s as time {place}; {told}"
        raise ConfigError(Problem(told, "arrivals"))
    back = np.flatnonzero(found[1:] < found[:-1])
    if len(back):
        place = int(back[0]) + 1
        told = f"the law '{law}' gave {found[place]} s after {found[place - 1]} s; times must be sorted"
        raise ConfigError(Problem(told, "arrivals"))
    return found


def _numbers(values: Any, who: str) -> Floats:
    try:
        found: Floats = np.asarray(values, float)
    except (TypeError, ValueError):
        raise ConfigError(Problem(f"{who} must give numbers; got {type(values).__name__}")) from None
    return found
