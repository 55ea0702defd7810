"""The whole way from a file, a name or a mapping to a valid model: read, change, resolve, validate, complain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sim.config.complaints import complaints, in_file_order, place_of
from sim.config.errors import ConfigError, DataError, Problem
from sim.config.loader import read_file
from sim.config.overrides import override
from sim.config.references import AnyReference, absolute_data_paths, locate, resolve_all
from sim.config.tree import Node, Place, from_python, replaced

Model = TypeVar("Model", bound=BaseModel)

EXPANDED_MAX = 200_000
"""Values of a scenario with all that it refers to: a sheet counts once for each pool that names it."""


@dataclass(frozen=True)
class Rules:
    """Where a file of one kind may refer to other files."""

    scenario_folder: str
    """The part of the catalogue that bare names are looked up in."""
    references: tuple[AnyReference, ...]
    user_named: tuple[tuple[str, ...], ...]
    """Mappings whose keys are the user's own names (see `override`)."""
    data_paths_under: tuple[str, ...]
    """The keys of the root whose mappings may hold paths of data files."""
    data_path_keys: frozenset[str]
    """The keys of those paths."""
    as_it_is: Callable[[object], bool] = lambda _: False
    """Picks the objects built in Python that stand as they are instead of being taken apart into keys."""


@dataclass(frozen=True)
class Read:
    """A tree ready to be validated, and what could not be resolved in it."""

    root: Node
    problems: tuple[Problem, ...]
    lost: tuple[str, ...] = ()
    """The dotted paths of references that could not be resolved."""


def read(source: str | Path | Mapping[str, Any] | BaseModel | Node, sets: Sequence[str], rules: Rules) -> Read:
    """What a source says once changes are applied and references resolved. Raises `ConfigError`."""
    root = _tree(source, rules)
    problems: list[Problem] = []
    for text in sets:
        try:
            root = override(root, text, rules.references, rules.user_named)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    root, lost = resolve_all(root, rules.references, problems)
    if root.size > EXPANDED_MAX:
        told = f"holds more than {EXPANDED_MAX:,} values once the files that it refers to are read"
        raise ConfigError(root.place.problem(told))
    for key in rules.data_paths_under:
        part = root.child(key)
        if part is not None:
            root = replaced(root, (key,), absolute_data_paths(part, rules.data_path_keys))
    return Read(root, tuple(problems), lost)


def validated(found: Read, model: type[Model]) -> Model:
    """The model that a tree describes. Raises `ConfigError` with every problem, those of reading included."""
    problems, lost = list(found.problems), frozenset(found.lost)
    try:
        valid = model.model_validate(found.root.plain())
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            cause = detail.get("ctx", {}).get("error")
            if isinstance(cause, DataError):  # a validator looked into a file, and the file is wrong, not the scenario
                raise cause from None
        # Below a reference that could not be resolved, nothing else can be right either.
        told, unseen = complaints(error, found.root, model)
        problems += [problem for problem in told if lost.isdisjoint(_prefixes(problem.path))]
        raise ConfigError(in_file_order(problems, found.root, unseen)) from None
    if problems:
        raise ConfigError(in_file_order(problems, found.root))
    return valid


def _prefixes(path: str) -> Iterator[str]:
    """A dotted path, and those of what is above it."""
    steps = path.split(".")
    return (".".join(steps[:many]) for many in range(1, len(steps) + 1))


def located(error: ConfigError, found: Read) -> ConfigError:
    """The same problems, those that only say which key is wrong with its place in the file too."""
    problems = []
    for problem in error.problems:
        if problem.path and not problem.file and not problem.path.startswith("--"):  # an option has no place in a file
            steps = [int(step) if step.isdigit() else step for step in problem.path.split(".")]
            problem = place_of(steps, found.root).problem(problem.message, tuple(steps))
        problems.append(problem)
    return ConfigError(problems)


def _tree(source: str | Path | Mapping[str, Any] | BaseModel | Node, rules: Rules) -> Node:
    """What a source says, before anything is changed or resolved."""
    if isinstance(source, Node):
        return source
    if isinstance(source, Mapping | BaseModel):
        return from_python(source, Place(), as_it_is=rules.as_it_is)
    if isinstance(source, Path):
        return read_file(source)
    return read_file(locate(source, rules.scenario_folder, "scenario", Place()))
