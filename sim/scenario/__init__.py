"""What a scenario file may say, as frozen models; loading one, writing one, and its JSON Schema.

A `Scenario` that exists is right: every name is resolved, every pool has its latency law and memory, every stream its
pool.
Attributes carry their unit (`horizon_s`); the key in the file does not (`horizon: 24h`).
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from sim.autoscaling import external
from sim.autoscaling.manifest_file import policy_node
from sim.config import catalogue, reading
from sim.config.dump import to_yaml
from sim.config.errors import ConfigError
from sim.config.reading import Rules, read, validated
from sim.config.references import Foreign, Reference
from sim.config.said import Problems, said, said_all
from sim.config.tree import Node
from sim.config.units import COUNT, DURATION, Duration, PositiveDuration, PositiveShare
from sim.pricing.books.currency import FirstDay
from sim.pricing.contracts import AnyContract
from sim.pricing.revenue import AnyRevenue
from sim.pricing.slowness import AnySlowness
from sim.pricing.spans import YEAR_S
from sim.scenario.assertions import SENTENCE, assertion_problems
from sim.scenario.classes import DEFAULT, Quota, RequestClass, Tenant, carried, classes_of, tenants_of, unfitting
from sim.scenario.contracts import contract_problems, stale_prices
from sim.scenario.plan import PlanSpec, plan_problems
from sim.scenario.pool import Pool
from sim.scenario.queueing import misplaced
from sim.scenario.queues import AnyQueue, Central, PerReplica
from sim.scenario.replica import AnyReplica, Batching, Slots
from sim.scenario.revenues import paid_twice
from sim.scenario.routes import Labels, Route, route_problems, spill_problems
from sim.scenario.sizes import too_many
from sim.scenario.tune import Tune
from sim.workload import AnyWorkload
from sim.workload.names import ClassName, TenantName

__all__ = [
    "RULES",
    "AnyQueue",
    "AnyReplica",
    "Batching",
    "Central",
    "PerReplica",
    "Pool",
    "Quota",
    "RequestClass",
    "Scenario",
    "Slots",
    "Target",
    "Tenant",
    "is_name",
    "load",
    "located",
]


def _sheets(*at: str) -> tuple[Reference, ...]:
    """The keys of a pool, or of what changes one, that take names from the catalogue."""
    return (
        Reference((*at, "model"), catalogue.MODELS, "model"),
        Reference((*at, "gpu"), catalogue.GPUS, "GPU"),
        Reference((*at, "engine"), catalogue.ENGINES, "engine"),
        Reference((*at, "boot"), catalogue.BOOTS, "boot preset", or_number=True),
        Reference((*at, "book"), catalogue.PRICES, "price book"),
    )


RULES = Rules(
    scenario_folder=catalogue.SCENARIOS,
    references=(
        Reference(("workload",), catalogue.WORKLOADS, "workload"),
        *_sheets("pools", "*"),
        *_sheets("pools", "*", "supply", "*"),
        *_sheets("pools", "*", "rollouts", "*", "to"),
        Reference(("plan", "pools", "*", "gpu", "*"), catalogue.GPUS, "GPU"),
        Foreign(("pools", "*", "autoscaler"), "manifest", policy_node, ("kind",)),
    ),
    user_named=(("pools",), ("contracts",), ("classes",), ("tenants",), ("workload", "streams")),
    data_paths_under=("workload", "pools", "plan"),
    data_path_keys=frozenset({"trace", "file"}),
    as_it_is=external.is_own,
)
"""Where a scenario may refer to other files."""

_YEAR_S = 366 * 86_400

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def is_name(text: str) -> bool:
    """Whether this can name a scenario, and so a folder: nothing in it that a file system objects to."""
    return re.fullmatch(r"[^\W_][\w .+-]{0,79}", text) is not None and not text.endswith((" ", "."))


def _folder_name(text: str) -> str:
    if not is_name(text):
        raise said(
            "must start with a letter or digit and hold only letters, digits, spaces and . _ + - (80 at most); "
            f"got '{text[:90]}'"
        )
    return text


class Target(BaseModel):
    """One service-level objective: this share of requests is to have this metric under this limit."""

    model_config = _CLOSED

    metric: Annotated[Literal["ttft", "tpot", "e2e", "queue_wait"], Field(description="The latency that is meant.")]
    under_s: Annotated[PositiveDuration, Field(alias="under", description="The limit.")]
    share: Annotated[PositiveShare, Field(description="Share of requests that must be within the limit.")]
    class_name: Annotated[
        str | None, Field(alias="class", description="Whose requests are meant: of this class. Left out: of any.")
    ] = None
    tenant: Annotated[str | None, Field(description="The same: of this tenant.")] = None


def _pool_name(text: str) -> str:
    """A pool's name is a step of dotted paths (`pools.chat.replica`), so it holds no dot."""
    if not re.fullmatch(r"[\w-]{1,60}", text):
        raise said(f"a pool's name may hold letters, digits, '_' and '-' (at most 60 characters); got '{text[:70]}'")
    return text


def _contract_name(text: str) -> str:
    if not re.fullmatch(r"[\w-]{1,60}", text):
        raise said(f"a contract's name may hold letters, digits, '_' and '-' (at most 60); got '{text[:70]}'")
    return text


class Scenario(BaseModel):
    """One question to the simulator: this traffic, on these pools, for this long."""

    model_config = ConfigDict(**_CLOSED, title="fleetcast scenario")

    name: Annotated[str, AfterValidator(_folder_name), Field(description="Names the output folder.")]
    description: Annotated[str, Field(description="The question it answers, in a line; free text after that.")] = ""
    seed: Annotated[
        Annotated[int, COUNT.between(0, 2**63 - 1)], Field(description="Same scenario, same seed: same result.")
    ] = 0
    horizon_s: Annotated[
        Annotated[float, DURATION.between(0, 100 * _YEAR_S).positive()] | None,
        Field(alias="horizon", description="Arrivals stop here; requests in flight are then served to the end."),
    ] = None
    warmup_s: Annotated[
        Duration, Field(alias="warmup", description="Requests that arrive before this are simulated, not measured.")
    ] = 0.0
    calendar: Annotated[
        Literal["auto", "simpy", "compiled"],
        Field(description="Who calls the model: readable, fast, or by size of run."),
    ] = "auto"
    workload: Annotated[AnyWorkload, Field(description="The traffic: a name, a path, or inline.")]
    pools: Annotated[
        dict[Annotated[str, AfterValidator(_pool_name)], Pool], Field(description="The fleet, by name of pool.")
    ]
    classes: Annotated[
        dict[ClassName, RequestClass], Field(description="Classes of requests, by name; streams carry them.")
    ] = {}
    tenants: Annotated[dict[TenantName, Tenant], Field(description="Customers, by name; streams carry them.")] = {}
    routes: Annotated[
        tuple[Route, ...] | None,
        Field(description="Which pool requests go to: the first rule that holds, else their stream's pool."),
    ] = None
    slo: Annotated[tuple[Target, ...], Field(description="What users are promised.")] = ()
    assertions: Annotated[
        tuple[Annotated[str, WithJsonSchema(SENTENCE)], ...] | None,
        Field(alias="assert", description="What must hold of its runs, a sentence each; told by run --check."),
    ] = None
    slowness: Annotated[
        tuple[AnySlowness, ...], Field(description="What slow and missing answers cost, beside the fleet.")
    ] = ()
    revenue: Annotated[tuple[AnyRevenue, ...], Field(description="What the service earns, and from whom.")] = ()
    contracts: Annotated[
        dict[Annotated[str, AfterValidator(_contract_name)], AnyContract],
        Field(description="What is paid for capacity whether it is used or not, by name."),
    ] = {}
    plan: Annotated[PlanSpec | None, Field(description="What `fleetcast plan` may choose; changes no run.")] = None
    starts: Annotated[
        FirstDay | None, Field(description="The day of the run's hour 0 (UTC), as in 2026-09-01; for prices and bills.")
    ] = None
    max_price_age_s: Annotated[
        Duration, Field(alias="max_price_age", description="How long before that day a price may have been read.")
    ] = YEAR_S
    tune: Annotated[Tune | None, Field(description="What `fleetcast tune` may change, and towards what.")] = None

    @property
    def request_classes(self) -> dict[str, RequestClass]:
        """The classes of requests, those that only streams name included; empty where there is but one kind."""
        return classes_of(self)

    @property
    def customers(self) -> dict[str, Tenant]:
        """The tenants, those that only streams name included."""
        return tenants_of(self)

    @property
    def stream_classes(self) -> tuple[str | None, ...]:
        """The class of each stream's requests, in the order of `workload.stream_names`; None if there are none."""
        none = DEFAULT if self.request_classes else None
        return tuple(name or none for name in carried(self, "class_name").values())

    @property
    def stream_tenants(self) -> tuple[str | None, ...]:
        """Whose requests each stream's are, in the same order; None if nobody's."""
        return tuple(carried(self, "tenant").values())

    @property
    def stream_pools(self) -> tuple[str, ...]:
        """The pool that each stream goes to where no route says otherwise, in the order of `workload.stream_names`."""
        pools = [self._pool_or_why(stream) for stream in self.workload.stream_names]
        assert all(isinstance(pool, str) for pool in pools)
        return tuple(str(pool) for pool in pools)

    @property
    def labels(self) -> dict[str, Labels]:
        """What routes know of the streams, in the order of `workload.stream_names`."""
        told = zip(self.workload.by_name().items(), self.stream_classes, self.stream_tenants, strict=True)
        return {
            name: Labels(class_name, tenant, stream.model, stream.brings_tokens)
            for (name, stream), class_name, tenant in told
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the resolved scenario, in hexadecimal."""
        return _digest(json.dumps(self._plain()))

    def to_yaml(self) -> str:
        """The resolved scenario as YAML: nothing is referred to but data files; loads to an equal scenario anywhere."""
        return to_yaml(self._plain())

    def _plain(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def __eq__(self, other: object) -> bool:
        """Scenarios are equal when they say the same, whatever their laws have cached since."""
        return self.to_yaml() == other.to_yaml() if isinstance(other, Scenario) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.to_yaml())

    @model_validator(mode="before")
    @classmethod
    def _not_too_many(cls, given: Any) -> Any:
        """Before anything is looked at: thousands of pools would take minutes, and are a slip."""
        if isinstance(given, Mapping) and (problems := too_many(given)):
            raise said_all(problems)
        return given

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems: Problems = [*self._window_problems(), *self._stream_problems(), *self._transfer_problems()]
        problems += unfitting(self)
        problems += paid_twice(self)
        problems += self._route_problems()
        problems += misplaced(self)
        problems += [*contract_problems(self), *stale_prices(self)]
        problems += assertion_problems(self)
        problems += plan_problems(self.plan, self.pools)
        if problems:
            raise said_all(problems)
        return self

    def _window_problems(self) -> list[tuple[tuple[str, ...], str]]:
        if not self.pools:
            return [(("pools",), "must hold at least one pool")]
        if self.horizon_s is None and not self.workload.is_finite:
            return [(("horizon",), "is missing: generated arrivals (and looping traces) go on for ever; such as 1h")]
        if self.horizon_s is not None and self.warmup_s >= self.horizon_s:
            return [(("warmup",), f"must be below the horizon ({self.horizon_s:g} s); got {self.warmup_s:g} s")]
        return []

    def _stream_problems(self) -> list[tuple[tuple[str, ...], str]]:
        """What does not fit between streams and pools."""
        problems: list[tuple[tuple[str, ...], str]] = []
        names = self.workload.stream_names
        for stream in names if self.pools else ():
            at = self.stream_place(stream)
            name = self._pool_or_why(stream)
            if isinstance(name, tuple):
                problems.append(((*at, *name[0]), name[1]))
                continue
            replica = self.pools[name].replica
            if isinstance(replica, Slots) and not self.workload.has_service(stream):
                problems.append((at, f"needs 'service': the replicas of pool '{name}' are slots"))
            if isinstance(replica, Batching) and not self.workload.has_tokens(stream):
                problems.append(
                    (at, f"needs 'prompt_tokens' and 'output_tokens': the replicas of pool '{name}' are batching")
                )
        return problems

    def _route_problems(self) -> Problems:
        """What does not fit in the rules that send requests to pools, and in what pools pass on."""
        kinds = {name: pool.replica.kind for name, pool in self.pools.items()}
        homes = {name: self._pool_or_why(name) for name in self.workload.stream_names if self.pools}
        known = {name: pool for name, pool in homes.items() if isinstance(pool, str)}
        return [
            *route_problems(self.routes or (), self.labels, known, kinds),
            *spill_problems({name: pool.queue.spill for name, pool in self.pools.items()}, kinds),
        ]

    def _transfer_problems(self) -> list[tuple[tuple[str, ...], str]]:
        """What does not fit between a pool that prefills and the one that decodes."""
        problems: list[tuple[tuple[str, ...], str]] = []
        for name, pool in self.pools.items():
            if pool.kv_transfer is None:
                continue
            to = pool.kv_transfer.to
            others = [other for other in self.pools if other != name]
            target = self.pools.get(to)
            problem = ""
            if to == name:
                problem = "is this pool itself; name the pool that decodes"
            elif target is None:
                problem = f"no pool is called '{to}'{catalogue.did_you_mean(to, others)}"
            elif not isinstance(target.replica, Batching):
                problem = f"pool '{to}' does not batch: its replicas are slots and keep no KV cache"
            elif target.kv_transfer is not None:
                problem = f"pool '{to}' hands over itself; a request is handed over once"
            elif target.kv_bytes_per_token not in (None, pool.kv_bytes_per_token):
                problem = (
                    f"pool '{to}' keeps {target.kv_bytes_per_token:g} bytes of KV cache a token, this one "
                    f"{pool.kv_bytes_per_token:g}; both must serve one model with one kv_precision"
                )
            elif len({each.kv_bytes_per_token for each in (*pool.versions, *target.versions)} - {None}) > 1:
                problem = f"a rollout here or in pool '{to}' changes the bytes of a token's KV cache; they must stay"
            if problem:
                problems.append((("pools", name, "kv_transfer", "to"), problem))
        return problems

    def stream_place(self, stream: str) -> tuple[str, ...]:
        """The keys that lead to a stream in the file."""
        alone = self.workload.stream_names == ("requests",)
        return ("workload",) if alone else ("workload", "streams", stream)

    def pool_of(self, stream: str) -> str | None:
        """The pool that a stream goes to; None if that is not known."""
        found = self._pool_or_why(stream)
        return found if isinstance(found, str) else None

    def reached_pools(self, stream: str) -> tuple[str, ...]:
        """The pools that requests of a stream can come to: by its own, routes, spill-over and hand-over.

        Names of pools that there are not are left out.
        """
        found = [self.pool_of(stream)]
        found += [route.to for route in self.routes or () if route.about(stream, self.labels[stream])]
        for name in found:
            pool = self.pools.get(name or "")
            following = [] if pool is None else [pool.queue.spill, pool.kv_transfer]
            found += [after.to for after in following if after is not None and after.to not in found]
        return tuple(dict.fromkeys(name for name in found if name in self.pools))

    def _pool_or_why(self, stream: str) -> str | tuple[tuple[str, ...], str]:
        """The pool of a stream; or a key below the stream and why there is none."""
        wanted, pools = self.workload.stream_pool(stream), list(self.pools)
        model = self.workload.by_name()[stream].model
        if model is not None:
            served = {name: pool.model.name for name, pool in self.pools.items() if pool.model is not None}
            pools = [name for name, serves in served.items() if serves == model]
            if not pools:
                rest = catalogue.did_you_mean(model, list(served.values()))
                return (("model",), f"no pool serves model '{model}'{rest}")
            if wanted in served and wanted not in pools:
                return (("pool",), f"pool '{wanted}' serves '{served[wanted]}', and the stream wants '{model}'")
        if wanted is not None:
            pools = list(self.pools)
            return (
                wanted
                if wanted in pools
                else (("pool",), f"no pool is called '{wanted}'{catalogue.did_you_mean(wanted, pools)}")
            )
        if stream in pools:
            return stream
        decoding = {pool.kv_transfer.to for pool in self.pools.values() if pool.kv_transfer is not None}
        first = [pool for pool in pools if pool not in decoding]
        if len(pools) == 1 or len(first) == 1:
            return pools[0] if len(pools) == 1 else first[0]
        return (
            (),
            f"needs 'pool', one of {', '.join(pools)}: with several pools, it is not clear where this stream goes",
        )


@functools.lru_cache(maxsize=64)
def _digest(plain: str) -> str:
    """Of a scenario in JSON, which is written a hundred times as fast as YAML: replications ask again and again."""
    return hashlib.sha256(to_yaml(json.loads(plain)).encode()).hexdigest()


def load(source: str | Path | Mapping[str, Any] | Scenario | Node, sets: Sequence[str] = ()) -> Scenario:
    """A scenario from a file (its path, or its name in the catalogue), a mapping or a tree, with `KEY=VALUE` changes.

    Raises `ConfigError` with every problem found, each at its place in the file.
    """
    return validated(read(source, sets, RULES), Scenario)


def located(
    error: ConfigError, source: str | Path | Mapping[str, Any] | Scenario, sets: Sequence[str] = ()
) -> ConfigError:
    """What was only found wrong in a run, told with its place in the scenario that `load` made of the same."""
    return reading.located(error, reading.read(source, sets, RULES))
