"""What a scenario may say of a pool, as frozen models: its replicas, its queue, its model, GPUs and engine.

A `Pool` that exists is right: its law of iteration time and its KV memory are known, or it does not need them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator

from sim.autoscaling import AnyPolicy
from sim.autoscaling.history import unanswerable
from sim.config import catalogue
from sim.config.said import said, said_all
from sim.config.units import SHARE, Count, PositiveCount, PositiveShare
from sim.hardware import (
    MEMORY_SHARE,
    Demand,
    EngineSheet,
    GpuSheet,
    IterationLaw,
    KvPrecision,
    Latency,
    ModelSheet,
    Pair,
    Precision,
    Price,
    default_engine,
    given,
    implied,
    kv_bytes_per_token,
    memory_problem,
    split_problem,
)
from sim.model.routing import ROUTERS
from sim.scenario.kv_transfer import KvTransfer
from sim.scenario.speculation import Speculation

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _kind_or(default: str) -> Callable[[Any], str]:
    """Tells the members of a union by `kind`; a mapping without one is the default's."""

    def kind(value: Any) -> str:
        found = value.get("kind", default) if isinstance(value, Mapping) else getattr(value, "kind", default)
        return str(found)

    return kind


class Slots(BaseModel):
    """A replica that serves a fixed number of requests at once, each for its own service time."""

    model_config = _CLOSED

    kind: Literal["slots"] = "slots"
    concurrency: Annotated[PositiveCount, Field(description="Requests served at once.")] = 1

    @property
    def seats(self) -> int:
        """Requests that can run at once."""
        return self.concurrency


class Batching(BaseModel):
    """A replica with continuous batching: every iteration serves all running sequences one token, and prefills."""

    model_config = _CLOSED

    kind: Literal["batching"] = "batching"
    max_num_seqs: Annotated[PositiveCount, Field(description="Sequences in the batch at once.")] = 256
    max_batched_tokens: Annotated[PositiveCount, Field(description="Tokens an iteration may process.")] = 8192
    chunked_prefill: Annotated[
        bool, Field(description="Whether a prompt may be prefilled over several iterations.")
    ] = True
    watermark: Annotated[
        Annotated[float, SHARE.between(0, 0.5)],
        Field(description="Share of the KV memory kept free when a request is admitted."),
    ] = 0.0
    speculation: Annotated[Speculation | None, Field(description="Speculative decoding.")] = None

    @property
    def seats(self) -> int:
        """Requests that can run at once."""
        return self.max_num_seqs

    @property
    def verified(self) -> int:
        """Tokens of a decoding sequence in an iteration: one, and those drafted."""
        return 1 if self.speculation is None else 1 + self.speculation.draft_tokens

    @model_validator(mode="after")
    def _budget_covers_batch(self) -> Self:
        if self.max_num_seqs * self.verified > self.max_batched_tokens:
            given = "a token" if self.verified == 1 else f"{self.verified} tokens with what is drafted"
            raise said(
                f"must not be above max_batched_tokens ({self.max_batched_tokens})"
                f"{'' if self.verified == 1 else f' / {self.verified}'}: an iteration gives every sequence {given}; "
                f"got {self.max_num_seqs}",
                "max_num_seqs",
            )
        return self


AnyReplica = Annotated[
    Annotated[Slots, Tag("slots")] | Annotated[Batching, Tag("batching")], Discriminator(_kind_or("batching"))
]


def _known_router(name: str) -> str:
    if name not in ROUTERS:
        raise said(f"'{name}' is not one of {', '.join(ROUTERS)}{catalogue.did_you_mean(name, ROUTERS)}")
    return name


# the routers are those of the model's union: nothing to add here when one is added there
Router = Annotated[str, AfterValidator(_known_router), WithJsonSchema({"type": "string", "enum": list(ROUTERS)})]
_MaxWaiting = Annotated[
    Count | None, Field(description="Requests that may wait; one more is rejected. Left out: no limit.")
]


class PerReplica(BaseModel):
    """Each replica has its own queue; a router picks the replica when a request arrives."""

    model_config = _CLOSED

    kind: Literal["per_replica"] = "per_replica"
    router: Annotated[Router, Field(description="How the replica of a new request is picked.")] = "least_outstanding"
    max_waiting: _MaxWaiting = None


class Central(BaseModel):
    """One queue for the pool, first come first served; a replica takes the next request when it has room."""

    model_config = ConfigDict(**_CLOSED, json_schema_extra={"required": ["kind"]})

    kind: Literal["central"] = "central"
    max_waiting: _MaxWaiting = None


AnyQueue = Annotated[
    Annotated[PerReplica, Tag("per_replica")] | Annotated[Central, Tag("central")],
    Discriminator(_kind_or("per_replica")),
]


class Pool(BaseModel):
    """Replicas of one kind, behind one queue."""

    model_config = _CLOSED

    model: Annotated[ModelSheet | None, Field(description="The model served: a name, a path or a sheet inline.")] = None
    gpu: Annotated[GpuSheet | None, Field(description="The GPU: a name, a path or a sheet inline.")] = None
    gpus_per_replica: Annotated[PositiveCount, Field(description="GPUs that serve one replica together.")] = 1
    precision: Annotated[
        Precision | None, Field(description="Number format of the weights; left out: the model's.")
    ] = None
    kv_precision: Annotated[
        KvPrecision | None, Field(description="Number format of the KV cache; left out: the model's.")
    ] = None
    expert_parallel: Annotated[
        bool, Field(description="Each GPU of a replica holds whole experts, instead of a slice of every one.")
    ] = False
    engine: Annotated[
        EngineSheet | None, Field(description="The serving engine: a name, a path or a sheet inline.")
    ] = None
    memory_share: Annotated[PositiveShare, Field(description="Share of GPU memory that the engine may use.")] = (
        MEMORY_SHARE
    )
    replica: Annotated[AnyReplica, Field(description="How a replica serves requests.")] = Batching()
    latency: Annotated[
        Latency | None, Field(description="Iteration time, given directly; goes before what model and GPU imply.")
    ] = None
    latency_source: Annotated[
        Literal["calibrated", "operators", "roofline"] | None,
        Field(description="Where iteration times must come from; left out: the first of these that there is."),
    ] = None
    kv_capacity_tokens: Annotated[
        PositiveCount | None, Field(description="KV memory of a replica, given directly; goes before model and GPU.")
    ] = None
    queue: Annotated[AnyQueue, Field(description="Where requests wait.")] = PerReplica()
    autoscaler: Annotated[AnyPolicy, Field(description="How many replicas there are.")]
    price: Annotated[Price | None, Field(description="What a GPU costs; left out: the GPU's list price.")] = None
    kv_transfer: Annotated[
        KvTransfer | None, Field(description="Where requests decode after their prefill here; left out: here.")
    ] = None

    @cached_property
    def law(self) -> IterationLaw:
        """The iteration time of a batching replica: given, else what model, GPUs and engine imply."""
        law = self._law_or_why()
        assert isinstance(law, IterationLaw), law
        return law

    @cached_property
    def kv_tokens(self) -> int:
        """Tokens of KV cache on a batching replica: given, else what memory leaves beside weights and reserve."""
        if self.kv_capacity_tokens is not None:
            return self.kv_capacity_tokens
        demand = self._demand()
        assert demand is not None
        assert self.gpu is not None
        return demand.kv_tokens(self.gpu)

    @property
    def kv_bytes_per_token(self) -> float | None:
        """Bytes of KV cache that one token takes, wherever it is; None without a model."""
        return None if self.model is None else kv_bytes_per_token(self.model, 1, self.kv_precision)

    @property
    def law_facts(self) -> dict[str, Any] | None:
        """Where the iteration times come from, as results show it; None for slots, which have none."""
        if not isinstance(self.replica, Batching):
            return None
        facts: dict[str, Any] = {"source": self.law.source, "about": self.law.about}
        if self.latency is None:
            assert self.model is not None
            assert self.engine is not None
            facts |= {"engine": self.engine.name or "inline", "precision": self.precision or self.model.precision}
        if self.law.holds is not None:
            facts["holds"] = self.law.holds.model_dump(mode="json", exclude_none=True)
        return {**facts, "kv_capacity_tokens": self.kv_tokens}

    @property
    def priced(self) -> bool:
        """Whether a price is known."""
        return self._price is not None

    @property
    def usd_per_replica_hour(self) -> float:
        """USD for an hour of one replica; 0 when no price is known (see `priced`)."""
        return self.gpus_per_replica * self._price.on_demand if self._price is not None else 0.0

    @property
    def _price(self) -> Price | None:
        return self.price or (self.gpu.price if self.gpu is not None else None)

    def _law_or_why(self) -> IterationLaw | str:
        """The law, or why there is none."""
        assert isinstance(self.replica, Batching)
        if self.latency is not None:
            return given(self.latency, self.replica.seats)
        if self.model is None or self.gpu is None:
            return "a batching pool needs 'latency', or a 'model' and a 'gpu'"
        assert self.engine is not None
        pair = Pair(
            model=self.model,
            gpu=self.gpu,
            gpus=self.gpus_per_replica,
            engine=self.engine,
            precision=self.precision or self.model.precision,
            kv_precision=self.kv_precision or self.model.kv_precision,
            expert_parallel=self.expert_parallel,
        )
        replica = self.replica
        return implied(pair, replica.seats, replica.max_batched_tokens, self.latency_source, replica.verified)

    def _demand(self) -> Demand | None:
        """What is to fit into GPU memory, if that is to be found out."""
        if self.kv_capacity_tokens is not None or self.model is None or not isinstance(self.replica, Batching):
            return None
        return Demand(
            model=self.model,
            gpus=self.gpus_per_replica,
            memory_share=self.memory_share,
            precision=self.precision,
            kv_precision=self.kv_precision,
            max_batched_tokens=self.replica.max_batched_tokens,
            max_num_seqs=self.replica.seats * self.replica.verified,
        )

    @model_validator(mode="before")
    @classmethod
    def _engine_named(cls, raw: Any) -> Any:
        """The default engine where one is needed and none is named: a resolved scenario says all it rests on."""
        if not isinstance(raw, Mapping) or raw.get("engine") is not None or raw.get("latency") is not None:
            return raw
        if raw.get("model") is None or raw.get("gpu") is None or _kind_or("batching")(raw.get("replica")) != "batching":
            return raw
        return {**raw, "engine": default_engine()}

    @model_validator(mode="after")
    def _resolves(self) -> Self:
        problems = self._batching_problems() if isinstance(self.replica, Batching) else self._unused_by_slots()
        asked = ((query, self.autoscaler.pipeline) for query in self.autoscaler.queries)
        problems += [(("autoscaler",), why) for query, pace in asked if (why := unanswerable(query, pace))]
        if problems:
            raise said_all(problems)
        return self

    def _unused_by_slots(self) -> list[tuple[tuple[str, ...], str]]:
        keys = ("latency", "latency_source", "model", "engine", "precision", "kv_precision", "kv_capacity_tokens")
        unused = [key for key in (*keys, "kv_transfer") if getattr(self, key) is not None]
        remedy = "says nothing for replicas of kind slots, which serve by the stream's 'service'; remove it"
        return [((key,), remedy) for key in unused]

    def _batching_problems(self) -> list[tuple[tuple[str, ...], str]]:
        """What keeps the law or the memory from being known."""
        told = self.latency is not None and self.kv_capacity_tokens is not None
        if not told and self.model is not None and self.gpu is not None:
            split = split_problem(self.model, self.gpu, self.gpus_per_replica)
            if split:
                return [(("gpus_per_replica",), split)]
        problems: list[tuple[tuple[str, ...], str]] = []
        for key in ("engine", "latency_source"):
            if self.latency is not None and getattr(self, key) is not None:
                problems.append(((key,), "says nothing beside 'latency', which gives the iteration time; remove one"))
        if self.expert_parallel and self.model is not None and self.model.experts is None:
            problems.append((("expert_parallel",), f"'{self.model.name}' has no experts; remove it"))
        if self.kv_transfer is not None and self.model is None:
            problems.append((("kv_transfer",), "needs a 'model', to know the bytes of a token's KV cache"))
        law = self._law_or_why()
        if isinstance(law, str):
            problems.append((("latency_source",) if self.latency_source else (), law))
        demand = self._demand()
        if self.kv_capacity_tokens is None and (demand is None or self.gpu is None):
            problems.append(((), "a batching pool needs 'kv_capacity_tokens', or a 'model' and a 'gpu'"))
        elif demand is not None and self.gpu is not None:
            full = memory_problem(demand, self.gpu)
            problems += [((), full)] if full else []
        return problems
