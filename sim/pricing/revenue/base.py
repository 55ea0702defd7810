"""What every kind of revenue shares: whose requests it is from, and what it is computed of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sim.pricing.scope import Scoped
from sim.pricing.spans import DAY_S


@dataclass(frozen=True)
class Use:
    """What the requests of a stretch of time came to."""

    time_s: float
    """How long the stretch is."""
    arrived: float = 0
    """All that users sent, however it ended."""
    completed: float = 0
    prompt_tokens: float = 0
    """Of the completed, as all that follow; those found in the prefix cache included."""
    cached_tokens: float = 0
    """Prompt tokens that were found in the prefix cache."""
    output_tokens: float = 0

    def plus(self, other: Use) -> Use:
        """Both together; of the same stretch of time."""
        return Use(
            self.time_s,
            self.arrived + other.arrived,
            self.completed + other.completed,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
        )

    @property
    def requests_per_day(self) -> float:
        """Arrivals a day."""
        return self.arrived * DAY_S / self.time_s if self.time_s > 0 else 0.0


def together(uses: Sequence[Use]) -> Use:
    """The sum of some uses, at least one, of the same stretch of time."""
    whole = uses[0]
    for use in uses[1:]:
        whole = whole.plus(use)
    return whole


class Revenue(Scoped):
    """A way to earn money. Pure: the same use earns the same."""

    by_use: ClassVar[bool] = False
    """Whether each request is paid for; two such entries for one request would bill it twice."""

    @abstractmethod
    def usd(self, use: Use) -> float:
        """What it earns in that time, in USD."""

    @property
    def prices(self) -> dict[str, float]:
        """Its prices in USD by what they are for; revenue grows with all of them together. Empty: it has none."""
        return {}

    def split(self, uses: Sequence[Use]) -> list[float]:
        """What is earned with each of several parts of its requests, in USD; the sum is what it earns with all."""
        return [self.usd(use) for use in uses]
