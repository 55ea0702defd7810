"""The table of what `fleetcast tune` changes by itself, from the marks on the fields of policies and queues."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from sim.config.tunable import Tunable
from sim.config.units import DURATION, Quantity


def tuned_keys() -> str:
    """One row a policy or a queue: its keys, and where values of each are looked for."""
    from sim.autoscaling import AnyPolicy
    from sim.scenario.pool import Pool

    policies = get_args(get_args(AnyPolicy)[0])
    queues = tuple(_models(Pool.model_fields["queue"].annotation))
    lines = ["| part | keys, and where values are looked for |", "| --- | --- |"]
    for part, kinds in (("autoscaler", policies), ("queue", queues)):
        for kind in kinds:
            lines += _row(part, next(_models(kind), None))
    return "\n".join(lines)


def _row(part: str, model: type[BaseModel] | None) -> Iterator[str]:
    found = dict(_ranges(model, ())) if model is not None and "kind" in model.model_fields else {}
    if model is not None and found:
        told = "; ".join(f"`{key}` {where}" for key, where in found.items())
        yield f"| `{part}: {{kind: {model.model_fields['kind'].default}}}` | {told} |"


def _ranges(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        at = (*path, field.alias or name)
        mark = next((each for each in field.metadata if isinstance(each, Tunable)), None)
        if mark is not None:
            timed = any(isinstance(each, Quantity) and each.units == DURATION.units for each in field.metadata)
            yield ".".join(at), _where(mark, "s" if timed else "")
        elif len(path) < 4:
            for below in _models(field.annotation):
                yield from _ranges(below, at)


def _where(mark: Tunable, unit: str) -> str:
    if mark.times:
        return f"{mark.low:g} to {mark.high:g} times its value"
    return f"{mark.low:g}{unit} to {mark.high:g}{unit}"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for each in get_args(annotation):
            yield from _models(each)
