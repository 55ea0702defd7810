"""The last few things of a kind, the least used thrown away first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Kept"]

Thing = TypeVar("Thing")


class Kept(Generic[Thing]):
    """Things by key, so many at most. Not for several threads at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._things: OrderedDict[Hashable, Thing] = OrderedDict()

    def __len__(self) -> int:
        return len(self._things)

    def get(self, key: Hashable) -> Thing | None:
        """What is kept under a key, or nothing."""
        found = self._things.get(key)
        if found is not None:
            self._things.move_to_end(key)
        return found

    def put(self, key: Hashable, thing: Thing) -> Thing:
        """Keep a thing; tells it again."""
        self._things[key] = thing
        self._things.move_to_end(key)
        while len(self._things) > self.most:
            self._things.popitem(last=False)
        return thing

    def made(self, key: Hashable, make: Callable[[], Thing]) -> Thing:
        """What is kept under a key; made and kept if there is nothing."""
        found = self.get(key)
        return self.put(key, make()) if found is None else found
