"""Pydantic's findings in our own words, each at its place in the file, with the nearest right key."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from sim.config.catalogue import nearest
from sim.config.errors import Problem
from sim.config.tree import Node, Path, Place
from sim.config.units import shown

SHOWN_MAX = 50
_LOOKED_AT = 500
"""Each is looked up in the models beside the file, and the first are what is shown."""
_FEW = 8
"""More keys than this are not listed: the page of keys does it better."""

# Steps that pydantic adds to a location for its own wrappers, not for anything in the file.
_WRAPPER = re.compile(
    r"(function-\w+|lax-or-strict|json-or-python|nullable|chain|definitions?|tagged-union|union)(\[|$)"
)


def complaints(error: ValidationError, root: Node, model: type[BaseModel]) -> tuple[list[Problem], int]:
    """What a failed validation of `root` as `model` found, and how many more there are where they are very many."""
    details = error.errors(include_url=False)
    spots = [spot for detail in details[:_LOOKED_AT] for spot in islice(_spots(detail, root, model), _LOOKED_AT)]
    guessed = {(spot.path[:-1], spot.guess) for spot in spots if spot.guess}
    spots = [spot for spot in spots if not (spot.missing and (spot.path[:-1], spot.path[-1]) in guessed)]
    found = list(dict.fromkeys(spot.place.problem(spot.message, spot.path) for spot in spots))
    return found, max(len(details) - _LOOKED_AT, 0)


def in_file_order(problems: Sequence[Problem], root: Node, unseen: int = 0) -> list[Problem]:
    """The problems of the file itself, then of those it refers to; at most `SHOWN_MAX`, the rest counted.

    `unseen`: how many there are beside these.
    """
    files = dict.fromkeys([root.place.file, *(problem.file for problem in problems)])
    order = {file: index for index, file in enumerate(files)}
    problems = sorted(problems, key=lambda problem: (order[problem.file], problem.line, problem.column))
    left = len(problems) - SHOWN_MAX + unseen
    return problems if left <= 0 else [*problems[:SHOWN_MAX], Problem(f"... and {left} more")]


@dataclass(frozen=True)
class _Spot:
    """One finding, located."""

    path: Path
    place: Place
    message: str
    missing: bool = False
    guess: str = ""
    """For an unknown key: the right key that was probably meant."""


@dataclass(frozen=True)
class _Walked:
    """Where a location leads: through the file, and through the models beside it."""

    path: Path
    parents: tuple[Node, ...]
    """The nodes passed, the root first; as long as the path, or shorter where the file ends early."""
    owner: type[BaseModel] | None
    """The model whose field the last step is."""
    of_key: bool
    """The finding is about a key of a mapping, not its value."""
    kind: Any
    """The annotation of what is there."""


def _spots(detail: ErrorDetails, root: Node, model: type[BaseModel]) -> Iterator[_Spot]:
    context = detail.get("ctx", {})
    for at, text in context.get("many", ()):
        where = _walk((*detail["loc"], *at), root, model)
        yield _Spot(where.path, _place(where, root), text)
    if "many" in context:
        return
    if detail["type"] == "too_short" and len(detail["input"]) >= context["min_length"]:
        return  # there are enough; those that are wrong are told of themselves
    at = context.get("at", ()) if detail["type"] == "said" else ()
    where = _walk((*detail["loc"], *at), root, model)
    if detail["type"] == "extra_forbidden" and where.path:
        known, unused = _keys(where)
        guess = nearest(str(where.path[-1]), known)
        rest = _elsewhere(where, model) or (f"; there are: {', '.join(unused)}" if unused else "")
        rest = f"; did you mean '{guess}'?" if guess else rest
        yield _Spot(where.path, _place(where, root, of_key=True), f"no such key{rest}", guess=guess or "")
    elif detail["type"] == "missing":
        yield _Spot(where.path, _place(where, root), f"is missing{_about(where)}", missing=True)
    else:
        if detail["type"] == "union_tag_invalid" and isinstance(detail["input"], dict) and "kind" in detail["input"]:
            where = _walk((*detail["loc"], "kind"), root, model)
        yield _Spot(where.path, _place(where, root), _message(detail, where))


def _keys(where: _Walked) -> tuple[list[str], list[str]]:
    """The keys that the owner knows, and those of them that the file does not use yet."""
    if where.owner is None:
        return [], []
    used = where.parents[len(where.path) - 1].value if len(where.parents) >= len(where.path) else {}
    known = [info.alias or name for name, info in where.owner.model_fields.items()]
    return known, [key for key in known if not isinstance(used, dict) or key not in used]


def _elsewhere(where: _Walked, model: type[BaseModel]) -> str:
    """Where a key that is unknown would be known: at the top of the file, or one step below it (pools.NAME)."""
    key = where.path[-1]
    if len(where.path) > 1:
        return f" here; '{key}' is a key at the top of the file" if _knows(model, key) else ""
    for name, info in model.model_fields.items():
        below = _bare(_below(_bare(info.annotation), "NAME")[1])
        if get_origin(_bare(info.annotation)) is dict and _is_class(below, BaseModel) and _knows(below, key):
            return f" here; '{key}' is a key of {info.alias or name}.NAME"
    return ""


def _knows(model: type[BaseModel], key: str | int) -> bool:
    return any(key == (info.alias or name) for name, info in model.model_fields.items())


def _about(where: _Walked) -> str:
    """What a missing key is for, from the model's own description of it."""
    fields = where.owner.model_fields if where.owner is not None else {}
    for name, info in fields.items():
        if where.path[-1] in (name, info.alias) and info.description:
            text = info.description.rstrip(".")
            return f": {text if text[1:2].isupper() else text[0].lower() + text[1:]}"
    return ""


def _place(where: _Walked, root: Node, of_key: bool = False) -> Place:
    """The place of what a problem is about."""
    return place_of(where.path, root, of_key or where.of_key)


def place_of(path: Sequence[str | int], root: Node, of_key: bool = False) -> Place:
    """The place of a value; of its key, if that is meant or the value is a mapping; of what encloses it, if absent."""
    node: Node = root
    place = root.place
    for index, step in enumerate(path):
        child = node.child(step)
        if child is None:
            return place
        key_place = node.keys.get(str(step), child.place)
        last = index == len(path) - 1
        compound = isinstance(child.value, dict | list)
        place = key_place if compound or (last and of_key) else child.place
        node = child
    return place


def _walk(loc: Iterable[str | int], root: Node, model: type[BaseModel]) -> _Walked:
    """Follow a location, leaving out the steps that only name a member of a union."""
    kind: Any = model
    owner: type[BaseModel] | None = None
    node: Node | None = root
    path: list[str | int] = []
    parents: list[Node] = []
    of_key = False
    for step in loc:
        kind = _bare(kind)
        members = _members(kind)
        if step == "[key]":
            of_key = True
            continue
        if len(members) > 1:
            chosen = _member(members, step)
            if chosen is not None:
                kind = chosen
                continue
        child = node.child(step) if node is not None else None
        if not _is_class(kind, BaseModel) and child is None and (len(members) > 1 or _WRAPPER.match(str(step))):
            continue
        if node is not None:
            parents.append(node)
        owner, kind, key = _below(kind, step)
        child = node.child(key) if node is not None else None
        path.append(key)
        node = child
    return _Walked(tuple(path), tuple(parents), owner, of_key, _bare(kind))


def _below(kind: Any, step: str | int) -> tuple[type[BaseModel] | None, Any, str | int]:
    """The owning model, the annotation and the key in the file of one step down."""
    if _is_class(kind, BaseModel):
        for name, info in kind.model_fields.items():
            if step in (name, info.alias):
                return kind, info.annotation, info.alias or name
        return kind, Any, step
    origin, args = get_origin(kind), get_args(kind)
    if origin in (dict, Mapping) or _is_class(origin, Mapping):
        return None, args[1], step
    if _is_class(origin, Sequence) and args:
        position = step if isinstance(step, int) and origin is tuple and args[-1] is not Ellipsis else 0
        return None, args[min(position, len(args) - 1)], step
    return None, Any, step


def _bare(kind: Any) -> Any:
    """An annotation without `Annotated`, aliases and `| None`."""
    while True:
        if hasattr(kind, "__value__"):
            kind = kind.__value__
        elif get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif len(members := _members(kind)) == 1:
            kind = members[0]
        else:
            return kind


def _members(kind: Any) -> list[Any]:
    if get_origin(kind) not in (Union, types.UnionType):
        return []
    return [member for member in get_args(kind) if member is not type(None)]


def _member(members: list[Any], step: str | int) -> Any:
    """The member of a union that a step of a location names, or nothing."""
    for member in members:
        tags = [item.tag for item in getattr(member, "__metadata__", ()) if isinstance(item, Tag)]
        bare = _bare(member)
        if _is_class(bare, BaseModel):
            tags.append(bare.__name__)
            for info in bare.model_fields.values():
                tags.extend(get_args(info.annotation) if get_origin(info.annotation) is Literal else ())
        nested = _members(bare)
        if step in tags or (nested and _member(nested, step) is not None):
            return _member(nested, step) or member
    return None


def _is_class(kind: Any, parent: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, parent)


def _message(detail: ErrorDetails, where: _Walked) -> str:
    """One finding as a sentence: what must be, what is."""
    code, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    got = f"; got {shown(value)}"
    if code == "said":
        return str(context.get("text", detail["msg"]))
    if code in ("value_error", "assertion_error"):
        return str(context["error"])
    if code in ("union_tag_invalid", "literal_error", "enum"):
        return _not_one_of(context, value)
    if code == "union_tag_not_found":
        return f"needs a 'kind'{_kinds(where)}" if isinstance(value, dict) else f"must be a mapping{_kinds(where)}{got}"
    if code in _LIMITS:
        words, name = _LIMITS[code]
        return f"must be {words} {context[name]}{got}"
    if code in _SHAPES:
        return f"must be {_SHAPES[code]}{got}{_few_keys(where)}"
    if code == "too_short":
        least = context["min_length"]
        return f"must have at least {least} item{'s' if least > 1 else ''}, got {len(value) or 'none'}"
    if code == "extra_forbidden":  # a key that no location can tell
        return "holds a key that is none"
    # Whatever else pydantic may find: its sentence, without its jargon.
    text = re.sub(r"^(Input|Value|Field|List|Dictionary|Tuple) should (be|have) ?", r"must \2 ", detail["msg"])
    return f"{text[:1].lower()}{text[1:]}{got}"


_LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
}
_SHAPES = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "decimal_parsing", "decimal_type"), "a number"),
    "finite_number": "a finite number",
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("string_type", "string_sub_type", "path_type"), "text"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "iterable_type"), "a list"),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "mapping_type"), "a mapping (key: value)"),
    "none_required": "left out",
}


def _few_keys(where: _Walked) -> str:
    """What a mapping that is not one yet holds, where that is little enough to say: its kinds, or its keys."""
    if not _is_class(where.kind, BaseModel):
        return ""
    kinds = _kinds(where)
    if kinds.count(",") > 1:
        return f"; give a 'kind'{kinds}" if kinds.count(",") <= _FEW else ""
    known = [info.alias or name for name, info in where.kind.model_fields.items()]
    return f"; its keys: {', '.join(known)}" if len(known) <= _FEW else ""


def _not_one_of(context: Mapping[str, Any], value: object) -> str:
    """The sentence for a word outside a fixed set."""
    expected = str(context.get("expected_tags") or context.get("expected", ""))
    known = re.findall(r"'([^']*)'", expected) or [expected]
    word = str(context.get("tag", value))
    best = nearest(word, known)
    return f"{shown(context.get('tag', value))} is not one of {', '.join(known)}" + (
        f"; did you mean '{best}'?" if best else ""
    )


def _kinds(where: _Walked) -> str:
    """The kinds to choose from, for a mapping that names none."""
    kind = _below(where.owner, where.path[-1])[1] if where.owner is not None and where.path else where.kind
    found = [
        str(word)
        for member in _leaves(kind)
        for field in [getattr(member, "model_fields", {}).get("kind")]
        if field is not None
        for word in get_args(field.annotation)
    ]
    return f", one of {', '.join(found)}" if found else ""


def _leaves(kind: Any) -> Iterator[Any]:
    """The classes of a union, those of unions within it included."""
    kind = _bare(kind)
    for member in _members(kind) or [kind]:
        yield from _leaves(member) if member is not kind else [kind]
