"""A scenario with all its numbers of one kind changed: every amount of money, or every time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.swarm.grammar import Node, quantity, resolved, schema

Keys = dict[str, Any]
Change = Callable[[str, float], float]
"""Of what a number measures, and the number."""


def multiplied(keys: Keys, factors: dict[str, float]) -> Keys:
    """`keys` (as written: numbers are plain) with each number of a kind times a factor; a kind may be a prefix."""

    def times(measured: str, value: float) -> float:
        factor = next((factor for kind, factor in factors.items() if measured.startswith(kind)), 1.0)
        return value if factor == 1.0 else value * factor

    return with_numbers(keys, times)


def with_numbers(keys: Keys, change: Change) -> Keys:
    """`keys` (as written) with each number that measures something changed."""
    found = _changed(keys, schema(), change)
    assert isinstance(found, dict)
    return found


def _changed(value: Any, node: Node, change: Change) -> Any:
    measured = quantity(node)
    if measured:
        return change(measured, value) if isinstance(value, int | float) else value
    _, node = resolved(node)
    choices = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    if choices:
        fitting = [choice for choice in choices if _may_be(value, choice)]
        return _changed(value, fitting[0], change) if fitting else value
    if isinstance(value, dict):
        below, rest = node.get("properties", {}), node.get("additionalProperties", {})
        rest = rest if isinstance(rest, dict) else {}
        return {key: _changed(each, below.get(key, rest), change) for key, each in value.items()}
    if isinstance(value, list):
        first = node.get("prefixItems", ())
        return [
            _changed(each, first[place] if place < len(first) else node.get("items", {}), change)
            for place, each in enumerate(value)
        ]
    return value


def _may_be(value: Any, node: Node) -> bool:
    """Whether a value can be this member of a union: by its type, its `kind`, and its keys."""
    if quantity(node):
        return isinstance(value, int | float) and not isinstance(value, bool)
    _, node = resolved(node)
    choices = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    if choices:
        return any(_may_be(value, choice) for choice in choices)
    if isinstance(value, dict):
        below = node.get("properties", {})
        kind = below.get("kind", {})
        if "const" in kind and value.get("kind", kind.get("default")) != kind["const"]:
            return False
        return node.get("type") == "object" and value.keys() <= below.keys() | (
            value.keys() if isinstance(node.get("additionalProperties"), dict) else set()
        )
    kinds = {"array": list, "string": str, "boolean": bool, "number": int | float, "integer": int}
    return isinstance(value, kinds.get(str(node.get("type")), ()))
