"""What was measured as cases to predict: points of files as they ship, or results of benchmark tools."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sim.config import catalogue
from sim.config.errors import ConfigError, DataError, Problem
from sim.hardware import EngineSheet
from sim.scenario import Batching
from sim.study.fidelity.iteration_fit import by_batch, law_for, times_s
from sim.study.fidelity.measured import QUANTILES, Iterations, Measured, OperatingPoint, Spread, impossible
from sim.study.fidelity.rerun import MANY, METRICS, Effort, Rerun
from sim.study.fidelity.setting import Setting, engine_sheet, gpu_sheet, model_sheet
from sim.study.fidelity.shipped import MeasuredFile, Setup
from sim.study.fidelity.traps import chunked

_REQUESTS = 1000
"""Of a closed loop that does not say how many were sent."""


@dataclass(frozen=True)
class Source:
    """Where measurements come from."""

    name: str
    """Short."""
    description: str
    about: str


@dataclass(frozen=True, eq=False)
class Case:
    """One thing that was measured, ready to be predicted: requests under a load, or single iterations."""

    name: str
    source: Source
    experiment: str
    """What calibration keeps or leaves out as a whole."""
    sweep: str
    """Cases of one sweep differ by their load alone: where it stops being sustained is their knee."""
    split: str
    """`calibration` or `test`: whether shipped figures were fitted to it."""
    setting: Setting
    measured: Mapping[str, float]
    of: OperatingPoint | Iterations
    tpot_of_means: bool = False
    """The measured time per token is (E2E - TTFT) / (output - 1) of the means."""

    @property
    def rate_per_s(self) -> float | None:
        """The rate that was asked for."""
        return self.of.rate_per_s if isinstance(self.of, OperatingPoint) else None

    @property
    def pair(self) -> tuple[str | int, ...]:
        """Model, GPUs and engine: what a calibration belongs to."""
        s = self.setting
        return (s.model.name, s.gpu.name, s.gpus_per_replica, s.weights, s.engine.name)

    def predict(
        self,
        setting: Setting | None = None,
        on_compile: Callable[[], None] | None = None,
        effort: Effort = MANY,
    ) -> dict[str, float]:
        """What the simulator says for all that was measured, under another setting if one is given."""
        chosen = setting or self.setting
        if isinstance(self.of, Iterations):
            return {"iteration_s": float(times_s(self.of, law_for(self.of, chosen)).mean())}
        figures = Rerun(self.of, key=self.name, effort=effort).run(chosen, on_compile).figures
        own = {"tpot_s_mean": "tpot_s_of_means"} if self.tpot_of_means else {}
        return {name: figures[own.get(name, name)] for name in self.measured}


# --- files of measured points, as those in configs/measured ---


def cases_of_file(file: MeasuredFile, path: Path) -> Iterator[Case]:
    """The points of a file, in its order. Raises `DataError` for what cannot run."""
    source = Source(file.name, file.description or file.name, file.source)
    for experiment in file.experiments:
        setup, name = file.whole(experiment), f"{file.name}/{experiment.name}"
        setting = _setting_of(setup, name, path, iterations=file.of_iterations)
        for place, cell in enumerate(file.cells(experiment)):
            load = _load_name(cell, place)
            of = _iteration(cell, path) if file.of_iterations else _point(cell, setup, f"{name}/{load}", path)
            if isinstance(of, OperatingPoint) and (wrong := impossible(of)):
                raise DataError(Problem(f"{of.name}: {wrong}", "", str(path)))
            trusted = isinstance(of, Iterations) or not chunked(of)
            left_out = () if trusted else tuple(key for key in cell if key.startswith("tpot"))
            measured = {key: value for key, value in cell.items() if key in _PREDICTED and key not in left_out}
            yield Case(
                name=f"{name}/{load}",
                source=source,
                experiment=experiment.name,
                sweep=experiment.name,
                split=experiment.split or file.split,
                setting=setting,
                measured=measured,
                of=of,
            )


_PREDICTED = frozenset(
    (*(f"{metric}_s_{name}" for metric in METRICS for name in ("mean", *QUANTILES)), "sent_per_s", "iteration_s")
)


def _load_name(cell: Mapping[str, float], place: int) -> str:
    if "decode_seqs" in cell:
        parts = [f"{cell['decode_seqs']:g}x{cell['context_tokens'] / max(cell['decode_seqs'], 1.0):.0f}"]
        return "+".join([*parts, *([f"{cell['prefill_tokens']:g}"] if cell.get("prefill_tokens") else [])])
    if "rate_per_s" in cell:
        return f"{cell['rate_per_s']:g}/s"
    return f"{cell['max_in_flight']:g} in flight" if "max_in_flight" in cell else str(place)


def _iteration(cell: Mapping[str, float], path: Path) -> Iterations:
    columns = (cell.get("prefill_tokens", 0.0), cell["decode_seqs"], cell["context_tokens"], cell["iteration_s"])
    return Iterations(str(path), *(np.array([value]) for value in columns))


def _point(cell: Mapping[str, float], setup: Setup, name: str, path: Path) -> OperatingPoint:
    """What was sent, and the latencies that came out."""
    assert setup.prompt_tokens is not None
    assert setup.output_tokens is not None
    rate, cap = cell.get("rate_per_s"), cell.get("max_in_flight")
    if "requests" in cell:
        requests = cell["requests"]
    else:
        requests = rate * setup.duration_s if rate and setup.duration_s else _REQUESTS
    prompt = setup.prompt_tokens.mean_value
    return OperatingPoint(
        name=name,
        file=str(path),
        format="measured",
        prompt_tokens=prompt,
        output_tokens=setup.output_tokens.mean_value,
        prompt_law=setup.prompt_tokens,
        output_law=setup.output_tokens,
        requests=max(1, round(requests)),
        rate_per_s=rate or None,
        max_in_flight=int(cap) if cap else None,
        gap_cv=0.0 if setup.arrivals == "even" else 1.0,
        sent_per_s=cell.get("sent_per_s"),
        ttft=_spread(cell, "ttft"),
        tpot=_spread(cell, "tpot"),
        e2e=_spread(cell, "e2e"),
        # half a token more, so that rounding down gives the number that was said
        cached_share=min(1.0, (setup.cached_tokens + 0.5) / prompt) if setup.cached_tokens else None,
    )


def _spread(cell: Mapping[str, float], metric: str) -> Spread:
    return Spread(**{name: cell.get(f"{metric}_s_{name}") for name in ("mean", *QUANTILES)})


def _setting_of(setup: Setup, name: str, path: Path, iterations: bool) -> Setting:
    """The engine of an experiment, checked. Raises `DataError`."""
    folder = path.parent

    def named(text: str | None) -> str:
        assert text is not None
        return str(folder / text) if catalogue.is_path(text) else text

    try:
        engine = (
            EngineSheet(o0_s=0.0, o1_s=0.0)
            if setup.engine == "none"
            else _at("engine", engine_sheet, named(setup.engine))
        )
        model = _at("model", model_sheet, named(setup.model))
        if setup.overhead_s is not None:
            engine = engine.model_copy(update={"overhead_s": setup.overhead_s})
            rows = tuple(row.model_copy(update={"overhead_s": setup.overhead_s}) for row in model.calibrations)
            model = model.model_copy(update={"calibrations": rows})
        setting = Setting(
            model=model,
            gpu=_at("gpu", gpu_sheet, named(setup.gpu)),
            gpus_per_replica=setup.gpus_per_replica or 1,
            engine=engine,
            precision=setup.precision,
            expert_parallel=bool(setup.expert_parallel),
            memory_share=setup.memory_share,
            # single iterations are looked up, not run: whether a cache would fit beside the model does not matter
            kv_capacity_tokens=10**9 if iterations else None,
            replica=_replica_of(setup),
        )
        setting.check()
    except ConfigError as error:
        problem = error.problems[0]
        raise DataError(Problem(f"{name}: {problem.message}", problem.path, str(path))) from None
    return setting


def _at(key: str, read: Callable[[str], Any], text: str) -> Any:
    """A sheet; what is wrong with it is told at this key."""
    try:
        return read(text)
    except ConfigError as error:
        raise ConfigError(Problem(error.problems[0].message, key)) from None


def _replica_of(setup: Setup) -> Batching:
    seqs, tokens = setup.max_num_seqs or 256, setup.max_batched_tokens or 8192
    if seqs > tokens:
        raise ConfigError(Problem(f"must not be above max_batched_tokens ({tokens}); got {seqs}", "max_num_seqs"))
    return Batching(max_num_seqs=seqs, max_batched_tokens=tokens, chunked_prefill=setup.chunked_prefill is not False)


# --- results of benchmark tools ---


def cases_of_results(measured: Measured, setting: Setting) -> Iterator[Case]:
    """All that benchmark files hold, on one engine: a case a point, and a few for each log of iterations."""
    kinds = sorted({point.format for point in measured.points} | ({"iterations"} if measured.iterations else set()))
    source = Source(setting.label, setting.label, f"results of {', '.join(kinds)}")
    sweeps = _sweeps(measured.points)
    order = sorted(range(len(sweeps)), key=lambda i: (sweeps.index(sweeps[i]), *_weight(measured.points[i])))
    points = [measured.points[i] for i in order]
    names = _distinct([point.name for point in points])
    for name, point, sweep in zip(names, points, (sweeps[i] for i in order), strict=True):
        yield Case(
            name=name,
            source=source,
            experiment=point.file,
            sweep=sweep,
            split="test",
            setting=setting,
            measured=figures_of(point),
            of=point,
            tpot_of_means=point.derived_tpot_s is not None,
        )
    for log in measured.iterations:
        yield from _cases_of_log(log, source, setting)


def figures_of(point: OperatingPoint) -> dict[str, float]:
    """All that was measured at a point, by the name that predictions have. Halved times per token are left out."""
    trusted = not chunked(point)
    found = {
        f"{metric}_s_{name}": value
        for metric, spread in (("ttft", point.ttft), ("tpot", point.tpot), ("e2e", point.e2e))
        for name in ("mean", *QUANTILES)
        if (value := getattr(spread, name)) and (metric != "tpot" or trusted)
    }
    if point.derived_tpot_s is not None:
        found["tpot_s_mean"] = point.derived_tpot_s
    rates = {"achieved_per_s": point.achieved_per_s, "sent_per_s": point.sent_per_s}
    return found | {name: value for name, value in rates.items() if value}


def _weight(point: OperatingPoint) -> tuple[float, float]:
    """Lighter loads first."""
    return point.rate_per_s or math.inf, point.max_in_flight or math.inf


def _sweeps(points: Sequence[OperatingPoint]) -> list[str]:
    """For each point, the sweep it belongs to: those of about the same lengths."""
    found: list[tuple[float, float]] = []
    names = []
    for point in points:
        lengths = (point.prompt_tokens, point.output_tokens)
        like = (one for one in found if all(0.9 < (a + 1) / (b + 1) < 1.1 for a, b in zip(one, lengths, strict=True)))
        first = next(like, lengths)
        if first is lengths:
            found.append(lengths)
        names.append(f"{first[0]:.0f}+{first[1]:.0f} tokens")
    return names


def _distinct(names: Iterable[str]) -> list[str]:
    """The names, those that stand twice with a number."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _cases_of_log(log: Iterations, source: Source, setting: Setting) -> Iterator[Case]:
    """A case for iterations of like batches."""
    for name, rows in by_batch(log):
        columns = (log.prefill_tokens, log.decode_seqs, log.context_tokens, log.seconds)
        part = Iterations(log.file, *(column[rows] for column in columns))
        yield Case(
            name=name,
            source=source,
            experiment=log.file,
            sweep=log.file,
            split="test",
            setting=setting,
            measured={"iteration_s": float(part.seconds.mean())},
            of=part,
        )
