"""What of a model a search may tune, and within which range unless a scenario says another: marks on its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import BaseModel

from sim.config.units import DURATION, Quantity

_SIGNIFICANT = 3
_WHOLE_FROM = 10.0
"""A range at least this wide is searched in whole numbers: nobody deploys a target of 61.37."""


@dataclass(frozen=True)
class Tunable:
    """The range of a field that may be tuned. Metadata for `Annotated`; validation does not look at it.

    A field that is left out (None), where that stands for no number, is not tuned; nor is 0 in a relative range.
    """

    low: float
    high: float
    times: bool = False
    """Both ends are multiples of the value that the field has."""
    log: bool = False
    """Whether ratios count rather than differences."""
    least: float | None = None
    most: float | None = None
    """Limits of a relative range."""
    cheaper: int = 0
    """1: larger values usually make a smaller fleet; -1: smaller values do; 0: not known."""
    unset: float | None = None
    """What the field stands for where it is left out."""


@dataclass(frozen=True)
class Found:
    """A field that may be tuned, and its range."""

    path: tuple[str, ...]
    """From the model, as in a file."""
    low: float
    high: float
    own: float
    log: bool
    whole: bool
    unit: str
    cheaper: int
    left_out: bool = False
    """Whether it is not set, and `own` what it stands for then."""


def tunables(part: object, path: tuple[str, ...] = ()) -> Iterator[Found]:
    """The fields of a model, and of those below it, that may be tuned, with the range of each; none of anything else.

    A model may name in `not_tuned` fields that change nothing as it stands.
    """
    if isinstance(part, BaseModel):
        yield from _of_model(part, path)
    elif isinstance(part, tuple | list):
        for place, item in enumerate(part):
            yield from tunables(item, (*path, str(place)))
    elif isinstance(part, Mapping):
        for key, item in part.items():
            yield from tunables(item, (*path, str(key)))


def _of_model(model: BaseModel, path: tuple[str, ...]) -> Iterator[Found]:
    skipped = getattr(model, "not_tuned", ())
    for name, field in type(model).model_fields.items():
        mark = next((each for each in field.metadata if isinstance(each, Tunable)), None)
        value = getattr(model, name)
        left_out = value is None and mark is not None
        if value is None and mark is not None:
            value = mark.unset
        if value is None or name in skipped:
            continue
        at = (*path, field.alias or name)
        if mark is None:
            yield from tunables(value, at)
            continue
        timed = any(isinstance(each, Quantity) and each.units == DURATION.units for each in field.metadata)
        items = value.items() if isinstance(value, Mapping) else [(None, value)]
        for key, own in items:
            found = _ranged(mark, own, at if key is None else (*at, str(key)), "s" if timed else "")
            if found is not None:
                yield replace(found, left_out=left_out)


def _ranged(mark: Tunable, own: float, path: tuple[str, ...], unit: str) -> Found | None:
    low, high = (mark.low * own, mark.high * own) if mark.times else (mark.low, mark.high)
    low = low if mark.least is None else max(low, mark.least)
    high = high if mark.most is None else min(high, mark.most)
    whole = isinstance(own, int) or high - low >= _WHOLE_FROM
    low, high = rounded(low, whole), rounded(high, whole)
    if low >= high:
        return None
    return Found(path, low, high, float(own), mark.log and low > 0, whole, unit, mark.cheaper)


def rounded(value: float, whole: bool) -> float:
    """A value as people would write it: whole, or with three significant digits."""
    return float(round(value)) if whole else float(f"{value:.{_SIGNIFICANT}g}")
