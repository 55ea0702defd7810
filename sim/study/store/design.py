"""What a study is to run: its points, each with the digest of its scenario, and how many replications. `study.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sim.config.errors import ConfigError, DataError, Problem
from sim.study.replicated.replications import Precision, Rule
from sim.study.store.design_file import DesignFile, RunsFile
from sim.study.store.inputs import changed, libraries
from sim.version import VERSION

FILE = "study.json"
FORMAT = "fleetcast-study"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Valued:
    """What has values of keys, as they would stand in the file."""

    values: dict[str, str]

    @property
    def told(self) -> str:
        """The values in words, as errors and progress name them."""
        return ", ".join(f"{key}={value}" for key, value in self.values.items())


@dataclass(frozen=True)
class Place(Valued):
    """A point of a study: the values of its keys, and the digest of the scenario that they make."""

    digest: str


@dataclass(frozen=True)
class Design:
    """All that a study is to run."""

    scenario: str
    """As it was named."""
    sets: tuple[str, ...]
    places: tuple[Place, ...]
    rule: Rule
    base: str | None = None
    """Digest of the scenario without the values of the points; None where it cannot be without them."""
    version: str = VERSION
    """Of what makes the runs: another version may make others of the same scenario."""
    libraries: dict[str, str] = field(default_factory=libraries)
    """The same of what it calls."""
    data: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the data files that the points name, by path: the digest of a scenario has only their names."""
    runs_sha256: str | None = None
    """Of `runs.parquet`, once it is there."""

    @property
    def keys(self) -> list[str]:
        """The keys that have values."""
        return list(dict.fromkeys(key for place in self.places for key in place.values))

    def plain(self) -> dict[str, Any]:
        """As it stands in `study.json`, without the checksum."""
        return {
            "format": FORMAT,
            "schema_version": SCHEMA_VERSION,
            "version": self.version,
            "libraries": self.libraries,
            "scenario": self.scenario,
            "set": list(self.sets),
            "base_sha256": self.base,
            "data_sha256": self.data,
            "over": [{"key": key, "values": values_of(self.places, key)} for key in self.keys],
            "runs": rule_as_plain(self.rule),
            "points": [{"set": place.values, "sha256": place.digest} for place in self.places],
            "runs_sha256": self.runs_sha256,
        }

    def text(self) -> str:
        """The file."""
        plain = self.plain()
        return json.dumps({**plain, "sha256": _checksum(plain)}, indent=1, ensure_ascii=True) + "\n"


def values_of(places: Sequence[Place], key: str) -> list[str]:
    """The values of a key, in the order in which they come first."""
    return list(dict.fromkeys(place.values[key] for place in places if key in place.values))


def read_design(path: Path) -> Design:
    """What a `study.json` says. Raises `DataError` for a damaged one, `ConfigError` for what is none of ours."""
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text)
        ours = isinstance(found, dict) and found.get("format") == FORMAT
    except (ValueError, RecursionError):
        raise DataError(Problem(_DAMAGED, file=str(path))) from None
    if not ours:
        raise ConfigError(Problem("was not written by fleetcast; name another folder", file=str(path)))
    if found.get("schema_version") != SCHEMA_VERSION:
        told = f"is of schema {found.get('schema_version')}, this version reads {SCHEMA_VERSION}; name another folder"
        raise ConfigError(Problem(told, file=str(path)))
    if found.pop("sha256", None) != _checksum(found):
        raise DataError(Problem(_DAMAGED, file=str(path)))
    try:
        said = DesignFile.model_validate_json(text)
        return Design(
            scenario=said.scenario,
            sets=tuple(said.set),
            places=tuple(Place(point.set, point.sha256) for point in said.points),
            rule=rule_from(said.runs),
            base=said.base_sha256,
            version=said.version,
            libraries=said.libraries,
            data=said.data_sha256,
            runs_sha256=said.runs_sha256,
        )
    except ValueError:  # the checksum is right, what stands there is not
        raise DataError(Problem(_DAMAGED, file=str(path))) from None


_DAMAGED = "is damaged; delete it, and run the same command: the runs in this folder are kept"


def _checksum(plain: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def rule_as_plain(rule: Rule) -> dict[str, Any]:
    """How many replications, as it stands in JSON."""
    if rule.number is not None:
        return {"replications": rule.number}
    (goal,) = rule.goals
    assert isinstance(goal, Precision), "other goals have no words in a file yet"
    return {
        "precision": goal.relative,
        "of": None if goal.paths is None else list(goal.paths),
        "at_most_runs": rule.most,
        "at_most_requests": rule.most_requests,
    }


def rule_from(told: RunsFile) -> Rule:
    """The same back. Raises `ValueError` where it says nothing."""
    if told.replications is not None:
        return Rule(number=told.replications)
    if told.precision is None:
        raise ValueError("neither replications nor a precision")
    goals = (Precision(told.precision, None if told.of is None else tuple(told.of)),)
    return Rule(None, goals, told.at_most_runs, told.at_most_requests)


def joined(stored: Design, asked: Design, file: str) -> Design:
    """What a folder is to hold that holds a study already, and is asked for (more of) it.

    The points that are asked for come first, in their order; what the folder has beside them stays. Raises
    `ConfigError` where they are not of one scenario.
    """
    before = {tuple(sorted(place.values.items())): place for place in stored.places}
    common = 0
    for place in asked.places:
        same = before.pop(tuple(sorted(place.values.items())), None)
        if same is not None and same.digest != place.digest:
            raise ConfigError(Problem(_other(stored, f" (at {place.told})"), file=file))
        common += same is not None
    if stored.keys != asked.keys and stored.keys and asked.keys:
        told = f"holds a study over {', '.join(stored.keys)}; a study over other keys needs another folder"
        raise ConfigError(Problem(told, file=file))
    if not common and stored.base != asked.base:
        raise ConfigError(Problem(_other(stored), file=file))
    other = changed(stored.data, asked.data)
    if other is not None:
        told = f"holds runs on {other}, which has changed since; put it back, or name another folder"
        raise ConfigError(Problem(told, file=file))
    numbers = (stored.rule.number, asked.rule.number)
    rule = asked.rule
    if None not in numbers:
        rule = Rule(number=max(number for number in numbers if number is not None))
    places, data = (*asked.places, *before.values()), dict(sorted({**stored.data, **asked.data}.items()))
    return replace(asked, places=places, rule=rule, data=data, runs_sha256=stored.runs_sha256)


def _other(stored: Design, at: str = "") -> str:
    sets = f" with {', '.join(stored.sets)}" if stored.sets else ""
    told = f"holds a study of another scenario ({stored.scenario}{sets}), or the file or --set has changed since{at}"
    return f"{told}; name another folder"
