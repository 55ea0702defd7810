"""KEDA on top of an HPA: an operator that wakes a pool from 0 and puts it to sleep, and the HPA that it creates.

Two loops, each with its own period. The operator polls its triggers and only decides between 0 (or `idle_replicas`) and
more; all other sizes are the HPA's. Where both are due at one instant the HPA is asked first, so a pool that the
operator wakes grows at the HPA's next sync. Semantics: kedacore/keda pkg/scaling/executor/scale_scaledobjects.go,
pkg/fallback/fallback.go @8b4f083c.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from sim.autoscaling.base import Elastic, Replicas, Some
from sim.autoscaling.kubernetes.cron import Cron
from sim.autoscaling.kubernetes.hpa import Stabilized, Tolerated
from sim.autoscaling.kubernetes.hpa_behavior import Behavior, instead_of_flags
from sim.autoscaling.kubernetes.hpa_controller import Controller, HpaMemory
from sim.autoscaling.kubernetes.hpa_metrics import Proposal, by_average_value
from sim.autoscaling.kubernetes.keda_triggers import CronTrigger, Fallback, MetricTrigger, Trigger
from sim.autoscaling.observation import Decision, Observation, Pipeline, Query
from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import Duration, PositiveDuration, shown

MONDAY = "2024-01-01T00:00:00+00:00"
"""When a run begins unless it is told: a Monday."""
INACTIVE_CRON = 1
"""Replicas that a cron trigger asks the HPA for outside its window."""


class Operator(NamedTuple):
    """The rules of KEDA's own loop."""

    min_replicas: int
    idle_replicas: int | None
    cooldown_s: float
    initial_cooldown_s: float = 0.0

    def wants(
        self, current: int, active: bool, now_s: float, last_active_s: float | None, created_s: float = -math.inf
    ) -> int | None:
        """Replicas to set at once; None to leave the size to the HPA."""
        least, idle = self.min_replicas, self.idle_replicas
        if active:
            asleep = current == 0 or (idle is not None and current < least)
            return max(least, 1) if asleep else None
        asleep_at = idle if idle is not None else 0 if least == 0 else None
        if asleep_at is not None and current > asleep_at:
            return asleep_at if self.cooled_down(now_s, last_active_s, created_s) else None
        return least if idle is None and current < least else None

    def cooled_down(self, now_s: float, last_active_s: float | None, created_s: float) -> bool:
        """Whether a pool has been inactive for strictly longer than the cooldown period."""
        if last_active_s is None:
            return created_s + self.initial_cooldown_s < now_s
        return last_active_s + self.cooldown_s < now_s


class CronState(NamedTuple):
    """What a cron trigger says until its next time comes."""

    active: bool
    until_s: float


@dataclass(frozen=True, slots=True)
class KedaMemory:
    """What KEDA and its HPA remember between two decisions."""

    hpa: HpaMemory
    created_s: float
    sync_due_s: float
    poll_due_s: float
    failures: tuple[int, ...]
    """In a row, a trigger."""
    crons: tuple[CronState | None, ...]
    """A trigger; None for those on metrics."""
    last_active_s: float | None = None


class Keda(Elastic):
    """A KEDA ScaledObject: wakes the pool from 0 and back, and lets an HPA do the rest.

    A metric without a value reads as 0 unless a trigger says otherwise, as in KEDA: a pool at 0 whose metric comes
    from its own replicas is never woken.
    """

    kind: Literal["keda"] = "keda"
    min_replicas: Annotated[
        Replicas,
        Field(description="Never fewer, but for `idle_replicas`."),
        Tunable(0.25, 2, times=True, least=1, cheaper=-1),
    ] = 0
    max_replicas: Annotated[
        Replicas, Field(description="Never more."), Tunable(0.5, 1, times=True, least=1, cheaper=-1)
    ] = 100
    idle_replicas: Annotated[
        Replicas | None, Field(description="Replicas when no trigger is active; below min_replicas.")
    ] = None
    triggers: Annotated[Some[Trigger], Field(description="The one that wants most decides.")]
    fallback: Annotated[Fallback | None, Field(description="When triggers fail.")] = None
    behavior: Annotated[Behavior | None, Field(description="Of the HPA that KEDA creates.")] = None
    polling_interval_s: Annotated[
        PositiveDuration, Field(alias="polling_interval", description="Between two looks at the triggers.")
    ] = 30.0
    cooldown_period_s: Annotated[
        Duration,
        Field(alias="cooldown_period", description="From the last active poll to 0 (or idle_replicas)."),
        Tunable(30, 1800, log=True, cheaper=-1),
    ] = 300.0
    initial_cooldown_period_s: Annotated[
        Duration,
        Field(alias="initial_cooldown_period", description="The same from the start, if no poll was active yet."),
    ] = 0.0
    sync_period_s: Annotated[
        PositiveDuration, Field(alias="sync_period", description="Between two decisions of the HPA.")
    ] = 15.0
    tolerance: Tolerated = 0.1
    downscale_stabilization_s: Stabilized = 300.0
    run_starts: Annotated[
        str,
        AfterValidator(lambda text: _time(text)),
        Field(description="Date and time of the run's first second, for cron triggers; UTC unless it says otherwise."),
    ] = MONDAY

    fresh: ClassVar[Pipeline] = Pipeline(scrape_s=15.0)
    """KEDA asks Prometheus itself, so it sees the newest sample."""

    @property
    def not_tuned(self) -> tuple[str, ...]:
        """See `instead_of_flags`."""
        return instead_of_flags(self.behavior)

    @property
    def period_s(self) -> float:
        return min(self.sync_period_s, self.polling_interval_s)

    @property
    def queries(self) -> tuple[Query, ...]:
        asked = (trigger.query for trigger in self.triggers if isinstance(trigger, MetricTrigger))
        return tuple(dict.fromkeys(asked))

    @property
    def floor_replicas(self) -> int:
        return self.min_replicas if self.idle_replicas is None else self.idle_replicas

    @cached_property
    def hpa(self) -> Controller:
        """The HPA that KEDA creates: it cannot go below 1."""
        return Controller(
            max(1, self.min_replicas),
            self.max_replicas,
            self.tolerance,
            self.downscale_stabilization_s,
            self.behavior,
        )

    @cached_property
    def operator(self) -> Operator:
        """The loop that is KEDA's own."""
        return Operator(self.min_replicas, self.idle_replicas, self.cooldown_period_s, self.initial_cooldown_period_s)

    def decide(self, seen: Observation, memory: KedaMemory | None) -> tuple[Decision, KedaMemory]:
        """Runs whichever loops are due. `memory` is None at the first call, when both are."""
        now_s = seen.at_s
        memory = self._first(seen) if memory is None else memory
        sync, poll = now_s >= memory.sync_due_s, now_s >= memory.poll_due_s
        decision = Decision(seen.current, "neither the HPA nor KEDA is due")
        if sync or poll:
            memory = self._told_time(now_s, memory)
            values = self._read(seen, memory)
            if poll if seen.current == 0 else sync:  # at 0 replicas no HPA asks, so KEDA's own polls count
                memory = replace(memory, failures=_counted(memory.failures, values))
            if sync:
                proposals = self._proposals(seen, memory, values)
                decision, hpa = self.hpa.steer(seen, memory.hpa, proposals)
                memory = replace(memory, hpa=hpa, sync_due_s=now_s + self.sync_period_s)
            if poll:
                decision, memory = self._operate(seen, memory, values, decision if sync else None)
        return replace(decision, next_s=min(memory.sync_due_s, memory.poll_due_s)), memory

    def _first(self, seen: Observation) -> KedaMemory:
        crons = tuple(
            CronState(False, -math.inf) if isinstance(trigger, CronTrigger) else None for trigger in self.triggers
        )
        return KedaMemory(self.hpa.first_sight(seen), seen.at_s, seen.at_s, seen.at_s, (0,) * len(self.triggers), crons)

    def _told_time(self, now_s: float, memory: KedaMemory) -> KedaMemory:
        """The memory with every cron trigger up to date."""
        if all(state is None or now_s < state.until_s for state in memory.crons):
            return memory
        crons = [
            self._cron_state(trigger.cron, now_s)
            if isinstance(trigger, CronTrigger) and state is not None and now_s >= state.until_s
            else state
            for trigger, state in zip(self.triggers, memory.crons, strict=True)
        ]
        return replace(memory, crons=tuple(crons))

    def _cron_state(self, cron: Cron, now_s: float) -> CronState:
        begun = datetime.fromisoformat(self.run_starts)
        active, until = cron.window(begun + timedelta(seconds=now_s))
        return CronState(active, (until - begun).total_seconds())

    def _read(self, seen: Observation, memory: KedaMemory) -> list[float | None]:
        """The value of each trigger; None for one that fails."""
        values: list[float | None] = []
        for trigger, state in zip(self.triggers, memory.crons, strict=True):
            if isinstance(trigger, CronTrigger):
                values.append(trigger.cron.desired_replicas if state is not None and state.active else INACTIVE_CRON)
            else:
                value = seen.value(trigger.query)
                values.append(0.0 if value is None and trigger.ignore_null_values else value)
        return values

    def _proposals(self, seen: Observation, memory: KedaMemory, values: Sequence[float | None]) -> list[Proposal]:
        tolerance = self.hpa.tolerances
        proposals = []
        for trigger, value, failures in zip(self.triggers, values, memory.failures, strict=True):
            if isinstance(trigger, CronTrigger):
                wanted = by_average_value(seen.replicas, int(value or 0) * 1000, 1000, tolerance)
                proposals.append(Proposal(wanted, f"cron from {trigger.cron.start} asks for {value}, wants {wanted}"))
            elif value is None and self._falls_back(trigger, failures):
                assert self.fallback is not None
                total_milli = trigger.metric_spec.target_milli * self.fallback.replicas
                wanted = by_average_value(seen.replicas, total_milli, trigger.metric_spec.target_milli, tolerance)
                proposals.append(Proposal(wanted, f"{trigger.label} failed {failures} times, fallback wants {wanted}"))
            else:
                proposals.append(trigger.metric_spec.propose_for(value, seen, tolerance))
        return proposals

    def _falls_back(self, trigger: Trigger, failures: int) -> bool:
        """Whether a failing trigger has done so often enough; only an AverageValue can be made up."""
        averaged = isinstance(trigger, MetricTrigger) and trigger.type == "AverageValue"
        return self.fallback is not None and averaged and failures > self.fallback.failure_threshold

    def _operate(
        self, seen: Observation, memory: KedaMemory, values: Sequence[float | None], synced: Decision | None
    ) -> tuple[Decision, KedaMemory]:
        """One poll of KEDA's own, on the size that the HPA has left if it was due too."""
        now_s = seen.at_s
        current = seen.current if synced is None else synced.replicas
        woken_by = self._active(values, memory)
        memory = replace(memory, poll_due_s=now_s + self.polling_interval_s)
        failed = any(value is None for value in values)
        if not woken_by and failed:
            wanted, why = self._on_failure(memory, values)
        else:
            last_s, created_s = memory.last_active_s, memory.created_s
            wanted = self.operator.wants(current, bool(woken_by), now_s, last_s, created_s)
            why = f"KEDA: {woken_by}" if woken_by else f"KEDA: {self._asleep(now_s, memory)}"
        if woken_by and (wanted is not None or not failed):
            memory = replace(memory, last_active_s=now_s)
        if wanted is None or wanted == current:
            return synced or Decision(current, why), memory
        return Decision(wanted, f"{why}: {current} -> {wanted}", synced.proposed if synced else None), memory

    def _active(self, values: Sequence[float | None], memory: KedaMemory) -> str:
        """Why a trigger is active; empty when none is."""
        for trigger, value, state in zip(self.triggers, values, memory.crons, strict=True):
            if isinstance(trigger, CronTrigger):
                if state is not None and state.active:
                    return f"cron from {trigger.cron.start} is active"
            elif value is not None and value > trigger.activation_threshold:
                return f"{trigger.label} {value:g} is above {trigger.activation_threshold:g}"
        return ""

    def _on_failure(self, memory: KedaMemory, values: Sequence[float | None]) -> tuple[int | None, str]:
        """What happens when no trigger is active and some failed."""
        for trigger, value, failures in zip(self.triggers, values, memory.failures, strict=True):
            if value is None and self._falls_back(trigger, failures):
                assert self.fallback is not None
                return min(self.fallback.replicas, self.max_replicas), f"KEDA: a trigger failed {failures} times"
        return None, "KEDA: no change, a trigger has no value"

    def _asleep(self, now_s: float, memory: KedaMemory) -> str:
        """What no trigger being active means at a poll."""
        if memory.last_active_s is None:
            return "no trigger was active yet"
        idle_s = now_s - memory.last_active_s
        return f"no trigger active for {idle_s:g}s, cooldown period {self.cooldown_period_s:g}s"

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if self.idle_replicas is not None and self.idle_replicas >= self.min_replicas:
            raise said(f"must be below min_replicas ({self.min_replicas}), got {self.idle_replicas}", "idle_replicas")
        made_up = any(isinstance(each, MetricTrigger) and each.type == "AverageValue" for each in self.triggers)
        if self.fallback is not None and not made_up:
            raise said("needs a metric trigger of type AverageValue", "fallback")
        return self

    @classmethod
    def recognises(cls, document: Mapping[str, Any]) -> bool:
        """Whether a document is a ScaledObject."""
        return document.get("kind") == "ScaledObject"

    @classmethod
    def from_manifest(cls, document: Mapping[str, Any]) -> Self:
        """The policy of a ScaledObject. Raises `ManifestError`."""
        from sim.autoscaling.kubernetes.documents import made
        from sim.autoscaling.kubernetes.keda_manifest import PLACES, read

        return made(cls, read(document), PLACES)

    def to_manifest(self, name: str, like: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The ScaledObject of this policy; `like` is the original, whose other contents are kept."""
        from sim.autoscaling.kubernetes.keda_manifest import write

        return write(self, name, like)


def _counted(failures: Sequence[int], values: Sequence[float | None]) -> tuple[int, ...]:
    """Failures in a row, a trigger."""
    return tuple(0 if value is not None else count + 1 for count, value in zip(failures, values, strict=True))


def _time(text: str) -> str:
    """A time in ISO 8601 with its offset from UTC. Raises a complaint."""
    try:
        begun = datetime.fromisoformat(text)
    except ValueError:
        raise said(f"must be a date and time, such as {MONDAY}; got {shown(text)}") from None
    return (begun if begun.tzinfo else begun.replace(tzinfo=UTC)).isoformat()
