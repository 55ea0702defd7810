"""Files of measured operating points (`configs/measured`, or a user's own) as frozen models. Owns what they may say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sim.config import catalogue
from sim.config.errors import ConfigError, DataError
from sim.config.reading import Rules, read, validated
from sim.config.said import said_all
from sim.config.units import Count, Duration, PositiveCount, PositiveDuration, PositiveShare
from sim.hardware import Precision
from sim.workload.distributions import TokenLaw

__all__ = ["MEASURED", "Experiment", "MeasuredFile", "Setup", "read_measured", "shipped_files"]

MEASURED = "configs/measured"

STATISTICS = ("mean", "p50", "p90", "p95", "p99")
LATENCIES = tuple(f"{metric}_s_{name}" for metric in ("ttft", "tpot", "e2e") for name in STATISTICS)
LOADS = ("rate_per_s", "requests", "max_in_flight")
ITERATIONS = ("decode_seqs", "context_tokens", "prefill_tokens")
MEASUREMENTS = (*LATENCIES, "sent_per_s", "iteration_s")

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
_RULES = Rules(MEASURED, (), (), (), frozenset())

Column = Literal[
    "rate_per_s", "requests", "max_in_flight", "decode_seqs", "context_tokens", "prefill_tokens",
    "ttft_s_mean", "ttft_s_p50", "ttft_s_p90", "ttft_s_p95", "ttft_s_p99",
    "tpot_s_mean", "tpot_s_p50", "tpot_s_p90", "tpot_s_p95", "tpot_s_p99",
    "e2e_s_mean", "e2e_s_p50", "e2e_s_p90", "e2e_s_p95", "e2e_s_p99",
    "sent_per_s", "iteration_s",
]  # fmt: skip


def _constant(value: Any) -> Any:
    """A plain number of tokens is that number for every request."""
    return {"kind": "constant", "value": value} if isinstance(value, int | float | str) else value


Lengths = Annotated[TokenLaw | None, BeforeValidator(_constant)]
Cell = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None


class Setup(BaseModel):
    """What was measured on what. A file says it for all its experiments, an experiment for itself."""

    model_config = _CLOSED

    model: Annotated[str | None, Field(description="A name from configs/models, or a path.")] = None
    gpu: Annotated[str | None, Field(description="A name from configs/gpus, or a path.")] = None
    gpus_per_replica: Annotated[PositiveCount | None, Field(description="GPUs that served one replica.")] = None
    precision: Annotated[Precision | None, Field(description="Of the weights.")] = None
    expert_parallel: Annotated[bool | None, Field(description="Whole experts on each GPU.")] = None
    engine: Annotated[
        str | None, Field(description="A name from configs/engines, a path, or 'none': GPU time without a host.")
    ] = None
    max_num_seqs: Annotated[PositiveCount | None, Field(description="Sequences in the batch at once.")] = None
    max_batched_tokens: Annotated[PositiveCount | None, Field(description="Tokens an iteration may process.")] = None
    chunked_prefill: Annotated[bool | None, Field(description="Whether prompts were prefilled in parts.")] = None
    memory_share: Annotated[PositiveShare | None, Field(description="Of the GPU's memory.")] = None
    overhead_s: Annotated[
        Duration | None, Field(alias="overhead", description="Outside the engine; 0 if the engine itself was timed.")
    ] = None
    arrivals: Annotated[
        Literal["poisson", "even"] | None, Field(description="At random, or all the same time apart.")
    ] = None
    duration_s: Annotated[
        PositiveDuration | None, Field(alias="duration", description="For how long requests were sent.")
    ] = None
    prompt_tokens: Annotated[Lengths, Field(description="A number, or a law as in a scenario.")] = None
    cached_tokens: Annotated[Count | None, Field(description="Of a prompt of fixed length, in the prefix cache.")] = (
        None
    )
    output_tokens: Annotated[Lengths, Field(description="A number, or a law as in a scenario.")] = None

    def over(self, base: Setup) -> Setup:
        """What this says, and what only the other says."""
        own = {name: value for name in type(self).model_fields if (value := getattr(self, name, None)) is not None}
        return base.model_copy(update={name: own[name] for name in Setup.model_fields if name in own})


class Experiment(Setup):
    """One setup under one load or several: what calibration keeps or leaves out as a whole."""

    name: Annotated[str, Field(min_length=1, description="What the source calls it.")]
    split: Annotated[
        Literal["calibration", "test"] | None, Field(description="Whether any shipped figure was fitted to it.")
    ] = None
    note: Annotated[str, Field(description="What to know about it.")] = ""
    points: Annotated[tuple[tuple[Cell, ...], ...], Field(description="A row of columns each.")]


class MeasuredFile(BaseModel):
    """Measured operating points of one source."""

    model_config = _CLOSED

    name: Annotated[str, Field(min_length=1, description="Short name of the source.")]
    description: Annotated[str, Field(description="What was measured.")] = ""
    source: Annotated[str, Field(min_length=1, description="Who measured it, where it is found.")]
    split: Annotated[
        Literal["calibration", "test"], Field(description="Whether any shipped figure was fitted to it.")
    ] = "test"
    setup: Annotated[Setup, Field(description="What holds for every experiment that does not say otherwise.")] = Setup()
    columns: Annotated[tuple[Column, ...], Field(description="What stands in a row of points.")]
    experiments: Annotated[tuple[Experiment, ...], Field(description="What was measured.")]

    @property
    def of_iterations(self) -> bool:
        """Single iterations were timed, not requests."""
        return "iteration_s" in self.columns

    def whole(self, experiment: Experiment) -> Setup:
        """All that is said about an experiment."""
        return experiment.over(self.setup)

    def cells(self, experiment: Experiment) -> list[dict[str, float]]:
        """The points of an experiment: column -> value, without those left out."""
        return [
            {name: value for name, value in zip(self.columns, row, strict=True) if value is not None}
            for row in experiment.points
        ]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        problems = list(self._column_problems())
        if not self.experiments:
            problems.append((("experiments",), "must hold at least one"))
        for place, experiment in enumerate(self.experiments):
            at = ("experiments", place)
            missing = [key for key in self._needed() if getattr(self.whole(experiment), key) is None]
            if missing:
                problems.append((at, f"needs {', '.join(missing)}, here or in 'setup'"))
            if not experiment.points:
                problems.append(((*at, "points"), "must hold at least one"))
            problems += [
                ((*at, "points", i), f"must have {len(self.columns)} entries, one a column; got {len(row)}")
                for i, row in enumerate(experiment.points)
                if len(row) != len(self.columns)
            ]
        names = [experiment.name for experiment in self.experiments]
        problems += [
            (("experiments", i, "name"), f"'{name}' stands twice") for i, name in enumerate(names) if name in names[:i]
        ]
        if problems:
            raise said_all(problems)
        return self

    def _needed(self) -> tuple[str, ...]:
        common = ("model", "gpu", "engine")
        return common if self.of_iterations else (*common, "arrivals", "prompt_tokens", "output_tokens")

    def _column_problems(self) -> list[tuple[tuple[str | int, ...], str]]:
        columns = self.columns
        if len(set(columns)) < len(columns):
            return [(("columns",), "names a column twice")]
        if not set(columns) & set(MEASUREMENTS):
            return [(("columns",), "holds nothing that was measured")]
        if self.of_iterations:
            wrong = set(columns) - {*ITERATIONS, "iteration_s"}
            lacking = {"decode_seqs", "context_tokens"} - set(columns)
        else:
            wrong = set(columns) & set(ITERATIONS)
            lacking = set() if {"rate_per_s", "max_in_flight"} & set(columns) else {"rate_per_s"}
        problems: list[tuple[tuple[str | int, ...], str]] = []
        if wrong:
            problems.append((("columns",), f"iterations and requests do not go into one file: {', '.join(wrong)}"))
        if lacking:
            problems.append((("columns",), f"lacks {', '.join(sorted(lacking))}"))
        return problems


def read_measured(path: Path) -> MeasuredFile:
    """The points of a file. Raises `DataError` for the first thing that is wrong in it."""
    try:
        found = read(path, (), _RULES)
        if found.root.child("columns") is None and found.root.child("experiments") is None:
            raise ConfigError(
                found.root.place.problem(
                    "is no file of measured points: it has neither 'columns' nor 'experiments'; see configs/measured "
                    "for how they are written, and `fleetcast calibrate` for the results of benchmark tools"
                )
            )
        return validated(found, MeasuredFile)
    except ConfigError as error:
        raise DataError(error.problems[0]) from None


def shipped_files() -> list[Path]:
    """The measured points that ship."""
    return [catalogue.root() / MEASURED / f"{name}.yaml" for name in catalogue.names(MEASURED)]
