"""The JSON Schema of scenario files as something to draw from: its definitions, and what a number there measures."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from sim.config import units
from sim.scenario import Scenario
from sim.scenario.schema import json_schema

Node = Mapping[str, Any]


@functools.cache
def schema() -> dict[str, Any]:
    """The whole schema."""
    return json_schema()


@functools.cache
def quantities() -> dict[str, str]:
    """What a number measures, by the pattern that its text form has: `DURATION`, `RATE`, ..."""
    return {found.pattern: name for name, found in vars(units).items() if isinstance(found, units.Quantity)}


def short(definition: str) -> str:
    """A definition's name without its module and type parameters: `Lognormal`."""
    return definition.partition("_Annotated")[0].rpartition("__")[2]


def resolved(node: Node) -> tuple[str, Node]:
    """A node with what it refers to in its place, and that definition's name ("" if it refers to none)."""
    reference = node.get("$ref")
    if reference is None:
        return "", node
    name = reference.removeprefix("#/$defs/")
    return name, schema()["$defs"][name]


def options(node: Node) -> list[Node]:
    """The members of a union, unions in it opened; the node itself if it is none. The two ways of writing a quantity
    (a number, a text) are one member."""
    if quantity(node):
        return [node]
    found = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    return [option for each in found for option in options(each)] if found else [node]


def quantity(node: Node) -> str:
    """What a number measures, if the node is one; "" else."""
    for option in node.get("anyOf", ()):
        if "pattern" in option and len(node["anyOf"]) == 2 and "examples" in node:
            return quantities().get(option["pattern"], "OTHER")
    return ""


def kind_of(node: Node) -> str:
    """Which member of a union a node is: the name of its definition, else its type."""
    return short(str(node["$ref"]).removeprefix("#/$defs/")) if "$ref" in node else str(node.get("type", node))


def definitions_below(node: Node) -> frozenset[str]:
    """The definitions that a node can hold, at any depth, by their short names."""
    if "$ref" in node:
        return _below(str(node["$ref"]).removeprefix("#/$defs/"))
    return _held(node)


@functools.cache
def _below(name: str) -> frozenset[str]:
    return _held(schema()["$defs"][name]) | {short(name)}


def _held(node: Any) -> frozenset[str]:
    if isinstance(node, list):
        return frozenset().union(*map(_held, node)) if node else frozenset()
    if not isinstance(node, dict):
        return frozenset()
    if "$ref" in node:
        return definitions_below(node)
    parts = [_held(each) for key, each in node.items() if key not in ("discriminator", "default", "examples")]
    return frozenset().union(*parts) if parts else frozenset()


# -- what there is, and what a scenario has used -----------------------------------------------------------------------


@functools.cache
def members() -> frozenset[str]:
    """Every model that a scenario can hold, and every key of each: `Hpa`, `Hpa.behavior`, `Router.kind=random`."""
    found: set[str] = set()
    seen: set[type] = set()

    def visit(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if kind in seen:
                return
            seen.add(kind)
            for name, field in kind.model_fields.items():
                found.add(f"{_name(kind)}.{field.alias or name}")
                found.update(f"{_name(kind)}.{field.alias or name}={value}" for value in literals(field.annotation))
                visit(field.annotation)
        for part in get_args(kind) if _is_generic(kind) else ():
            visit(part)

    visit(Scenario)
    return frozenset(found)


def used(value: Any) -> Iterator[str]:
    """The same of one scenario: the keys that it was given."""
    if isinstance(value, BaseModel):
        for name in value.model_fields_set & type(value).model_fields.keys():
            field = type(value).model_fields[name]
            key = f"{_name(type(value))}.{field.alias or name}"
            given = getattr(value, name)
            yield key
            for each in given if isinstance(given, list | tuple | dict) else (given,):
                if each in literals(field.annotation):
                    yield f"{key}={each}"
            yield from used(given)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from used(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from used(each)


def literals(annotation: Any) -> tuple[str, ...]:
    """The texts that a key may be, where it may be one of several; members of a union by `kind` are not meant."""
    if get_origin(annotation) is not None and str(get_origin(annotation)) == "typing.Literal":
        values = tuple(value for value in get_args(annotation) if isinstance(value, str))
        return values if len(values) > 1 else ()
    return tuple(value for part in get_args(annotation) for value in literals(part) if _is_generic(annotation))


def _is_generic(kind: Any) -> bool:
    return get_origin(kind) is not None or isinstance(kind, types.UnionType)


def _name(kind: type[BaseModel]) -> str:
    """The class without its type parameters."""
    return kind.__name__.partition("[")[0]
