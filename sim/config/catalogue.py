"""The files that ship with fleetcast, found by name: scenarios, workloads, sheets of GPUs and models, price books.

They are `configs/` and `workloads/` beside the package in a checkout, and `sim/data/` in an installed wheel.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

SCENARIOS, WORKLOADS = "configs", "workloads"
GALLERY = "configs/gallery"
"""Scenarios of systems in the news. They are found with the other scenarios: a name is in one folder only."""
GPUS, MODELS, ENGINES, BOOTS = "configs/gpus", "configs/models", "configs/engines", "configs/boot"
PRICES = "configs/prices"

_PACKAGE = Path(__file__).resolve().parents[1]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def root() -> Path:
    """The folder that holds `configs/` and `workloads/`."""
    installed = _PACKAGE / "data"
    return installed if installed.is_dir() else _PACKAGE.parent


def names(folder: str) -> tuple[str, ...]:
    """The names in one part of the catalogue, sorted."""
    return tuple(sorted(stem for place in _places(folder) for stem in _stems(place)))


def find(folder: str, name: str) -> Path | None:
    """The file of that name, or nothing. A name is one word: it cannot lead out of the catalogue."""
    if not _NAME.fullmatch(name):
        return None
    files = (place / f"{name}.yaml" for place in _places(folder) if name in _stems(place))
    return next(files, None)


def _places(folder: str) -> tuple[Path, ...]:
    """The folders that one part of the catalogue is in."""
    return tuple(root() / each for each in ((SCENARIOS, GALLERY) if folder == SCENARIOS else (folder,)))


def _stems(place: Path) -> frozenset[str]:
    return _listed(place, place.stat().st_mtime_ns) if place.is_dir() else frozenset()


@lru_cache(maxsize=32)
def _listed(place: Path, changed_ns: int) -> frozenset[str]:
    """The names in a folder that was changed last at this time: a scenario of many pools asks for each of them."""
    return frozenset(path.stem for path in place.glob("*.yaml"))


def is_path(text: str) -> bool:
    """Whether a reference is written as a path rather than a name."""
    return "/" in text or "\\" in text or text.lower().endswith((".yaml", ".yml", ".json"))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, if any is like it at all."""
    spelt = {_folded(item): item for item in known}
    word = _folded(word)
    # h100: h100-sxm rather than h200; the shortest of several, and the larger of two sizes
    longer = sorted((item for item in spelt if len(word) >= 3 and item.startswith(word)), reverse=True)
    longer.sort(key=len)
    close = longer[:1] or difflib.get_close_matches(word, spelt, n=1, cutoff=0.6)
    return spelt[close[0]] if close else None


def _folded(word: str) -> str:
    return word.lower().replace("_", "-")


def names_beside(word: str, folder: str) -> str:
    """The end of an error about a name that is not in a folder; for a scenario there is always a remedy."""
    told = did_you_mean(word, names(folder))
    return told or ("; `fleetcast examples` lists those that ship, or give a file" if folder == SCENARIOS else "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown word: the nearest right one, else all of them if they are few."""
    known = list(known)
    best = nearest(word, known)
    if best is not None:
        return f"; did you mean '{best}'?"
    return f"; there are: {', '.join(known)}" if 0 < len(known) <= 30 else ""
