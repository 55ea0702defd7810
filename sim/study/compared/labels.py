"""What alternatives are called: short names that leave no doubt what was changed, each only once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from sim.config.catalogue import is_path
from sim.config.loader import parse_value
from sim.config.tails import keys_of, tail
from sim.config.tree import Place
from sim.scenario import Scenario
from sim.study.compared.steps import plain

_KINDS = ("kind", "name", "from")
"""What tells best which mapping this is, first found."""
_LONGEST = 40
"""Letters of what a mapping or a list is said to be."""
_MISSING = object()

Told = tuple[str, tuple[str, ...]]
"""A source, and the changes that are its own, `KEY=VALUE`."""


def labels(told: Sequence[Told], scenarios: Sequence[Scenario]) -> list[str]:
    """A name for each of what is compared; `scenarios`: what they come to, the baseline first.

    Of a file its name without the folder. Of changes the shortest tails of their keys that leave no doubt; of a value
    that is a mapping its kind and in what it differs from the baseline. Where that does not tell all of them apart
    they are called as they were typed.
    """
    documents = [plain(scenario) for scenario in scenarios]
    known = {key for document in documents for key in keys_of(document)}
    known |= {_parts(text)[0] for _, own in told for text in own}
    said = [
        _changes(own, known, document, documents[0]) if own else PurePath(source).stem if is_path(source) else source
        for (source, own), document in zip(told, documents, strict=True)
    ]
    if len(set(said)) == len(said):
        return said
    typed = ["; ".join(own) or source for source, own in told]
    return [typed[place] if said.count(name) > 1 else name for place, name in enumerate(said)]


def _parts(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key.strip(), value.strip()


def _changes(own: Sequence[str], known: Collection[str], after: Any, before: Any) -> str:
    made = []
    for text in own:
        key, value = _parts(text)
        made.append(f"{tail(key, known)}={_value(value, _at(after, key), _at(before, key))}")
    return ", ".join(made)


def _value(text: str, after: Any, before: Any) -> str:
    """A value as it was typed, if it is short; else what it comes to."""
    if not text.startswith(("{", "[")):
        return text
    said = _said(parse_value(text, Place("")).plain(), after, before)
    return said or text


def _said(value: Any, after: Any, before: Any) -> str:
    """A mapping, a list or a plain value in few words: `fixed (replicas: 8)`, `[base, spot (zones: 3)]`."""
    if isinstance(value, Mapping):
        return _mapping(value, after, before)
    if not isinstance(value, list):
        return str(value).lower() if isinstance(value, bool) else str(value)
    parts = [_said(each, _at(after, str(place)), _like(before, each, place)) for place, each in enumerate(value)]
    whole = f"[{', '.join(parts)}]"
    if len(whole) <= _LONGEST:
        return whole
    named = [next((str(each[kind]) for kind in _KINDS if kind in each), "") for each in value if _has_keys(each)]
    brief = f"[{', '.join(named)}]"
    return brief if len(named) == len(value) and all(named) and len(brief) <= _LONGEST else f"{len(value)} entries"


def _mapping(value: Mapping[str, Any], after: Any, before: Any) -> str:
    """The kind, then the keys that are not as in the baseline, as many as there is room for; of another kind all."""
    kind = next((key for key in _KINDS if key in value), "")
    other = bool(kind) and _at(before, kind) != _at(after, kind)
    differs = [key for key in value if key != kind and (other or _differs(_at(after, key), _at(before, key)))]
    parts: list[str] = []
    for key in differs:
        part = f"{key}: {_said(value[key], _at(after, key), _at(before, key))}"
        if parts and sum(map(len, (*parts, part))) > _LONGEST:
            parts.append(f"and {len(differs) - len(parts)} more")
            break
        parts.append(part)
    rest = f"({', '.join(parts)})" if parts else ""
    return " ".join(filter(None, (str(value.get(kind, "")), rest)))


def _like(before: Any, each: Any, place: int) -> Any:
    """What a baseline's list has beside an entry of another: that of the same name, else that at the same place."""
    name = each.get("name") if _has_keys(each) else None
    if name is not None and isinstance(before, list):
        return next((one for one in before if _has_keys(one) and one.get("name") == name), _MISSING)
    return _at(before, str(place))


def _differs(after: Any, before: Any) -> bool:
    return after is _MISSING or after != before


def _has_keys(value: Any) -> bool:
    return isinstance(value, Mapping)


def _at(document: Any, key: str) -> Any:
    """What stands at a dotted key; `_MISSING` where nothing does."""
    for step in key.split("."):
        if isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        elif isinstance(document, Mapping) and step in document:
            document = document[step]
        else:
            return _MISSING
    return document
