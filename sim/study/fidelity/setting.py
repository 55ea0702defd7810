"""The engine under test: model, GPUs, engine, and how it was started. Everything but the load."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pydantic import BaseModel

from sim.config import catalogue
from sim.config.errors import ConfigError
from sim.config.loader import read_file
from sim.config.reading import Read, validated
from sim.config.references import locate
from sim.config.tree import Place
from sim.hardware import Calibration, EngineSheet, GpuSheet, IterationLaw, ModelSheet, Pair, Source, implied
from sim.hardware.law import calibration_of
from sim.scenario import Batching, Pool, load

POOL = "measured"

_Sheet = TypeVar("_Sheet", bound=BaseModel)


@dataclass(frozen=True)
class Setting:
    """What was measured, and where its iteration times come from."""

    model: ModelSheet
    gpu: GpuSheet
    gpus_per_replica: int
    engine: EngineSheet
    precision: str | None = None
    kv_precision: str | None = None
    expert_parallel: bool = False
    replica: Batching = field(default_factory=Batching)
    memory_share: float | None = None
    kv_capacity_tokens: int | None = None
    cached_share: float = 0.0
    """Of the prompts, unless a file says."""
    latency_source: Source | None = None
    """Where iteration times must come from; None: the best that there is, as in a scenario."""

    @property
    def weights(self) -> str:
        """Precision of the weights."""
        return self.precision or self.model.precision

    @property
    def pair(self) -> Pair:
        """The model on its GPUs."""
        return Pair(
            model=self.model,
            gpu=self.gpu,
            gpus=self.gpus_per_replica,
            engine=self.engine,
            precision=self.weights,
            kv_precision=self.kv_precision or self.model.kv_precision,
            expert_parallel=self.expert_parallel,
        )

    @property
    def label(self) -> str:
        """What it is, in words."""
        precision = "" if self.precision is None else f" in {self.precision}"
        engine = f", {self.engine.name}" if self.engine.name else ""
        return f"{self.model.name}{precision} on {self.gpus_per_replica} x {self.gpu.name}{engine}"

    def law(self) -> IterationLaw:
        """Its iteration times; they must be known, see `check`."""
        law = implied(self.pair, self.replica.seats, self.replica.max_batched_tokens, self.latency_source)
        assert isinstance(law, IterationLaw), law
        return law

    def calibration(self) -> Calibration | None:
        """The calibration that its law comes from, if it comes from one."""
        return calibration_of(self.pair) if self.latency_source in (None, "calibrated") else None

    def calibrated(self, row: Calibration) -> Setting:
        """The same under this calibration and no other."""
        model = self.model.model_copy(update={"calibrations": (row,)})
        return replace(self, model=model, latency_source="calibrated")

    def from_sheets(self) -> Setting:
        """The same with iteration times from data sheets alone."""
        return replace(self, latency_source="roofline")

    def pool(self, replicas: int = 1) -> Pool:
        """The pool that stands for it."""
        return Pool.model_validate(self._keys(replicas) | {"model": self.model, "gpu": self.gpu, "engine": self.engine})

    def check(self) -> None:
        """Raise `ConfigError` for a model that cannot run on these GPUs, or a sheet that lacks a figure.

        Paths are keys of a pool.
        """
        sheets = {
            name: sheet.model_dump(mode="json", by_alias=True, exclude_none=True)
            for name, sheet in (("model", self.model), ("gpu", self.gpu), ("engine", self.engine))
        }
        pools = {POOL: self._keys(1) | sheets}
        try:
            load({"name": POOL, "horizon": 1, "workload": _ANY_TRAFFIC, "pools": pools})
        except ConfigError as error:
            places = ((problem, problem.path.removeprefix(f"pools.{POOL}").lstrip(".")) for problem in error.problems)
            raise ConfigError(replace(problem, path=path) for problem, path in places) from None

    def _keys(self, replicas: int) -> dict[str, Any]:
        """The keys of the pool that are no sheets."""
        given = {
            "gpus_per_replica": self.gpus_per_replica,
            "precision": self.precision,
            "kv_precision": self.kv_precision,
            "expert_parallel": self.expert_parallel,
            "memory_share": self.memory_share,
            "kv_capacity_tokens": self.kv_capacity_tokens,
            "latency_source": self.latency_source,
            "replica": self.replica.model_dump(),
            "autoscaler": {"kind": "fixed", "replicas": replicas},
        }
        return {key: value for key, value in given.items() if value is not None}


_ONE_TOKEN = {"kind": "constant", "value": 1}
_ANY_TRAFFIC = {
    "arrivals": {"kind": "poisson", "rate": 1},
    "prompt_tokens": _ONE_TOKEN,
    "output_tokens": _ONE_TOKEN,
}


def model_sheet(text: str) -> ModelSheet:
    """A model by name or path. Raises ConfigError."""
    return _sheet(text, catalogue.MODELS, "model", ModelSheet)


def gpu_sheet(text: str) -> GpuSheet:
    """A GPU by name or path. Raises ConfigError."""
    return _sheet(text, catalogue.GPUS, "GPU", GpuSheet)


def engine_sheet(text: str) -> EngineSheet:
    """An engine by name or path. Raises ConfigError."""
    return _sheet(text, catalogue.ENGINES, "engine", EngineSheet)


def _sheet(text: str, folder: str, noun: str, kind: type[_Sheet]) -> _Sheet:
    return validated(Read(read_file(locate(text, folder, noun, Place())), ()), kind)
