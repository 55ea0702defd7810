"""What a scenario may say of a pool, as frozen models: its replicas, its queue, its model, GPUs and engine, its life.

A `Pool` that exists is right: its law of iteration time and its KV memory are known, or it does not need them, and so
are those of its replicas from other offers and of later versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from sim.autoscaling import AnyPolicy
from sim.autoscaling.history import unanswerable
from sim.autoscaling.observation import Pipeline
from sim.config.frozen import Frozen
from sim.config.said import Problems, said_all
from sim.config.units import Duration, PositiveCount, PositiveShare, Share
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
    default_engine,
    given,
    implied,
    kv_bytes_per_token,
    memory_problem,
    split_problem,
    weights_bytes,
)
from sim.pricing import Price
from sim.pricing.books.book import PriceBook
from sim.pricing.egress import Egress
from sim.scenario.billing import Billing
from sim.scenario.booked import priced_by_books
from sim.scenario.boot import AnyBoot, Boot, as_stages
from sim.scenario.changes import Changes, LatencySource, changed, stale
from sim.scenario.drain import Drain
from sim.scenario.faults import AnyFault
from sim.scenario.kv_transfer import KvTransfer
from sim.scenario.metrics import Metrics
from sim.scenario.queues import AnyQueue, PerReplica
from sim.scenario.replica import AnyReplica, Batching, kind_or
from sim.scenario.rollout import Rollout
from sim.scenario.supply import WITHOUT_LIMITS, Offer, market_price, same_name
from sim.scenario.zones import unknown_zones

SHORTEST_PERIOD_S = 0.01
"""Between two decisions of an autoscaler, and between two samples of its metrics."""


class Pool(Frozen):
    """Replicas of one kind, behind one queue."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

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
        LatencySource | None,
        Field(description="Where iteration times must come from; left out: the first of these that there is."),
    ] = None
    kv_capacity_tokens: Annotated[
        PositiveCount | None, Field(description="KV memory of a replica, given directly; goes before model and GPU.")
    ] = None
    queue: Annotated[AnyQueue, Field(description="Where requests wait.")] = PerReplica()
    autoscaler: Annotated[AnyPolicy, Field(description="How many replicas there are.")]
    price: Annotated[Price | None, Field(description="What a GPU costs; left out: the GPU's list price.")] = None
    book: Annotated[
        PriceBook | None,
        Field(description="The price book that `price` and `billing` come from, where they are not given here."),
    ] = None
    kv_transfer: Annotated[
        KvTransfer | None, Field(description="Where requests decode after their prefill here; left out: here.")
    ] = None
    overhead_s: Annotated[
        Duration,
        Field(alias="overhead", description="Seconds that every first token takes more, on the way to users."),
    ] = 0.0
    boot: Annotated[
        AnyBoot, Field(description="From the order of a replica to its first request; replicas of the start are ready.")
    ] = 0.0
    drain: Annotated[Drain, Field(description="What becomes of requests on a replica that goes.")] = Drain()
    cancels: Annotated[
        bool,
        Field(
            strict=True,
            description="Requests whose clients gave up leave their slot at once, their batch at the next iteration. "
            "false: they are served to the end, for nobody.",
        ),
    ] = True
    supply: Annotated[
        tuple[Offer, ...], Field(description="Where replicas come from, tried in order; left out: no limits.")
    ] = ()
    faults: Annotated[tuple[AnyFault, ...], Field(description="What breaks.")] = ()
    rollouts: Annotated[tuple[Rollout, ...], Field(description="Rolling updates, in order of time.")] = ()
    billing: Annotated[Billing, Field(description="How paid time is counted.")] = Billing()
    egress: Annotated[Egress | None, Field(description="What sending answers costs; left out: nothing.")] = None
    interruptible_share: Annotated[
        Share,
        Field(
            alias="interruptible",
            description="Share of its GPUs that could be on spot, for advice on commitments; a run does not use it.",
        ),
    ] = 0.0
    metrics: Annotated[Metrics, Field(description="How fresh the autoscaler's metrics are.")] = Metrics()

    @cached_property
    def law(self) -> IterationLaw:
        """The iteration time of a batching replica: given, else what model, GPUs and engine imply."""
        law = self._law_or_why()
        assert isinstance(law, IterationLaw), law
        return replace(law, overhead_s=law.overhead_s + self.overhead_s) if self.overhead_s else law

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
    def weight_bytes(self) -> float | None:
        """Bytes of weights that a replica loads; None without a model."""
        return None if self.model is None else weights_bytes(self.model, self.precision)

    @cached_property
    def stages(self) -> Boot:
        """The stages of `boot`; draw from them with `stages.stages(rng, weight_bytes)`."""
        return as_stages(self.boot)

    @property
    def pipeline(self) -> Pipeline:
        """How the autoscaler's metrics get to it."""
        return self.metrics.over(self.autoscaler.pipeline)

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Where replicas come from, at least one."""
        return self.supply or (WITHOUT_LIMITS,)

    @property
    def versions(self) -> tuple[Pool, ...]:
        """This pool, then what it is after each of its rollouts."""
        found = [self]
        for rollout in self.rollouts:
            found.append(found[-1] if rollout.to is None else found[-1]._changed(rollout.to))
        return tuple(found)

    def as_offered(self, offer: Offer) -> Pool:
        """The pool that the replicas of one of its offers make: own law and KV memory, own boot, the market's price."""
        found = self._changed(offer)
        price = market_price(offer, found.listed)
        paid = price if isinstance(price, Price) else None
        return found._with({"price": paid, "overhead_s": self.overhead_s + offer.overhead_s, "supply": ()})

    def varied(self, changes: Changes, replica: AnyReplica) -> tuple[Pool, Problems]:
        """This pool with other keys and limits of its engine, and what then does not fit together: if anything, none
        of it is to be used."""
        found = self._with({**changed(self._values, changes), "replica": replica})
        return found, stale(self._values, changes) or found._problems()

    def mixed(self, offers: tuple[Offer, ...]) -> Pool:
        """This pool with its replicas from other offers, taken to be right."""
        return self._with({"supply": offers})

    def _changed(self, changes: Changes) -> Pool:
        return self._with(changed(self._values, changes))

    @property
    def _values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields}

    def _with(self, values: Mapping[str, Any]) -> Pool:
        """A pool with other values, not yet looked at; nothing that this one has worked out is taken over."""
        fields = {**self._values, **values}
        if fields["engine"] is None and fields["latency"] is None and fields["model"] and fields["gpu"]:
            fields["engine"] = default_engine()
        return Pool.model_construct(**fields)

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
        return self.listed is not None

    @property
    def usd_per_replica_hour(self) -> float:
        """USD for an hour of one replica; 0 when no price is known (see `priced`)."""
        return self.gpus_per_replica * self.listed.on_demand if self.listed is not None else 0.0

    @property
    def listed(self) -> Price | None:
        """What its GPUs cost, as it is listed; None if that is not known."""
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
        if raw.get("model") is None or raw.get("gpu") is None or kind_or("batching")(raw.get("replica")) != "batching":
            return raw
        return {**raw, "engine": default_engine()}

    @model_validator(mode="before")
    @classmethod
    def _priced(cls, raw: Any) -> Any:
        """The prices that books give: a resolved scenario says them itself."""
        if not isinstance(raw, Mapping):
            return raw
        told, problems = priced_by_books(raw)
        if problems:
            raise said_all(problems)
        return told

    @model_validator(mode="after")
    def _resolves(self) -> Self:
        problems = self._problems() or [
            *self._version_problems(),
            *self._supply_problems(),
            *unknown_zones(self.offers, self.faults),
        ]
        if problems:
            raise said_all(problems)
        return self

    def _problems(self) -> Problems:
        """What does not fit together in the pool itself."""
        problems: Problems = []
        problems += self._batching_problems() if isinstance(self.replica, Batching) else self._unused_by_slots()
        if self.stages.needs_bytes and self.model is None:
            problems.append((("boot",), "needs the bytes of weights: give a 'model', or weights: {size: 16GB}"))
        if self.autoscaler.period_s < SHORTEST_PERIOD_S:
            told = f"decides every {self.autoscaler.period_s:g} s; its period must be at least {SHORTEST_PERIOD_S:g} s"
            problems.append((("autoscaler",), told))
        if 0 < self.pipeline.scrape_s < SHORTEST_PERIOD_S:
            told = f"must be at least {SHORTEST_PERIOD_S:g} s, got {self.pipeline.scrape_s:g} s"
            problems.append((("metrics", "scrape_interval"), told))
        for query in self.autoscaler.queries:
            why = unanswerable(query, self.pipeline)
            problems += [(("autoscaler",), why)] if why else []
        return problems

    def _version_problems(self) -> Problems:
        """What does not fit in what the pool becomes by its rollouts."""
        problems: Problems = []
        before = self
        for index, (rollout, after) in enumerate(zip(self.rollouts, self.versions[1:], strict=True)):
            place = ("rollouts", index, "to")
            if index and rollout.at_s <= self.rollouts[index - 1].at_s:
                problems.append((("rollouts", index, "at"), "must be later than the rollout before"))
            if rollout.to is not None:
                found = stale(before._values, rollout.to)
                if after.replica.kind != self.replica.kind:
                    found = [(("replica",), f"must stay of kind '{self.replica.kind}', as requests are drawn for it")]
                problems += _under(place, rollout.to, found or after._problems())
            before = after
        return problems

    def _supply_problems(self) -> Problems:
        """What does not fit in the offers, for any version of the pool."""
        problems = same_name(self.supply)
        for index, offer in enumerate(self.supply):
            for version in self.versions:
                place = ("supply", index)
                offered = version._changed(offer)
                found = _under(place, offer, stale(version._values, offer) or offered._problems())
                price = market_price(offer, offered.listed)
                if isinstance(price, str):
                    found.append(((*place, "price"), price))
                problems += found
                if found:
                    break
        return problems

    def _unused_by_slots(self) -> Problems:
        keys = ("latency", "latency_source", "model", "engine", "precision", "kv_precision", "kv_capacity_tokens")
        unused = [key for key in (*keys, "kv_transfer") if getattr(self, key) is not None]
        remedy = "says nothing for replicas of kind slots, which serve by the stream's 'service'; remove it"
        found: Problems = [((key,), remedy) for key in unused]
        if isinstance(self.queue, PerReplica) and self.queue.routing.kind == "prefix_aware":
            told = "'prefix_aware' is for batching replicas: those of kind slots keep no KV cache"
            found.append((("queue", "router"), told))
        return found

    def _batching_problems(self) -> Problems:
        """What keeps the law or the memory from being known."""
        told = self.latency is not None and self.kv_capacity_tokens is not None
        if not told and self.model is not None and self.gpu is not None:
            split = split_problem(self.model, self.gpu, self.gpus_per_replica)
            if split:
                return [(("gpus_per_replica",), split)]
        problems: Problems = []
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


def _under(place: tuple[str | int, ...], changes: Changes, problems: Problems) -> Problems:
    """Problems of a changed pool, told where it is changed: at the key if it stands there, else at the whole."""
    given = changes.given
    return [((*place, *at) if at and at[0] in given else place, told) for at, told in problems]
