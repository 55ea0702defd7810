"""What every law of one number shares: its quantity, its clamp, its mean."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from pydantic import model_validator as check

from sim.config.said import said
from sim.config.units import Amount, Duration, PositiveBandwidth
from sim.workload.sound import drawn

__all__ = ["Distribution", "Floats", "Q"]

Floats = NDArray[np.float64]
Q = TypeVar("Q", bound=float)
"""The quantity a law is written over; a plain number in base units once validated."""
_MOST_MEAN = 1e15


class Distribution(BaseModel, Generic[Q]):
    """A law of one number, at least 0, in base units (seconds, tokens, bytes/s), optionally clamped to [min, max]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    min: Annotated[Q | None, Field(description="Smaller draws become this.")] = None
    max: Annotated[Q | None, Field(description="Larger draws become this.")] = None

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw n values, shape (n,), in base units. Raises `ConfigError` where `_draw` gives anything else."""
        values = drawn(self._draw(rng, n), n, type(self).__name__)
        if self.min is not None or self.max is not None:
            np.clip(values, self.min, self.max, out=values)
        return values

    @property
    def mean_value(self) -> float:
        """The mean; exact, but for a clamped law, whose mean is that of 65,536 fixed draws (about 1 %)."""
        if self.min is None and self.max is None:
            return self._mean()
        return float(self.sample().mean())

    @property
    def scv(self) -> float:
        """The squared coefficient of variation, variance over squared mean; of a clamped law as its mean.

        0 where the mean is 0.
        """
        if self.min is not None or self.max is not None:
            values = self.sample()
            mean = float(values.mean())
            return float(values.var()) / mean**2 if mean > 0 else 0.0
        mean = self._mean()
        return max(self._mean_square() / mean**2 - 1, 0.0) if mean > 0 else 0.0

    def sample(self) -> Floats:
        """65,536 draws, the same at every call, shape (65536,)."""
        fixed = np.random.Generator(np.random.Philox(np.random.SeedSequence(0)))
        return self.draw(fixed, 65_536)

    @abstractmethod
    def _draw(self, rng: np.random.Generator, n: int) -> Floats: ...

    @abstractmethod
    def _mean(self) -> float: ...

    @abstractmethod
    def _mean_square(self) -> float: ...

    @check(mode="after")
    def _check(self) -> Any:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise said(f"must be at most max ({self.max:g}), got {self.min:g}", "min")
        self._check_parameters()
        try:
            large = self.source_file is None and self._mean() > _MOST_MEAN
        except OverflowError:
            large = True
        if large:
            raise said(f"has a mean above {_MOST_MEAN:g}: is the unit right?")
        return self

    @property
    def source_file(self) -> str | None:
        """The data file the law is read from at its first use, if any."""
        return None

    def _check_parameters(self) -> None:
        """Refuse parameters that do not fit together, by raising `said`."""

    def _one_of(self, *ways: tuple[str, ...]) -> tuple[str, ...]:
        """The one set of parameters that was given, among the allowed ones; an error if it is none of them."""
        names = {name for way in ways for name in way}
        given = {name for name in names if getattr(self, name) is not None}
        for way in ways:
            if given == set(way):
                return way
        told = "; ".join(" and ".join(way) for way in ways)
        order = [name for name in type(self).model_fields if name in given]
        raise said(f"takes one of: {told}; got {' and '.join(order) if order else 'none of them'}")

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        names = {Duration: "Duration", Amount: "Token", PositiveBandwidth: "Bandwidth"}
        return next((name for quantity, name in names.items() if params == (quantity,)), "") + cls.__name__

    def __reduce__(self) -> tuple[Any, ...]:
        # Classes made by subscription have no importable name: pickle the recipe instead.
        generic = type(self).__pydantic_generic_metadata__
        return _rebuilt, (generic["origin"] or type(self), generic["args"], dict(self.__dict__), self.model_fields_set)


def _rebuilt(law: Any, args: tuple[Any, ...], values: dict[str, Any], given: set[str]) -> Any:
    return (law[args] if args else law).model_construct(given, **values)
