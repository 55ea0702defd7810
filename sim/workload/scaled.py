"""A workload with its demand multiplied: more or fewer requests of the same kind, at the same times of the day.

Rates that change keep their unit-rate points, so the same scenario with more demand sees the same requests and some
between them (see `sim.workload.rates`).
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel

from sim.config.errors import ConfigError, Problem
from sim.workload.arrival import Arrivals
from sim.workload.arrivals import Batch, Cox, Curve, Diurnal, Mmpp, Poisson, Renewal, Spike
from sim.workload.base import Stream
from sim.workload.closed import Closed
from sim.workload.generated import Generated
from sim.workload.law import Distribution
from sim.workload.replayed import Replayed
from sim.workload.streams import AnyWorkload, Streams

__all__ = ["scaled"]

_LENGTHS = ("mean", "value", "scale", "low", "high", "median", "min", "max")
"""Parameters of a law of gaps that are times."""
_Model = TypeVar("_Model", bound=BaseModel)


def scaled(workload: AnyWorkload, factor: float) -> AnyWorkload:
    """The workload with every rate times `factor`, above 0. Raises `ConfigError` where that has no meaning."""
    assert factor > 0
    if factor == 1:
        return workload
    if not isinstance(workload, Streams):
        found: AnyWorkload = _stream(workload, factor, "workload")
        return found
    streams = {name: _stream(each, factor, workload.place_of(name)) for name, each in workload.streams.items()}
    return _with(workload, {"streams": streams})


def _stream(stream: Any, factor: float, place: str) -> Any:
    if isinstance(stream, Generated):
        return _with(stream, {"arrivals": _arrivals(stream.arrivals, factor, f"{place}.arrivals")})
    if isinstance(stream, Replayed):
        if stream.loop:
            return _with(stream, {"speed": stream.speed * factor})
        told = "a trace that is played once cannot have more demand: it would end sooner; set loop: true and a horizon"
        raise ConfigError(Problem(told, place))
    assert isinstance(stream, Stream)
    raise ConfigError(Problem("its demand cannot be multiplied: it follows no law that is known here", place))


def _arrivals(law: Arrivals, factor: float, place: str) -> Arrivals:
    if isinstance(law, Mmpp):
        return _with(law, {"rates": tuple(rate * factor for rate in law.rates)})
    if isinstance(law, Poisson | Batch | Diurnal | Spike | Cox):
        return _with(law, {"rate": law.rate * factor})
    if isinstance(law, Curve):
        for key in ("mean", "peak"):
            if getattr(law, key) is not None:
                return _with(law, {key: getattr(law, key) * factor})
        return _with(law, {"scale": law.scale * factor})
    if isinstance(law, Renewal):
        return _with(law, {"gap": _shorter(law.gap, factor, f"{place}.gap")})
    if isinstance(law, Closed):
        return _with(law, {"users": max(round(law.users * factor), 1)})
    raise ConfigError(Problem(f"demand of kind '{law.kind}' cannot be multiplied", place))


def _shorter(gap: Distribution[float], factor: float, place: str) -> Distribution[float]:
    """The law of gaps with every gap divided."""
    if getattr(gap, "file", None) is not None or getattr(gap, "mu", None) is not None:
        told = "gaps from a file, or by the mean of their logarithm, cannot be divided here; give them by mean and cv"
        raise ConfigError(Problem(told, place))
    changed: dict[str, Any] = {
        key: getattr(gap, key) / factor for key in _LENGTHS if getattr(gap, key, None) is not None
    }
    for key in ("means", "values"):
        if getattr(gap, key, None) is not None:
            changed[key] = tuple(each / factor for each in getattr(gap, key))
    if getattr(gap, "at", None) is not None:
        changed["at"] = {share: each / factor for share, each in gap.at.items()}  # type: ignore[attr-defined]
    return _with(gap, changed)


def _with(model: _Model, changes: dict[str, Any]) -> _Model:
    """A copy made anew, so that nothing it has worked out is taken over."""
    fields = {name: getattr(model, name) for name in type(model).model_fields} | changes
    return type(model).model_construct(_fields_set=set(model.model_fields_set) | set(changes), **fields)
