"""Columns drawn from what a file says of a length, a count or a time, checked where a law goes too far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Tag

from sim.config.errors import ConfigError, Problem
from sim.config.units import Amount
from sim.workload.distributions import Constant, TokenLaw
from sim.workload.durations import law_or
from sim.workload.law import Distribution
from sim.workload.randomness import RngOf
from sim.workload.rows import MOST_TOKENS

__all__ = ["AnyCount", "drawn_counts", "drawn_times", "drawn_tokens", "mean"]

Floats = NDArray[np.float64]
Tokens = NDArray[np.int32]
_CHUNK = 1 << 20  # rows drawn at a time: temporaries stay small beside the columns

if TYPE_CHECKING:
    AnyCount: TypeAlias = float | Distribution[float]
else:
    AnyCount = Annotated[Annotated[Amount, Tag("number")] | Annotated[TokenLaw, Tag("law")], law_or("number")]


def mean(law: float | Distribution[float]) -> float:
    """The mean, in base units."""
    return law.mean_value if isinstance(law, Distribution) else float(law)


def drawn_tokens(
    law: Distribution[float] | None, name: str, rng_of: RngOf, n: int, *, absent: int, place: str | None = None
) -> Tokens:
    """Whole tokens from a law, shape (n,), at least 1; a constant 0 stays 0 for prompts.

    `name` is that of the random numbers, `place` the key that an error names (None: the same).
    """
    if law is None or (absent == 0 and isinstance(law, Constant) and law.value == 0):
        return np.full(n, absent, dtype=np.int32)
    rng = rng_of(name)
    tokens = np.empty(n, dtype=np.int32)
    for at in range(0, n, _CHUNK):
        drawn = law.draw(rng, min(_CHUNK, n - at))
        most = float(drawn.max())
        if not most <= MOST_TOKENS:
            told = f"drew {most:.4g} tokens for one request; give the law a `max`"
            raise ConfigError(Problem(told, name if place is None else place))
        np.rint(drawn, out=drawn)
        tokens[at : at + _CHUNK] = np.maximum(drawn, 1.0, out=drawn)
    return tokens


def drawn_counts(
    law: float | Distribution[float], name: str, rng_of: RngOf, n: int, *, least: int, most: int, place: str
) -> NDArray[np.int64]:
    """Whole numbers from a number or a law, shape (n,), at least `least`. Raises ConfigError for one above `most`."""
    drawn = law.draw(rng_of(name), n) if isinstance(law, Distribution) else np.full(n, float(law))
    largest = float(drawn.max(initial=0.0))
    if not largest <= most:
        raise ConfigError(Problem(f"drew {largest:.4g}, and {most:,} is the most; give the law a `max`", place))
    return np.maximum(np.rint(drawn), least).astype(np.int64)


def drawn_times(law: float | Distribution[float], name: str, rng_of: RngOf, n: int, place: str) -> Floats:
    """Seconds from a duration or a law, shape (n,). Raises ConfigError for an infinite one."""
    if not isinstance(law, Distribution):
        return np.full(n, float(law))
    drawn_s = law.draw(rng_of(name), n)
    if not np.isfinite(drawn_s).all():
        raise ConfigError(Problem("drew an infinite time; give the law a `max`", place))
    return drawn_s
