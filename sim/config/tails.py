"""Dotted keys as short as they can be said: the last steps that leave no doubt which key is meant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

VAGUE = frozenset(
    {
        "at",
        "base",
        "budget",
        "cv",
        "factor",
        "high",
        "kind",
        "low",
        "max",
        "mean",
        "min",
        "name",
        "share",
        "target",
        "under",
        "value",
        "values",
        "weight",
    }
)
"""Last steps that say nothing alone, even where only one key ends in them: `mean` of what?"""


def tail(key: str, known: Collection[str]) -> str:
    """The fewest last steps of a dotted key in which none of the other known keys ends: `prompt_tokens.mean`.

    A last step that says nothing alone has the one before it; an index of a list never comes first.
    """
    steps = key.split(".")
    others = [f".{other}" for other in known if other != key]
    for count in range(1, len(steps)):
        end = steps[-count:]
        if end[0].isdecimal() or end[0] in VAGUE:
            continue
        said = ".".join(end)
        if not any(other.endswith(f".{said}") for other in others):
            return said
    return key


def keys_of(document: Any, above: str = "") -> Iterator[str]:
    """The dotted keys of a document of plain values, those of the sheets that it names left out.

    A sheet (of a model, a GPU, an engine) is a mapping below the top that describes itself.
    """
    if isinstance(document, Mapping):
        if above and "description" in document:
            return
        entries = [(str(key), value) for key, value in document.items()]
    elif isinstance(document, list):
        entries = [(str(place), value) for place, value in enumerate(document)]
    else:
        return
    for key, value in entries:
        path = f"{above}.{key}" if above else key
        yield path
        yield from keys_of(value, path)
