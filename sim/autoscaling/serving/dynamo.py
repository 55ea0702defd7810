"""NVIDIA Dynamo's planner for one pool: capacity for a forecast rate every 3 minutes, small steps every 5 seconds.

Source: ai-dynamo/dynamo 1.6.1, planner. Three things come from keys or from observation here that the planner
estimates: an engine's requests per second at the SLA (`requests_per_s_per_replica`, in the planner from profiles and
its predictions of prompt and output lengths); TTFT and ITL of an engine (the pool's means over `latency_window`, and
nothing where an engine is idle; in the planner a regression on each engine's queue and KV memory); and the prefill of
a prompt without a queue (`own_prefill`).
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, field_validator, model_validator

from sim.autoscaling.base import Elastic, Replicas
from sim.autoscaling.observation import (
    ITL,
    KV_USAGE,
    PROMPT_TOKENS,
    REQUESTS,
    RUNNING,
    TTFT,
    WAITING,
    Decision,
    Observation,
    Pipeline,
    Pod,
    Query,
)
from sim.autoscaling.serving.dynamo_forecast import Forecaster, Predictor, State
from sim.autoscaling.serving.dynamo_load import (
    Easy,
    Estimate,
    Wish,
    by_itl,
    by_thresholds,
    by_ttft,
    throughput_replicas,
    together,
)
from sim.autoscaling.unused import refuse_unused
from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import COUNT, Duration, PositiveAmount, PositiveCount, PositiveDuration, PositiveRate, Share

_MERGED_S = 0.5
"""Loops that are due within this time run together."""


@dataclass(frozen=True, slots=True)
class PlannerMemory:
    """What the planner remembers."""

    throughput_s: float
    """When the throughput loop runs next; infinite when it is off."""
    load_s: float
    floor: int
    """What the throughput loop wants at least, for the load loop."""
    forecast: State = None


class _Queries(NamedTuple):
    """All that a planner may ask for."""

    requests: Query
    prompts: Query
    requests_now: Query
    waiting: Query
    running: Query
    kv: Query
    ttft: Query
    itl: Query


class DynamoPlanner(Elastic):
    """Dynamo's planner for the engines of one role: `agg` (prefill and decode together), `prefill` or `decode`.

    `optimization_target: sla` runs the throughput loop, the load loop or both (then the first is a floor for the
    second); `throughput` and `latency` are the easy modes of fixed thresholds, which have a load loop only.
    `min_replicas` is the planner's min_endpoint, `max_replicas` its GPU budget over the GPUs of a replica (8 of 1). A
    pair of pools under one budget, power budgets and advisory mode are not simulated and have no keys.
    """

    kind: Literal["dynamo_planner"] = "dynamo_planner"
    max_replicas: Annotated[
        Replicas,
        Field(description="The GPU budget over the GPUs of a replica."),
        Tunable(0.5, 1, times=True, least=1, cheaper=-1),
    ] = 8
    role: Annotated[Literal["agg", "prefill", "decode"], Field(description="What the pool's engines do.")] = "agg"
    optimization_target: Annotated[
        Literal["sla", "throughput", "latency"], Field(description="Latency targets, or fixed thresholds.")
    ] = "sla"
    enable_throughput_scaling: Annotated[
        bool | None, Field(description="The forecast loop. Left out: on for the target sla.")
    ] = None
    enable_load_scaling: Annotated[
        bool | None, Field(description="The loop of small steps. Left out: on for the easy modes.")
    ] = None
    throughput_interval_s: Annotated[
        PositiveDuration, Field(alias="throughput_adjustment_interval", description="Between two forecasts.")
    ] = 180.0
    load_interval_s: Annotated[
        PositiveDuration, Field(alias="load_adjustment_interval", description="Between two small steps.")
    ] = 5.0
    requests_per_s_per_replica: Annotated[
        PositiveRate | None,
        Field(description="Rate that a replica serves within the SLA, such as 2.5/s."),
        Tunable(0.6, 2, times=True, log=True, cheaper=1),
    ] = None
    max_throughput_scaling_replicas: Annotated[
        Annotated[int, COUNT.between(1, 10_000)], Field(description="Most replicas that one forecast changes.")
    ] = 8
    load_predictor: Annotated[Predictor, Field(description="How the next interval is forecast.")] = "arima"
    load_predictor_log1p: Annotated[bool, Field(description="Whether log(1 + requests) is forecast.")] = False
    kalman_q_level: Annotated[PositiveAmount, Field(description="Variance of a step of the level.")] = 1.0
    kalman_q_trend: Annotated[PositiveAmount, Field(description="Variance of a step of the trend.")] = 0.1
    kalman_r: Annotated[PositiveAmount, Field(description="Variance of what is measured.")] = 10.0
    ttft_s: Annotated[
        PositiveDuration,
        Field(alias="ttft", description="SLA of the time to first token."),
        Tunable(0.4, 2.5, times=True, log=True, cheaper=1),
    ] = 0.5
    itl_s: Annotated[
        PositiveDuration,
        Field(alias="itl", description="SLA of the time between tokens."),
        Tunable(0.4, 2.5, times=True, log=True, cheaper=1),
    ] = 0.05
    load_scaling_down_sensitivity: Annotated[
        Share, Field(description="Share of the SLA below which one fewer replica is safe.")
    ] = 0.8
    latency_window_s: Annotated[
        PositiveDuration, Field(alias="latency_window", description="Over which TTFT and ITL are averaged.")
    ] = 30.0
    own_prefill_s: Annotated[
        Duration, Field(alias="own_prefill", description="Prefill of a typical prompt without a queue.")
    ] = 0.0
    context_length_tokens: Annotated[
        PositiveCount | None,
        Field(alias="context_length", description="Of the model; easy modes of the role prefill."),
    ] = None
    kv_capacity_tokens: Annotated[
        PositiveCount | None, Field(description="KV memory of a replica; easy modes of the other roles.")
    ] = None
    isl_tokens: Annotated[
        PositiveCount, Field(alias="isl", description="Prompt length while none has been measured.")
    ] = 3000

    # The load loop reads engines' own events, the throughput loop a Prometheus that scrapes more rarely; one pipeline
    # serves both here.
    fresh: ClassVar[Pipeline] = Pipeline(scrape_s=5.0)

    @field_validator("load_predictor", mode="before")
    @classmethod
    def _no_prophet(cls, value: Any) -> Any:
        if value == "prophet":
            raise said("must be constant, arima or kalman: prophet is not simulated")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        easy = self.optimization_target != "sla"
        if easy and self.enable_throughput_scaling:
            raise said("must be false or left out: easy modes have a load loop only", "enable_throughput_scaling")
        if not self.plans and not self.steps:
            raise said("must be true: otherwise nothing ever changes", "enable_load_scaling")
        if self.plans and self.requests_per_s_per_replica is None:
            raise said("is missing: the throughput loop divides by it", "requests_per_s_per_replica")
        if self.plans and self.load_predictor == "arima" and importlib.util.find_spec("statsmodels") is None:
            raise said("must be constant or kalman: arima needs the package statsmodels", "load_predictor")
        if easy and self.role == "prefill" and self.context_length_tokens is None:
            raise said("is missing: the easy modes of prefill divide by it", "context_length")
        if easy and self.role != "prefill" and self.kv_capacity_tokens is None:
            raise said(f"is missing: the easy modes of {self.role} divide by it", "kv_capacity_tokens")
        hint = "; requests_per_s_per_replica is what a replica serves within the SLA" if self.plans else ""
        for keys, used, more in self._uses():
            if not used:
                refuse_unused(self, keys, f"nothing uses it with these settings{hint if more else ''}")
        return self

    @property
    def not_tuned(self) -> tuple[str, ...]:
        """Keys that nothing uses with these settings; see `sim.config.tunable.tunables`."""
        return tuple(key for keys, used, _ in self._uses() if not used for key in keys)

    def _uses(self) -> Iterator[tuple[tuple[str, ...], bool, bool]]:
        """Keys that only some settings use, whether these do, and whether another key stands for them."""
        sla = self.steps and self.optimization_target == "sla"
        easy = self.steps and not sla
        yield ("throughput_interval_s", "requests_per_s_per_replica"), self.plans, False
        yield ("max_throughput_scaling_replicas", "load_predictor", "load_predictor_log1p"), self.plans, False
        yield ("kalman_q_level", "kalman_q_trend", "kalman_r"), self.plans and self.load_predictor == "kalman", False
        yield ("load_interval_s",), self.steps, False
        yield ("load_scaling_down_sensitivity", "latency_window_s"), sla, False
        yield ("ttft_s",), sla and self.role != "decode", True
        yield ("own_prefill_s",), sla and self.role != "decode", False
        yield ("itl_s",), sla and self.role != "prefill", True
        yield ("context_length_tokens",), easy and self.role == "prefill", False
        yield ("kv_capacity_tokens",), self.steps and self.role != "prefill", False
        yield ("isl_tokens",), easy or (self.steps and self.kv_capacity_tokens is not None), False

    @property
    def plans(self) -> bool:
        """Whether the throughput loop runs."""
        return (
            self.optimization_target == "sla"
            if self.enable_throughput_scaling is None
            else self.enable_throughput_scaling
        )

    @property
    def steps(self) -> bool:
        """Whether the load loop runs."""
        return self.optimization_target != "sla" if self.enable_load_scaling is None else self.enable_load_scaling

    @property
    def period_s(self) -> float:
        return self.load_interval_s if self.steps else self.throughput_interval_s

    @cached_property
    def _asks(self) -> _Queries:
        return _Queries(
            requests=Query(REQUESTS, "rate", self.throughput_interval_s),
            prompts=Query(PROMPT_TOKENS, "rate", 60.0),
            requests_now=Query(REQUESTS, "rate", 60.0),
            waiting=Query(WAITING, across="each"),
            running=Query(RUNNING, across="each"),
            kv=Query(KV_USAGE, across="each"),
            ttft=Query(TTFT, "mean", self.latency_window_s),
            itl=Query(ITL, "mean", self.latency_window_s),
        )

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        asks, asked = self._asks, []
        if self.plans:
            asked.append(asks.requests)
        if self.steps:
            asked += [asks.waiting, asks.kv, asks.prompts, asks.requests_now]
            if self.optimization_target == "sla":
                asked.append(asks.running)
                asked += [asks.ttft] if self.role != "decode" else []
                asked += [asks.itl] if self.role != "prefill" else []
        return tuple(asked)

    @cached_property
    def _forecaster(self) -> Forecaster:
        return Forecaster(
            self.load_predictor, self.load_predictor_log1p, self.kalman_q_level, self.kalman_q_trend, self.kalman_r
        )

    def decide(self, seen: Observation, memory: PlannerMemory | None) -> tuple[Decision, PlannerMemory]:
        """Whichever loops are due; the load loop goes first. At first none is: both wait for one interval."""
        if memory is None:
            begun = PlannerMemory(
                seen.at_s + self.throughput_interval_s if self.plans else math.inf,
                seen.at_s + self.load_interval_s if self.steps else math.inf,
                self.min_replicas,
            )
            return Decision(self.bounded(seen.current), "the planner starts", next_s=_next(begun)), begun
        due_s = seen.at_s + _MERGED_S
        wanted, reasons = None, []
        if memory.load_s <= due_s:
            wanted, says = self._small_step(seen, memory.floor)
            reasons.append(says)
            memory = replace(memory, load_s=seen.at_s + self.load_interval_s)
        if memory.throughput_s <= due_s:
            planned, says, memory = self._planned(seen, memory)
            reasons.append(says)
            wanted = planned if wanted is None else wanted
        proposed = seen.current if wanted is None else wanted
        replicas = self.bounded(proposed)
        if replicas != proposed:
            reasons.append(f"within {self.min_replicas} to {self.max_replicas}: {replicas}")
        reason = "; ".join(reasons) or "no loop is due"
        return Decision(replicas, reason, proposed, _next(memory)), memory

    def _planned(self, seen: Observation, memory: PlannerMemory) -> tuple[int | None, str, PlannerMemory]:
        """The throughput loop: replicas for the forecast, or a floor for the load loop."""
        interval_s, engine = self.throughput_interval_s, self.requests_per_s_per_replica
        assert engine is not None, "a planner with a throughput loop knows what a replica serves"
        memory = replace(memory, throughput_s=seen.at_s + interval_s)
        rate = seen.value(self._asks.requests)
        if rate is None:
            return None, f"no rate of requests over {interval_s:g} s", memory
        requests, state = self._forecaster.step(memory.forecast, rate * interval_s)
        wanted = throughput_replicas(
            requests / interval_s, engine, seen.current, self.min_replicas, self.max_throughput_scaling_replicas
        )
        says = f"{self.load_predictor} forecasts {requests / interval_s:.6g}/s / {engine:.6g}/s wants {wanted}"
        if self.steps:
            return None, f"{says} as a floor", replace(memory, forecast=state, floor=wanted)
        return wanted, says, replace(memory, forecast=state)

    def _small_step(self, seen: Observation, floor: int) -> tuple[int | None, str]:
        """The load loop: one more, one fewer, or None for no change; never below the floor."""
        if seen.ready != seen.current or seen.unready:
            return None, f"scaling in progress: {seen.ready} of {seen.current} ready"
        asks = self._asks
        pods = [pod for pod in seen.pods if pod.phase == "ready" and asks.waiting in pod.values]
        if not pods or len(pods) != seen.ready:
            return None, f"{len(pods)} of {seen.ready} engines report"
        if self.optimization_target == "sla":
            wish, says = self._latency_wish(seen, pods)
            wanted = seen.current + {"up": 1, "down": -1}.get(wish or "hold", 0)
        else:
            found, says = self._easy_wish(seen, pods, self.optimization_target)
            wanted = seen.current if found is None else found
        if self.plans and wanted < floor:
            return floor, f"{says}; forecast's floor {floor}"
        return (None if wanted == seen.current else wanted), says

    def _prompt_tokens(self, seen: Observation) -> float:
        """Mean prompt length of the last minute."""
        tokens, requests = seen.value(self._asks.prompts), seen.value(self._asks.requests_now)
        return tokens / requests if tokens and requests else float(self.isl_tokens)

    def _kv_share(self, pod: Pod, prompt_tokens: float) -> float:
        """KV memory of an engine in use, with what its queue will take where the capacity is known."""
        used = pod.values.get(self._asks.kv, 0.0)
        if self.kv_capacity_tokens is None:
            return used
        return used + pod.values[self._asks.waiting] * prompt_tokens / self.kv_capacity_tokens

    def _easy_wish(self, seen: Observation, pods: list[Pod], mode: Easy) -> tuple[int | None, str]:
        prompt_tokens = self._prompt_tokens(seen)
        if self.role == "prefill":
            queued = prompt_tokens / (self.context_length_tokens or 1)
            ratios = [pod.values[self._asks.waiting] * queued for pod in pods]
            found = by_thresholds("prefill", mode, ratios, seen.current, self.min_replicas)
            what = "queued prompts over the context length"
        else:
            ratios = [self._kv_share(pod, prompt_tokens) for pod in pods]
            found = by_thresholds("decode", mode, ratios, seen.current, self.min_replicas)
            what = "KV memory in use and queued for"
        wants = (
            "no change" if found is None else "one fewer would call it back" if found == seen.current else f"{found}"
        )
        return found, f"{what} {min(ratios):.3g} to {max(ratios):.3g} ({mode}): {wants}"

    def _latency_wish(self, seen: Observation, pods: list[Pod]) -> tuple[Wish, str]:
        prompt_tokens, share = self._prompt_tokens(seen), self.load_scaling_down_sensitivity
        prefill: Wish = None
        decode: Wish = None
        says = []
        if self.role != "decode":
            engines = [Estimate(self._latency(seen, pod, self._asks.ttft)) for pod in pods]
            prefill = by_ttft(engines, self.ttft_s, self.own_prefill_s, share)
            says.append(_told("TTFT", engines, self.ttft_s, prefill))
        if self.role != "prefill":
            engines = [
                Estimate(self._latency(seen, pod, self._asks.itl), self._kv_share(pod, prompt_tokens)) for pod in pods
            ]
            decode = by_itl(engines, self.itl_s, share)
            says.append(_told("ITL", engines, self.itl_s, decode))
        wish = together(prefill, decode) if self.role == "agg" else prefill or decode
        return wish, "; ".join(says)

    def _latency(self, seen: Observation, pod: Pod, query: Query) -> float | None:
        """What an engine's next request would see: the pool's mean; 0 where the engine is idle."""
        if not pod.values[self._asks.waiting] and not pod.values.get(self._asks.running, 1.0):
            return 0.0
        return seen.value(query)


def _next(memory: PlannerMemory) -> float:
    return min(memory.throughput_s, memory.load_s)


def _told(name: str, engines: list[Estimate], sla_s: float, wish: Wish) -> str:
    known = [engine.latency_s for engine in engines if engine.latency_s is not None]
    if not known:
        return f"{name} unknown"
    return f"{name} {min(known):.3g} to {max(known):.3g} s against {sla_s:g} s: {wish}"
