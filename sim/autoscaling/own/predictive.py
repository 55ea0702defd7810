"""Replicas for the load that is forecast for when they will be ready, not for the load that is there."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.autoscaling.base import Elastic
from sim.autoscaling.observation import CONCURRENCY, REQUESTS, Decision, Observation, Query
from sim.autoscaling.own.forecast import Missed, Season, Smoothed
from sim.autoscaling.own.hold import Held, hold_down
from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import SHARE, Duration, PositiveDuration, PositiveRate, PositiveShare, Share

_MOST_BINS = 4_032  # a week of 2.5 minutes: the memory is copied once a bin


class Gains(BaseModel):
    """How fast Holt-Winters follows what it sees, from 0 (never) to 1 (at once)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Annotated[PositiveShare, Field(description="Of the level."), Tunable(0.02, 0.8, log=True)] = 0.2
    trend: Annotated[Share, Field(description="Of the trend, per bin."), Tunable(0.001, 0.2, log=True)] = 0.01
    season: Annotated[Share, Field(description="Of the season's offsets."), Tunable(0.05, 0.9)] = 0.3


@dataclass(frozen=True, slots=True)
class Past:
    """What the policy remembers."""

    last: float
    """The newest sample."""
    smooth: float
    """Their exponentially weighted mean."""
    bin: int
    """The bin that is being filled: its samples' sum and number."""
    total: float
    count: int
    season: Season | Smoothed | None
    missed: Missed
    held: Held | None = None


class Predictive(Elastic):
    """Forecasts the load up to one lead time and one period ahead and sizes the fleet for the most of it.

    A replica that is ordered now serves after the lead time (the cold start), and what is removed now is missed until
    one: so the largest forecast in between counts. Until a season has been seen, the newest sample is the forecast.
    With `reactive`, the forecast acts as a floor under the need of the moment; with `scale_in: false` nothing is ever
    removed, as with AWS predictive scaling alone (AWS documentation: predictive scaling never scales in).
    """

    kind: Literal["predictive"] = "predictive"
    metric: Annotated[
        Literal["request_rate", "concurrency"],
        Field(description="The load: requests per second, or requests waiting and running."),
    ] = "request_rate"
    per_replica: Annotated[
        PositiveRate,
        Field(description="Load that one replica serves: a rate, or requests."),
        Tunable(0.6, 2, times=True, log=True, cheaper=1),
    ]
    method: Annotated[
        Literal["seasonal_naive", "holt_winters", "ewma", "last"],
        Field(description="The same bin a season ago, smoothed level and season, smoothed level, or newest sample."),
    ] = "seasonal_naive"
    lead_s: Annotated[
        Duration,
        Field(alias="lead", description="How far to look ahead: the cold start."),
        Tunable(0.5, 3, times=True, cheaper=-1),
    ] = 300.0
    season_s: Annotated[
        PositiveDuration, Field(alias="season", description="After which the load is like itself: 24h, 7d.")
    ] = 86_400.0
    bin_s: Annotated[PositiveDuration, Field(alias="bin", description="The season is remembered in these.")] = 600.0
    half_life_s: Annotated[
        PositiveDuration | None,
        Field(alias="half_life", description="Age at which a sample counts half, for ewma. Left out: 5m."),
        Tunable(0.25, 4, times=True, log=True),
    ] = None
    gains: Annotated[Gains | None, Field(description="Of holt_winters. Left out: 0.2, 0.01, 0.3.")] = None
    headroom: Annotated[
        Annotated[float, SHARE.between(0, 10)],
        Field(description="Capacity over the load, as a share of it."),
        Tunable(0, 0.6, cheaper=-1),
    ] = 0.2
    headroom_quantile: Annotated[
        PositiveShare | None,
        Field(description="Capacity over the load: this quantile of past errors, once there are 20; then no headroom."),
        Tunable(0.5, 0.99, cheaper=-1),
    ] = None
    reactive: Annotated[bool, Field(description="Never less than the load of the moment needs.")] = True
    scale_in: Annotated[bool, Field(description="Whether replicas are ever removed.")] = True
    scale_down_delay_s: Annotated[
        Duration,
        Field(alias="scale_down_delay", description="Fewer must have been wanted this long; then the most of them."),
        Tunable(30, 1800, log=True, cheaper=-1),
    ] = 300.0
    window_s: Annotated[PositiveDuration, Field(alias="window", description="The load is the mean over this.")] = 60.0
    check_s: Annotated[PositiveDuration, Field(alias="period", description="Between two decisions.")] = 60.0

    @property
    def not_tuned(self) -> tuple[str, ...]:
        """Fields that change little as this stands, so that no search has to find that out."""
        return () if self.headroom_quantile is None else ("headroom",)

    @property
    def period_s(self) -> float:
        return self.check_s

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        if self.metric == "request_rate":
            return (Query(REQUESTS, "rate", self.window_s),)
        return (Query(CONCURRENCY, "mean", self.window_s),)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for key, method in (("half_life", "ewma"), ("gains", "holt_winters")):
            given = self.half_life_s if key == "half_life" else self.gains
            if given is not None and self.method != method:
                raise said(f"is only used with method: {method}", key)
        bins = round(self.season_s / self.bin_s)
        if bins * self.bin_s != self.season_s or not 2 <= bins <= _MOST_BINS:
            told = f"must go into the season ({self.season_s:g} s) 2 to {_MOST_BINS} times; got {self.bin_s:g} s"
            raise said(told, "bin")
        if self.lead_s + self.check_s > self.season_s:
            raise said(f"must, with a period, be within a season ({self.season_s:g} s), got {self.lead_s:g} s", "lead")
        return self

    def decide(self, seen: Observation, memory: Past | None) -> tuple[Decision, Past | None]:
        value = seen.value(self.queries[0])
        if value is None and memory is None:
            return Decision(self.bounded(seen.current), f"no {self.metric} yet: kept"), None
        past = memory if value is None else self.after(memory, seen.at_s, value)
        assert past is not None
        forecast = self.forecast(past, seen.at_s)
        load = max(forecast, past.last) if self.reactive and value is not None else forecast
        proposed = self.needed(load, past.missed.spare)
        wanted = self.bounded(proposed)
        if value is None or not self.scale_in:  # without a sample, a forecast may add, not remove
            wanted = max(wanted, self.bounded(seen.current))
        bounded = wanted
        wanted, held = hold_down(bounded, seen.current, seen.at_s, self.scale_down_delay_s, past.held)
        if held != past.held:
            past = replace(past, held=held)
        reason = (
            f"{self.metric} {'missing' if value is None else f'{value:.4g}'}, {self.method} {forecast:.4g} at most "
            f"within {self.lead_s + self.check_s:g} s; {self._spare_told(past)} / {self.per_replica:g} wants {proposed}"
        )
        if bounded != proposed:
            reason += f"; bounds {self.min_replicas} to {self.max_replicas}" if self.scale_in else "; never fewer"
        if wanted > bounded:
            reason += f"; a removal waits {self.scale_down_delay_s:g} s"
        return Decision(self.bounded(wanted), reason, proposed), past

    def needed(self, load: float, spare: float | None) -> int:
        """Replicas for a load: with the quantile of past errors if there is one, else with the headroom."""
        return math.ceil((load * (1 + self.headroom) if spare is None else load + spare) / self.per_replica)

    def after(self, past: Past | None, at_s: float, value: float) -> Past:
        """What is remembered once a sample has come: the mean over the window before `at_s`."""
        index = max(math.floor((at_s - self.window_s / 2) / self.bin_s), 0)
        if past is None:
            return Past(value, value, index, value, 1, self._blank(), Missed())
        kept = 0.5 ** (self.check_s / (self.half_life_s or 300.0))
        smooth = value + kept * (past.smooth - value)
        if index <= past.bin:
            filled = (past.bin, past.total + value, past.count + 1)
            return Past(value, smooth, *filled, past.season, past.missed, past.held)
        mean = past.total / past.count
        season = past.season.learned(past.bin, mean) if past.season is not None else None
        now = Past(value, smooth, index, value, 1, season, past.missed, past.held)
        if self.headroom_quantile is None:
            return now
        ahead = math.floor((at_s + self.lead_s) / self.bin_s)
        missed = past.missed.told(past.bin, mean, self.headroom_quantile).foretold(ahead, self._point(now, ahead))
        return replace(now, missed=missed)

    def forecast(self, past: Past, at_s: float) -> float:
        """The most that is forecast for any bin from now to a lead time and a period ahead."""
        first = math.floor(at_s / self.bin_s)
        last = math.floor((at_s + self.lead_s + self.check_s) / self.bin_s) if past.season is not None else first
        return max(self._point(past, index) for index in range(first, last + 1))

    def _point(self, past: Past, index: int) -> float:
        """The forecast for one bin."""
        if past.season is None:
            return past.smooth if self.method == "ewma" else past.last
        value = past.season.at(index)
        return past.last if value is None else value

    def _blank(self) -> Season | Smoothed | None:
        slots = (None,) * round(self.season_s / self.bin_s)
        if self.method == "seasonal_naive":
            return Season(slots)
        if self.method == "holt_winters":
            gains = self.gains or Gains()
            return Smoothed(slots, (gains.level, gains.trend, gains.season))
        return None

    def _spare_told(self, past: Past) -> str:
        spare = past.missed.spare
        return (
            f"+ {self.headroom:.0%}" if spare is None else f"+ {spare:.4g} (p{100 * (self.headroom_quantile or 0):g})"
        )
