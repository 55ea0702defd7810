"""What some replicas of a pool may have different from the rest: those of another offer, or of another version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from sim.config.said import Problems
from sim.config.units import PositiveCount, UsdPerHour
from sim.hardware import EngineSheet, GpuSheet, KvPrecision, Latency, Precision
from sim.pricing import Price
from sim.pricing.books.book import PriceBook
from sim.scenario.boot import AnyBoot

LatencySource = Literal["calibrated", "operators", "roofline"]

if TYPE_CHECKING:
    AnyPrice: TypeAlias = float | Price
else:
    AnyPrice = Annotated[
        Annotated[UsdPerHour, Tag("usd")] | Annotated[Price, Tag("price")],
        Discriminator(lambda value: "price" if isinstance(value, Mapping | BaseModel) else "usd"),
    ]


class Changes(BaseModel):
    """Keys of a pool that go before the pool's own; a key left out is as the pool has it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    gpu: Annotated[GpuSheet | None, Field(description="Another GPU: a name, a path or a sheet inline.")] = None
    gpus_per_replica: Annotated[PositiveCount | None, Field(description="GPUs that serve one replica together.")] = None
    precision: Annotated[Precision | None, Field(description="Number format of the weights.")] = None
    kv_precision: Annotated[KvPrecision | None, Field(description="Number format of the KV cache.")] = None
    engine: Annotated[EngineSheet | None, Field(description="The serving engine.")] = None
    latency: Annotated[Latency | None, Field(description="Iteration time, given directly.")] = None
    latency_source: Annotated[LatencySource | None, Field(description="Where iteration times must come from.")] = None
    kv_capacity_tokens: Annotated[PositiveCount | None, Field(description="KV memory of a replica.")] = None
    boot: Annotated[AnyBoot | None, Field(description="From the order of a replica to its first request.")] = None
    price: Annotated[
        AnyPrice | None, Field(description="USD per GPU-hour, or prices by market; left out: the GPU's or the pool's.")
    ] = None
    book: Annotated[
        PriceBook | None,
        Field(description="The price book that `price` comes from; left out: the pool's, for another GPU or region."),
    ] = None

    @property
    def given(self) -> dict[str, Any]:
        """The keys of a pool that are given, and their values."""
        keys = [key for key in (*Changes.model_fields, "model", "replica") if key in type(self).model_fields]
        return {key: value for key in keys if (value := getattr(self, key)) is not None}


_MACHINE = ("model", "gpu", "gpus_per_replica", "precision", "kv_precision", "engine")


def changed(pool: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """The fields of a pool with the changes laid over them; those that only fitted what was there before are gone."""
    given = changes.given
    fields = {**pool, **given}
    if "latency" in given:
        fields |= {key: given.get(key) for key in ("engine", "latency_source")}
    if "price" in given:
        fields["price"] = given["price"] if isinstance(given["price"], Price) else Price(on_demand=given["price"])
    elif "gpu" in given and given["gpu"] != pool["gpu"]:
        fields["price"] = None  # what the pool pays for its own GPU says nothing about this one
    return fields


def stale(pool: Mapping[str, Any], changes: Changes) -> Problems:
    """Figures that the pool gives directly, and that no longer hold for what is changed."""
    given = changes.given
    new = [key for key in _MACHINE if key in given and given[key] != pool[key]]
    return [
        ((new[0],), f"the pool's '{key}' holds for what it was given with; give '{key}' here too")
        for key in ("latency", "kv_capacity_tokens")
        if new and new != ["engine"] and pool[key] is not None and key not in given
    ]
