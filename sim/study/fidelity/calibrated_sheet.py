"""A model's sheet with a new calibration in it: YAML that a scenario names as `model:`."""

from __future__ import annotations

from collections.abc import Iterable

from sim.config.dump import to_yaml
from sim.hardware import ModelSheet
from sim.hardware.precisions import alike
from sim.study.fidelity.fitted import Coefficient, Fit
from sim.study.fidelity.setting import Setting


def calibrated(fit: Fit, setting: Setting) -> ModelSheet:
    """The model with this calibration, in place of an older one of the same GPUs, precision and engine."""
    new = fit.calibration.model_copy(update={"source": source_of(fit)})
    others = tuple(
        row
        for row in setting.model.calibrations
        if (row.gpu, row.gpus_per_replica, row.engine) != (new.gpu, new.gpus_per_replica, new.engine)
        or not alike(row.precision, new.precision)
    )
    return setting.model.model_copy(update={"calibrations": (new, *others)})


def source_of(fit: Fit) -> str:
    """Where the calibration comes from, in a line."""
    n = fit.calibration.experiments
    kinds = ", ".join(fit.formats)
    return f"fitted to {n} measurement{'s' if n > 1 else ''} ({kinds}) by fleetcast calibrate"


_QUANTITIES = {
    "seqs": "sequences decoding at once",
    "context_tokens": "tokens of context each",
    "prompt_tokens": "prompt tokens",
    "rate_per_s": "requests a second",
}


def range_line(fit: Fit) -> str:
    """Where the fit holds: the loads that were measured."""
    told = []
    for name, about in _QUANTITIES.items():
        ends = getattr(fit.holds, name)
        if ends is not None:
            low, high = ends
            told.append(f"{low:g}{'' if low == high else f' to {high:g}'} {about}")
    return ", ".join(told)


def sheet_yaml(fit: Fit, setting: Setting) -> str:
    """The file, with what was fitted, how well, and where it holds in comments on top."""
    lines = [
        f"{setting.model.name} with a calibration for {setting.gpus_per_replica} x {setting.gpu.name}, "
        f"{setting.engine.name}; name this file as `model:` of a pool.",
        *(coefficient_line(one) for one in fit.coefficients),
        f"It holds for {range_line(fit)}; beyond that it is a guess.",
        "Predicted over measured:",
        *(f"  {r.point} {r.metric}: {r.error_share:+.1%}{'' if r.used else ' (not fitted)'}" for r in fit.residuals),
        *(f"Caution: {warning}" for warning in fit.warnings),
        *(f"Note: {note}" for note in fit.notes),
    ]
    comments = "".join(f"# {' '.join(line.split()) if line[:1] != ' ' else line}\n" for line in _printable(lines))
    sheet = calibrated(fit, setting).model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return f"{comments}\n{to_yaml(sheet)}"


_UNITS = {"overhead_s": (1e3, "ms"), "device_scale": (1.0, ""), "seq_s": (1e6, "us"), "iteration_s": (1e3, "ms")}
MEANINGS = {
    "overhead_s": "outside the engine, in each TTFT",
    "device_scale": "GPU time over that of the data sheets",
    "seq_s": "added for each sequence of an iteration",
    "iteration_s": "added to each iteration",
}


def shown_value(one: Coefficient, seconds: float) -> str:
    """One of its numbers in the unit that suits it."""
    scale, unit = _UNITS[one.name]
    return f"{seconds * scale:.4g} {unit}".strip()


def coefficient_line(one: Coefficient) -> str:
    """A coefficient in words."""
    value = shown_value(one, one.value)
    if not one.identified:
        return f"{one.name}: {value}, kept as it was ({one.why})"
    about = f"{MEANINGS[one.name]}; {shown_value(one, one.prior)} before"
    return f"{one.name}: {value} +- {shown_value(one, one.sd)} ({about})"


def _printable(lines: Iterable[str]) -> list[str]:
    """File names may hold anything: nothing of them may end a comment."""
    return ["".join(c if c.isprintable() else "?" for c in line) for line in lines]
