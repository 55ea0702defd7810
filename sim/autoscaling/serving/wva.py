"""llm-d's workload-variant-autoscaler for one variant: a gauge of wanted replicas every minute, applied by an HPA.

Source: llm-d/llm-d-workload-variant-autoscaler and its chart. The HPA reads the gauge `wva_desired_replicas` with
AverageValue 1; its `behavior` defaults to the chart's (windows of 240 s, 10 pods in 150 s, both ways).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from sim.autoscaling.base import Elastic
from sim.autoscaling.kubernetes.hpa_behavior import Behavior, RatePolicy, ScaleDown, ScaleUp
from sim.autoscaling.kubernetes.hpa_controller import Controller, HpaMemory
from sim.autoscaling.kubernetes.hpa_metrics import Proposal, by_average_value
from sim.autoscaling.observation import (
    FINISHED,
    GENERATION_TOKENS,
    KV_USAGE,
    PROMPT_TOKENS,
    REQUESTS,
    WAITING,
    Decision,
    Observation,
    Pipeline,
    Query,
)
from sim.autoscaling.serving.wva_saturation import (
    Engine,
    History,
    Requests,
    Thresholds,
    saturation,
    token_capacity,
    token_target,
)
from sim.autoscaling.unused import refuse_unused
from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import Amount, Duration, PositiveAmount, PositiveCount, PositiveDuration, PositiveShare, Share

_KV = Query(KV_USAGE, "max", 60.0, "each")
_QUEUE = Query(WAITING, "max", 60.0, "each")
_PROMPTS, _REQUESTS = Query(PROMPT_TOKENS, "rate", 300.0), Query(REQUESTS, "rate", 300.0)
_OUTPUTS, _FINISHED = Query(GENERATION_TOKENS, "rate", 300.0), Query(FINISHED, "rate", 300.0)
_TEN = RatePolicy(type="Pods", value=10, period_s=150.0)
CHART = Behavior(
    scale_up=ScaleUp(stabilization_window_s=240.0, policies=(_TEN,)),
    scale_down=ScaleDown(stabilization_window_s=240.0, policies=(_TEN,)),
)
"""The chart's defaults."""
_EARLY_S = 1e-6  # times are sums of floats
_MOST_TOKENS = 1e9


@dataclass(frozen=True, slots=True)
class WvaMemory:
    """What the autoscaler and its HPA remember."""

    analysis_s: float
    """When the next analysis is due."""
    sync_s: float
    """When the HPA's next sync is due."""
    desired: int | None = None
    """What the last analysis wanted."""
    says: str = ""
    """And why."""
    gauge: tuple[tuple[float, int], ...] = ()
    """Times and values of the gauge, oldest first, as far back as the HPA may still see."""
    history: History = ()
    hpa: HpaMemory | None = None


class Wva(Elastic):
    """Saturation of replicas (version 1, by one at a time) or tokens (version 2) decides, an HPA carries it out.

    With one variant in a pool there is no choice of the cheapest one. Version 1 does nothing while the gauge and the
    pool differ; with the HPA's tolerance of 0.1 a pool of ten and more never follows a gauge that is one off, and then
    both stay as they are: give `behavior` a `tolerance` of 0 to see how it could be. The gauge is kept within the
    bounds. Scaling to and from zero, model mode (a queueing model) and limits across models are other engines of the
    project, not simulated, and have no keys.
    """

    kind: Literal["wva"] = "wva"
    version: Annotated[Literal["v1", "v2"], Field(description="v1: by saturation of replicas; v2: by tokens.")] = "v1"
    interval_s: Annotated[PositiveDuration, Field(alias="interval", description="Between two analyses.")] = 60.0
    kv_cache_threshold: Annotated[
        PositiveShare, Field(description="KV memory from which a replica is saturated."), Tunable(0.5, 0.98, cheaper=1)
    ] = 0.8
    queue_length_threshold: Annotated[
        PositiveAmount,
        Field(description="Waiting requests from which a replica is saturated."),
        Tunable(0.4, 4, times=True, log=True, cheaper=1),
    ] = 5.0
    kv_spare_trigger: Annotated[
        Share, Field(description="Mean spare KV memory below which v1 adds a replica."), Tunable(0.02, 0.4, cheaper=-1)
    ] = 0.1
    queue_spare_trigger: Annotated[
        Amount,
        Field(description="Mean spare places in the queue below which v1 adds a replica."),
        Tunable(0.3, 3, times=True, log=True, cheaper=-1),
    ] = 3.0
    scale_up_threshold: Annotated[
        PositiveShare, Field(description="v2: more than this of capacity is too much."), Tunable(0.5, 0.98, cheaper=1)
    ] = 0.85
    scale_down_boundary: Annotated[
        PositiveShare, Field(description="v2: less than this of capacity is waste."), Tunable(0.3, 0.9, cheaper=1)
    ] = 0.7
    kv_capacity_tokens: Annotated[
        PositiveCount | None, Field(description="v2: KV memory of a replica (blocks times their size).")
    ] = None
    max_batched_tokens: Annotated[
        PositiveCount | None, Field(description="v2: the engine's limit, if its deployment says so.")
    ] = None
    max_num_seqs: Annotated[
        PositiveCount | None, Field(description="v2: the engine's limit, if its deployment says so.")
    ] = None
    behavior: Annotated[Behavior, Field(description="Of the HPA. Left out: the chart's.")] = CHART
    sync_period_s: Annotated[PositiveDuration, Field(alias="sync_period", description="Of the HPA.")] = 15.0
    tolerance: Annotated[Share, Field(description="Of the HPA, where `behavior` gives none.")] = 0.1
    gauge_delay_s: Annotated[
        Duration, Field(alias="gauge_delay", description="Until the HPA sees a new value of the gauge.")
    ] = 30.0

    fresh: ClassVar[Pipeline] = Pipeline(scrape_s=15.0)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.min_replicas == 0:
            raise said("must be at least 1: scaling to zero is not simulated", "min_replicas")
        if self.version == "v2" and self.kv_capacity_tokens is None:
            raise said("is missing: v2 counts in tokens", "kv_capacity_tokens")
        if (self.max_batched_tokens is None) != (self.max_num_seqs is None):
            raise said("must come with the other: max_batched_tokens, max_num_seqs", "max_num_seqs")
        refuse_unused(self, self.not_tuned, f"{self.version} does not use it")
        return self

    @property
    def not_tuned(self) -> tuple[str, ...]:
        """The keys of the other version; see `sim.config.tunable.tunables`."""
        if self.version == "v1":
            return "scale_up_threshold", "scale_down_boundary", "kv_capacity_tokens", "max_batched_tokens"
        return "kv_spare_trigger", "queue_spare_trigger"

    @property
    def period_s(self) -> float:
        return min(self.interval_s, self.sync_period_s)

    @property
    def queries(self) -> tuple[Query, ...]:
        return (_KV, _QUEUE) if self.version == "v1" else (_KV, _QUEUE, _PROMPTS, _REQUESTS, _OUTPUTS, _FINISHED)

    @cached_property
    def limits(self) -> Thresholds:
        return Thresholds(
            self.kv_cache_threshold, self.queue_length_threshold, self.kv_spare_trigger, self.queue_spare_trigger
        )

    @cached_property
    def _controller(self) -> Controller:
        return Controller(self.min_replicas, self.max_replicas, self.tolerance, 300.0, self.behavior)

    def decide(self, seen: Observation, memory: WvaMemory | None) -> tuple[Decision, WvaMemory]:
        """An analysis, a sync of the HPA or both, whichever is due."""
        state = memory or WvaMemory(seen.at_s, seen.at_s)
        if state.analysis_s <= seen.at_s + _EARLY_S:
            state = self._analysed(seen, state)
        replicas, reason = self.bounded(seen.current), state.says
        if state.sync_s <= seen.at_s + _EARLY_S:
            decision, state = self._synced(seen, state)
            replicas, reason = decision.replicas, f"{decision.reason} ({state.says})"
        return Decision(replicas, reason, state.desired, min(state.analysis_s, state.sync_s)), state

    def _synced(self, seen: Observation, state: WvaMemory) -> tuple[Decision, WvaMemory]:
        """One sync of the HPA on the gauge as it sees it."""
        controller = self._controller
        hpa = state.hpa or controller.first_sight(seen)
        visible = [value for at_s, value in state.gauge if at_s <= seen.at_s - self.gauge_delay_s + _EARLY_S]
        if visible:
            wanted = by_average_value(seen.replicas, 1000 * visible[-1], 1000, controller.tolerances)
            proposal = Proposal(wanted, f"wva_desired_replicas {visible[-1]} / 1 wants {wanted}")
        else:
            proposal = Proposal(None, "wva_desired_replicas has no value")
        decision, hpa = controller.steer(seen, hpa, [proposal])
        gauge = state.gauge[max(len(visible) - 1, 0) :]
        return decision, replace(state, hpa=hpa, gauge=gauge, sync_s=seen.at_s + self.sync_period_s)

    def _analysed(self, seen: Observation, state: WvaMemory) -> WvaMemory:
        """One analysis: the gauge's next value. Without metrics it stays, or shows the pool as it is."""
        loads = [
            (pod.values[_KV], pod.values[_QUEUE]) for pod in seen.pods if _KV in pod.values and _QUEUE in pod.values
        ]
        if not loads:
            wanted = seen.current if state.desired is None else state.desired
            says, history = "no metrics of any replica", state.history
        elif self.version == "v1":
            (wanted, says), history = self._v1(seen, state, loads), state.history
        else:
            wanted, says, history = self._v2(seen, state, loads)
        desired = self.bounded(wanted)
        return replace(
            state,
            desired=desired,
            says=f"{self.version}: {says}",
            gauge=(*state.gauge, (seen.at_s, desired)),
            history=history,
            analysis_s=seen.at_s + self.interval_s,
        )

    def _v1(self, seen: Observation, state: WvaMemory, loads: list[tuple[float, float]]) -> tuple[int, str]:
        if state.desired is not None and state.desired != seen.current:
            return state.desired, f"waits for {state.desired} replicas, {seen.current} are asked for"
        if len(loads) != seen.current:
            return seen.current, f"waits: {len(loads)} of {seen.current} replicas report"
        found = saturation(loads, self.limits)
        wanted = len(loads) + found.delta
        spare = f"spare KV {found.spare_kv_share:.3g} (trigger {self.kv_spare_trigger:g})"
        queue = f"spare queue {found.spare_queue:.3g} (trigger {self.queue_spare_trigger:g})"
        return wanted, f"{spare}, {queue}, {found.unsaturated} of {len(loads)} not saturated: wants {wanted}"

    def _v2(self, seen: Observation, state: WvaMemory, loads: list[tuple[float, float]]) -> tuple[int, str, History]:
        engine = Engine(self.kv_capacity_tokens or 0, self.max_batched_tokens or 0, self.max_num_seqs or 0)
        requests = Requests(_ratio(seen, _PROMPTS, _REQUESTS), _ratio(seen, _OUTPUTS, _FINISHED))
        found = token_capacity(loads, engine, requests, self.limits, state.history)
        ready = min(seen.ready, seen.current)
        wanted, required, spare = token_target(
            found, seen.current, ready, self.scale_up_threshold, self.scale_down_boundary
        )
        says = f"{found.demand_tokens:.0f} tokens for {ready} ready of {found.replica_tokens:.0f} each"
        return wanted, f"{says}: {required:.0f} required, {spare:.0f} spare: wants {wanted}", found.history


def _ratio(seen: Observation, tokens: Query, requests: Query) -> float:
    """Mean tokens of a request; 0 when not known, or more than any request has (a rate that is a rounding error)."""
    total, count = seen.value(tokens), seen.value(requests)
    mean = total / count if total and count else 0.0
    return mean if mean <= _MOST_TOKENS else 0.0
