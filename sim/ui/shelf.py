"""The stored runs, studies and plans below a folder, told by the files they leave. Ids are looked up, never joined."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sim.ui.wire.told import StoredTold

__all__ = ["Shelf", "Stored"]

_DEPTH = 3
_MOST_FOLDERS = 20_000
_KINDS = (("plan.json", "plan"), ("study.json", "study"), ("manifest.json", "run"))
"""Which file tells what a folder is; the first that is there."""
_PAGES = ("report.html", "plan.html")


@dataclass(frozen=True)
class Stored:
    """One folder."""

    told: StoredTold
    page: Path | None
    scenario: Path | None


class Shelf:
    """What is stored below a folder; looked at anew whenever it is listed."""

    def __init__(self, folder: Path, most: int) -> None:
        self.folder = folder
        self.most = most

    def all(self) -> dict[str, Stored]:
        """What is stored, by id, the newest first."""
        found = sorted(self._folders(), reverse=True)[: self.most]
        return {stored.told.id: stored for stored in (self._stored(Path(path), kind) for _, path, kind in found)}

    def scenarios(self) -> dict[str, Path]:
        """The scenario files of stored runs, by id."""
        return {id_: stored.scenario for id_, stored in self.all().items() if stored.scenario is not None}

    def _folders(self) -> Iterator[tuple[float, str, str]]:
        """Time, path and kind of each folder that holds something; links are not followed."""
        waiting, seen = [(str(self.folder), 0)], 0
        while waiting and seen < _MOST_FOLDERS:
            path, depth = waiting.pop()
            seen += 1
            try:
                entries = list(os.scandir(path))
            except OSError:
                continue
            files = {entry.name: entry for entry in entries if entry.is_file(follow_symlinks=False)}
            kind = next((kind for name, kind in _KINDS if name in files), None)
            if kind is not None and any(name in files for name in (*_PAGES, "scenario.yaml")):
                with_time = next(files[name] for name, of in _KINDS if of == kind and name in files)
                yield with_time.stat(follow_symlinks=False).st_mtime, path, kind
            if depth < _DEPTH:
                waiting += [(entry.path, depth + 1) for entry in entries if entry.is_dir(follow_symlinks=False)]

    def _stored(self, folder: Path, kind: str) -> Stored:
        inside = folder.relative_to(self.folder).as_posix()
        id_ = hashlib.sha256(inside.encode("utf-8", "surrogateescape")).hexdigest()[:20]
        page = next((folder / name for name in _PAGES if _is_own_file(folder / name)), None)
        scenario = folder / "scenario.yaml"
        has = _is_own_file(scenario)
        name = inside.encode("utf-8", "replace").decode()
        told = StoredTold.model_validate(
            {"id": id_, "name": name, "kind": kind, "has_page": page is not None, "has_scenario": has}
        )
        return Stored(told, page, scenario if has else None)


def _is_own_file(path: Path) -> bool:
    """Whether it is a file in this folder, and no link to one elsewhere."""
    return path.is_file() and not path.is_symlink()
