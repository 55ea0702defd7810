"""From one scenario to another, one change at a time: what differs between them, and the scenarios on the way.

A change is a dotted key of the resolved scenarios. What only makes sense as a whole is one change: a list, a law of
another kind, a sheet of another name, a table by number. A scenario on the way that cannot be is not made: what leads
to it goes with the next change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.config.catalogue import did_you_mean
from sim.config.errors import ConfigError, Problem
from sim.scenario import Scenario, load

OPTION = "--order"
_SAID = ("name", "description", "seed", "calendar")
"""Keys of a scenario that change nothing about what happens in it; the seed is the baseline's for both."""
_WHOLE = ("kind", "name")
"""Where one of these differs, so does what all the keys beside it mean."""
_NONE = object()
_LONGEST = 24


@dataclass(frozen=True)
class Change:
    """One key in which two scenarios differ."""

    path: tuple[str, ...]
    before: Any
    """As plain values; None: the key is not there."""
    after: Any

    @property
    def key(self) -> str:
        """As `--set` takes it."""
        return ".".join(self.path)

    def is_about(self, key: str) -> bool:
        """Whether it is of this key, of one below it, or of what the key is a part of."""
        return self.key == key or self.key.startswith(f"{key}.") or key.startswith(f"{self.key}.")

    @property
    def text(self) -> str:
        """The key and both values, as far as they are short."""
        before, after = _short(self.before), _short(self.after)
        if "..." not in (before, after):
            return f"{self.key}: {before} → {after}" if before != after else self.key
        return f"{self.key}: {'removed' if after == 'none' else 'added' if before == 'none' else 'changed'}"


@dataclass(frozen=True)
class Step:
    """Some changes made together, and the scenario after them and all before."""

    changes: tuple[Change, ...]
    scenario: Scenario

    @property
    def keys(self) -> tuple[str, ...]:
        """What is changed."""
        return tuple(change.key for change in self.changes)


def changes(before: Scenario, after: Scenario) -> list[Change]:
    """What differs between the resolved scenarios, in the order of their keys; empty if nothing that matters."""
    one, other = (
        {key: value for key, value in plain(scenario).items() if key not in _SAID} for scenario in (before, after)
    )
    return list(_changes(one, other, ()))


def steps(before: Scenario, after: Scenario, order: Sequence[str] = ()) -> list[Step]:
    """The way from one scenario to the other. The last step's scenario is the other one, under the first one's name.

    `order`: keys (or the beginnings of some) whose changes come first, in this order. Raises `ConfigError` for one in
    which the scenarios do not differ.
    """
    now = plain(before)
    made: list[Step] = []
    waiting: list[Change] = []
    for change in _ordered(changes(before, after), order):
        for group in ((*waiting, change), (change,)):
            scenario = _possible(_changed(now, group))
            if scenario is not None:
                now = _changed(now, group)
                made.append(Step(tuple(group), scenario))
                waiting = [each for each in waiting if each not in group]
                break
        else:
            waiting.append(change)
    if waiting:
        made.append(Step(tuple(waiting), load(_changed(now, waiting))))
    return made


def plain(scenario: Scenario) -> dict[str, Any]:
    """The resolved scenario as plain values, by the keys that a file has; what is not there is left out."""
    found: dict[str, Any] = scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found


def _changes(before: Any, after: Any, path: tuple[str, ...]) -> Iterator[Change]:
    if before == after:
        return
    if not (_has_keys(before) and _has_keys(after)) or any(before.get(key) != after.get(key) for key in _WHOLE):
        yield Change(path, *(None if value is _NONE else value for value in (before, after)))
        return
    for key in dict.fromkeys([*before, *after]):
        yield from _changes(before.get(key, _NONE), after.get(key, _NONE), (*path, key))


def _has_keys(value: Any) -> bool:
    """Whether this is a mapping of keys, and not a table by number, such as quantiles."""
    return isinstance(value, Mapping) and not any(re.fullmatch(r"[-+]?[\d.][-+.\deE]*", str(key)) for key in value)


def _ordered(found: Sequence[Change], order: Sequence[str]) -> list[Change]:
    """The changes below each of these keys first."""
    first: list[Change] = []
    for key in order:
        below = [each for each in found if each.is_about(key)]
        if not below:
            known = [each.key for each in found]
            raise ConfigError(Problem(f"the scenarios do not differ in '{key}'{did_you_mean(key, known)}", OPTION))
        first += [each for each in below if each not in first]
    return [*first, *(each for each in found if each not in first)]


def _changed(document: dict[str, Any], group: Sequence[Change]) -> dict[str, Any]:
    """A copy with these changes made."""
    for change in group:
        document = _with(document, change.path, change.after)
    return document


def _with(document: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    key, rest = path[0], path[1:]
    below = _with(document[key], rest, value) if rest else value
    return {other: item for other, item in {**document, key: below}.items() if item is not None}


def _possible(document: dict[str, Any]) -> Scenario | None:
    try:
        return load(document)
    except ConfigError:
        return None


def _short(value: Any) -> str:
    """A value in a few letters: a scalar, or the name or the kind of what it is."""
    if isinstance(value, Mapping):
        return str(next((value[key] for key in ("name", "kind") if key in value), "..."))
    if isinstance(value, list):
        return "..." if value else "none"
    if value is None:
        return "none"
    text = f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
