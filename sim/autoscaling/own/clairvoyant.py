"""The policy that knows the future: what a forecast can at best be worth."""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from sim.autoscaling.base import Elastic
from sim.autoscaling.observation import WORK_AHEAD, Decision, Observation, Query
from sim.config.said import said
from sim.config.units import SHARE, Duration, PositiveDuration

MOST_WINDOWS = 240
"""Windows that it looks at, at most."""


class Clairvoyant(Elastic):
    """Sees the work that will arrive, and has the replicas for it ready when it comes.

    It asks for the work of the next w, 2 w, 3 w... seconds up to its lead time and one period; the differences are the
    work of each window, and the fleet is sized for the fullest one, so a replica is ordered a lead time before it is
    needed and none is given back that would be needed again within one. It knows arrivals, not queues: spare capacity
    (1 - utilization) serves what waits. Regret is what another policy costs beyond it at the same SLO.
    """

    kind: Literal["clairvoyant"] = "clairvoyant"
    lead_s: Annotated[Duration, Field(alias="lead", description="How far to look ahead: the cold start.")] = 300.0
    window_s: Annotated[
        PositiveDuration, Field(alias="window", description="Work is averaged over this; shorter follows bursts.")
    ] = 60.0
    utilization: Annotated[
        Annotated[float, SHARE.between(0, 2).positive()],
        Field(description="Share of a replica's time that is planned for work; above 1, some of it is to wait."),
    ] = 0.8
    check_s: Annotated[PositiveDuration, Field(alias="period", description="Between two decisions.")] = 15.0

    @property
    def period_s(self) -> float:
        return self.check_s

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        windows = max(math.ceil((self.lead_s + self.check_s) / self.window_s), 1)
        return tuple(Query(WORK_AHEAD, over_s=self.window_s * count) for count in range(1, windows + 1))

    @model_validator(mode="after")
    def _few_windows(self) -> Self:
        if (self.lead_s + self.check_s) / self.window_s > MOST_WINDOWS:
            raise said(f"must be at least 1/{MOST_WINDOWS} of lead and period, got {self.window_s:g} s", "window")
        return self

    def decide(self, seen: Observation, memory: Any) -> tuple[Decision, Any]:
        rates = [seen.value(query) for query in self.queries]
        known = [rate for rate in rates if rate is not None]
        if len(known) < len(rates):
            return Decision(self.bounded(seen.current), "the work ahead is not known: kept"), None
        loads = self.window_loads(known)
        fullest = max(loads)
        proposed = math.ceil(
            fullest / self.utilization - 1e-9
        )  # differences of sums: not a replica for a rounding error
        reason = (
            f"{fullest:.4g} replicas' work in window {loads.index(fullest) + 1} of {len(loads)}, "
            f"{self.window_s:g} s each, / {self.utilization:g} wants {proposed}"
        )
        return Decision(self.bounded(proposed), reason, proposed), None

    def window_loads(self, rates: list[float]) -> list[float]:
        """Replica-seconds a second in each window, from those of the first, the first two, the first three..."""
        sums = [0.0, *(rate * count for count, rate in enumerate(rates, start=1))]
        return [after - before for before, after in pairwise(sums)]
