"""`--set pools.chat.autoscaler.replicas=12`: one change to a tree, by dotted path, as if it stood in the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sim.config.catalogue import did_you_mean
from sim.config.errors import ConfigError, Problem
from sim.config.loader import parse_value
from sim.config.references import AnyReference, reference_at, resolved
from sim.config.tree import DEPTH_MAX, Node, Path, Place, dotted, mapping, replaced, text_node

OPTION = "--set"


def override(root: Node, text: str, references: Sequence[AnyReference], named: Sequence[tuple[str, ...]]) -> Node:
    """The tree after one `KEY=VALUE`. References on the way down are read first, so that their inside can be changed.

    `named` are the mappings whose keys are the user's own names: a path may not lead through a name that is not there.
    Raises `ConfigError` for a text that is not `KEY=VALUE`, or a path that leads through a plain value.
    """
    path, value = _split(text)
    for depth in range(len(path)):
        above, step = path[:depth], path[depth]
        node = _at(root, above)
        reference = reference_at(above, references)
        if reference is not None:
            root = replaced(root, above, resolved(node, above, reference))
            node = _at(root, above)
        root = _with_step(root, node, path, depth, named) if node.child(step) is None else root
    return replaced(root, path, value, value.place)


def placed(error: ConfigError, keys: Sequence[str], file: str, line: int = 0) -> ConfigError:
    """The same problems; those about one of these keys stand where it was given, which was not after `--set`."""

    def moved(problem: Problem) -> Problem:
        theirs = any(f"{problem.path}.".startswith(f"{key}.") or key.startswith(f"{problem.path}.") for key in keys)
        return replace(problem, file=file, line=line) if problem.file == OPTION and theirs else problem

    return ConfigError(map(moved, error.problems))


def _split(text: str) -> tuple[Path, Node]:
    """The path and the value of `KEY=VALUE`."""
    text_node(text, Place(OPTION))  # it may not be text that can be written
    key, equals, value = text.partition("=")
    steps = key.strip().split(".")
    if not equals or not all(step.strip() for step in steps):
        got = f"got '{text}'" if len(text) <= 60 else f"got '{text[:50]}...'"
        raise ConfigError(Place(OPTION).problem(f"must be KEY=VALUE, such as pools.chat.autoscaler.replicas=12; {got}"))
    if len(steps) > DEPTH_MAX:
        raise ConfigError(Place(OPTION).problem(f"leads more than {DEPTH_MAX} levels deep; got '{text[:50]}...'"))
    # An index of a list, or a key that looks like one: either way `Node.child` finds it.
    path = tuple(int(step) if re.fullmatch("0|[1-9][0-9]{0,6}", step) else step.strip() for step in steps)
    try:
        return path, parse_value(value, Place(OPTION))
    except ConfigError as error:
        raise ConfigError(Problem(error.problems[0].message, dotted(path), OPTION)) from None


def _with_step(root: Node, node: Node, path: Path, depth: int, named: Sequence[tuple[str, ...]]) -> Node:
    """The tree with an empty mapping at a missing step, if there may be one; the last step may always be missing."""
    above, step = path[:depth], path[depth]
    place = Place(OPTION)
    if isinstance(node.value, list):
        raise ConfigError(
            place.problem(f"there is no entry {step} in this list of {len(node.value)}", path[: depth + 1])
        )
    if node.value is None and depth:
        root = replaced(root, above, mapping({}, place, {}))
        node = _at(root, above)
    if not isinstance(node.value, dict):
        raise ConfigError(place.problem(f"'{dotted(above)}' is a value, not a mapping", path))
    if depth == len(path) - 1:
        return root
    if above in named:
        known = list(node.value)
        raise ConfigError(place.problem(f"no such key{did_you_mean(str(step), known)}", path[: depth + 1]))
    if isinstance(path[depth + 1], int):
        raise ConfigError(place.problem(f"there is no list to change; give it whole: {step}=[...]", path[: depth + 1]))
    return replaced(root, path[: depth + 1], mapping({}, place, {}), place)


def _at(root: Node, path: Path) -> Node:
    for step in path:
        child = root.child(step)
        assert child is not None, f"no node at {path}"
        root = child
    return root
