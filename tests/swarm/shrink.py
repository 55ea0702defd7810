"""A failing scenario made smaller: branches are left out as long as it fails in the same way."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

Keys = dict[str, Any]
Path = tuple[Any, ...]

Fails = Callable[[Keys], str]
"""How a scenario fails, in a word or two; empty if it does not (or cannot be loaded)."""


def shrunk(keys: Keys, fails: Fails, seconds: float = 60.0) -> Keys:
    """The smallest scenario found in the time that fails as this one does."""
    how, until_s = fails(keys), time.monotonic() + seconds
    if not how:
        return keys
    smaller = True
    while smaller:
        smaller = False
        for path in sorted(branches(keys), key=len):
            if time.monotonic() > until_s:
                return keys
            if not is_there(keys, path):
                continue
            less = without(keys, path)
            if fails(less) == how:
                keys, smaller = less, True
    return keys


def branches(keys: Any, path: Path = ()) -> Iterator[Path]:
    """Every branch that may be left out, the larger ones before what is in them."""
    items = keys.items() if isinstance(keys, dict) else enumerate(keys) if isinstance(keys, list) else ()
    for key, below in items:
        if (*path, key) not in (("name",), ("pools",), ("workload",)):
            yield (*path, key)
        yield from branches(below, (*path, key))


def is_there(keys: Any, path: Path) -> bool:
    for key in path:
        if not (key in keys if isinstance(keys, dict) else isinstance(keys, list) and key < len(keys)):
            return False
        keys = keys[key]
    return True


def without(keys: Keys, path: Path) -> Keys:
    """A copy with a branch left out."""
    less = copy.deepcopy(keys)
    holder: Any = less
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return less


def told(error: BaseException) -> str:
    """What a failure is, without the numbers of this one case."""
    first = (str(error).strip() or "?").splitlines()[0]
    return f"{type(error).__name__}: {re.sub(r'[-+]?[0-9][0-9.e+-]*', '#', first)[:90]}"
