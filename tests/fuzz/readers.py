"""The table of all readers."""

from __future__ import annotations

from tests.fuzz import documents, manifests, scenarios, stored, tables
from tests.fuzz.reader import Reader

READERS: tuple[Reader, ...] = (
    *scenarios.READERS,
    *manifests.READERS,
    *tables.READERS,
    *documents.READERS,
    *stored.READERS,
)


def by_name(name: str) -> Reader:
    """The reader of that name."""
    found = [reader for reader in READERS if reader.name == name]
    if not found:
        raise SystemExit(f"no reader is called {name!r}; there are: {', '.join(reader.name for reader in READERS)}")
    return found[0]
