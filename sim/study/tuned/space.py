"""What a search may change: keys with their ranges, from the policies' own files and from the scenario's `tune`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sim.autoscaling import External
from sim.config.errors import ConfigError, Problem
from sim.config.tunable import rounded, tunables
from sim.config.units import DURATION
from sim.scenario import Scenario, load
from sim.scenario.tune import Choices, Range, Tune

PARTS = ("autoscaler", "queue")
"""The parts of a pool whose fields say themselves what of them may be tuned."""
_WHOLE_SPAN = 10.0

Value = float | str
"""A number in the parameter's unit; of choices, the text."""


@dataclass(frozen=True)
class Parameter:
    """A key that is tuned, by its dotted path."""

    key: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    step: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    own: Value | None = None
    """What it is in the untouched scenario; None: not among the values that it may take."""
    cheaper: int = 0
    """See `sim.config.tunable.Tunable`."""
    left_out: bool = False
    """Whether the untouched scenario does not set it, and `own` is what it stands for then."""

    def says(self, value: Value) -> bool:
        """Whether a value has to be written: not where leaving the key out says the same."""
        return not (self.left_out and self.own is not None and self.text(value) == self.text(self.own))

    def text_in(self, values: Mapping[str, str]) -> str:
        """What it is at a point: as written, or what it stands for where it is left out."""
        return values[self.key] if self.key in values or self.own is None else self.text(self.own)

    def text(self, value: Value) -> str:
        """A value as it would stand in the file."""
        if isinstance(value, str):
            return value
        number = value if self.step is not None else rounded(value, self.whole)
        return f"{min(max(number, self.low), self.high):.12g}{self.unit}"

    def moved(self, share: float) -> Value | None:
        """Its own value, moved by this share of the way to the cheaper end (to the other one, if below 0).

        None: it has no such end.
        """
        if not self.cheaper or not isinstance(self.own, float):
            return None
        end = self.high if self.cheaper * share > 0 else self.low
        if self.log:
            return self.own * math.exp(abs(share) * math.log(end / self.own))
        return self.own + abs(share) * (end - self.own)

    def plain(self) -> dict[str, Any]:
        """As it stands in JSON."""
        own = None if self.own is None else self.text(self.own)
        if self.choices:
            return {"key": self.key, "choices": list(self.choices), "own": own}
        ends = {"from": f"{self.low:.12g}{self.unit}", "to": f"{self.high:.12g}{self.unit}"}
        return {"key": self.key, **ends, "log": self.log, "step": self.step, "own": own}


@dataclass(frozen=True)
class Candidate:
    """A scenario with some values of the keys that are tuned; none: it is the untouched one."""

    values: Mapping[str, str]
    scenario: Scenario

    @property
    def digest(self) -> str:
        """Of the scenario."""
        return self.scenario.digest

    @property
    def told(self) -> str:
        """The values in words."""
        return ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in self.values.items()) or "untouched"

    def with_seed(self, seed: int) -> Candidate:
        """The same with other random numbers."""
        return replace(self, scenario=self.scenario.model_copy(update={"seed": seed}))


def untouched(scenario: Scenario) -> Candidate:
    """What candidates are made from: the scenario without what changes no run."""
    return Candidate({}, scenario.model_copy(update={"tune": None}))


def candidate(base: Candidate, values: Mapping[str, str]) -> Candidate | None:
    """The scenario with these values; None: it would be wrong."""
    try:
        return checked(base, values)
    except ConfigError:
        return None


def checked(base: Candidate, values: Mapping[str, str]) -> Candidate:
    """The same. Raises `ConfigError` where it would be wrong."""
    return Candidate(dict(values), load(base.scenario, [f"{key}={text}" for key, text in values.items()]))


def space_of(scenario: Scenario) -> tuple[Parameter, ...]:
    """The keys that are tuned. Raises `ConfigError` where there are none, or for a key that cannot be changed so."""
    tune = scenario.tune or Tune()
    found = {} if tune.only else {each.key: each for each in _of_pools(scenario)}
    plain = scenario.model_dump(mode="json", by_alias=True)
    for key, asked in tune.ranges.items():
        hint = found[key].cheaper if key in found else 0
        found[key] = replace(_asked(key, asked, _at(plain, key)), cheaper=hint)
        _check(scenario, found[key])
    if not found:
        told = "no key of this scenario says what of it may be tuned; name some: tune: {ranges: {KEY: {from, to}}}"
        raise ConfigError(Problem(told, "tune"))
    return tuple(found.values())


def _of_pools(scenario: Scenario) -> list[Parameter]:
    found = []
    for name, pool in scenario.pools.items():
        for part in PARTS:
            said = getattr(pool, part)
            said = said.policy if isinstance(said, External) else said
            usual = _usual_flags(said)
            for one in tunables(said, ("pools", name, part)):
                own = one.own if one.low <= one.own <= one.high else None
                key, left_out = ".".join(one.path), one.left_out and usual
                found.append(
                    Parameter(
                        key, one.low, one.high, one.log, one.whole, None, one.unit, (), own, one.cheaper, left_out
                    )
                )
    return found


def _usual_flags(policy: object) -> bool:
    """Whether a controller's flags are the usual ones, so that what they stand in for is what a mark says."""
    fields = getattr(type(policy), "model_fields", {})
    return all(getattr(policy, flag) == fields[flag].default for flag in getattr(policy, "not_tuned", ()))


def _asked(key: str, asked: Range | Choices, own: Any) -> Parameter:
    """A parameter as the scenario has it."""
    if isinstance(asked, Choices):
        texts = tuple(_text(value) for value in asked.choices)
        here = _text(own) if own is not None else None
        return Parameter(key, choices=texts, own=here if here in texts else None)
    low, high = asked.ends
    unit = asked.unit or ""
    number = float(own) if isinstance(own, int | float) and not isinstance(own, bool) else None
    if number is not None and unit:
        number = number / float(DURATION.units[unit]) if unit in DURATION.units else None
    if number is not None and not low <= number <= high:
        number = None
    whole = asked.step is None and (isinstance(own, int) or high - low >= _WHOLE_SPAN)
    return Parameter(key, low, high, asked.log, whole, asked.step, unit, (), number)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.12g}" if isinstance(value, float) else json.dumps(value)


def _at(plain: Any, key: str) -> Any:
    """What stands at a dotted path; None where nothing does."""
    for step in key.split("."):
        if isinstance(plain, list) and step.isdecimal() and int(step) < len(plain):
            plain = plain[int(step)]
        else:
            plain = plain.get(step) if isinstance(plain, dict) else None
    return plain


def _check(scenario: Scenario, parameter: Parameter) -> None:
    """Raise `ConfigError` for a key that can be neither of its ends: it is misspelt, rather than tight."""
    ends: Sequence[str] = parameter.choices or (parameter.text(parameter.low), parameter.text(parameter.high))
    wrong: ConfigError | None = None
    for text in ends:
        try:
            load(scenario, [f"{parameter.key}={text}"])
            return
        except ConfigError as error:
            wrong = wrong or error
    assert wrong is not None
    at = f"tune.ranges.{parameter.key}"
    raise ConfigError([replace(problem, path=at, file="") for problem in wrong.problems]) from None
