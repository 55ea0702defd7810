"""Readers of what fleetcast itself has written and somebody may have changed: links, studies, plans, reports, runs.

A study signs what it holds; a checksum that does not fit is the lesser part, so these sign the input first.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
import tempfile
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from sim.cli.sweep.study import document_of, from_folder, of_folder, show
from sim.engine import simulate
from sim.report.page.read import Report
from sim.report.page.render import embedded
from sim.report.run.page import page_of
from sim.result.files import json_text
from sim.scenario import load
from sim.study.planned.dossier import FORMAT
from sim.study.replanned.before import read_before
from sim.study.replanned.diff import numbers_of
from sim.study.store import search
from sim.study.store.design import read_design
from sim.study.store.folder import opened
from sim.study.store.journal import line_of, runs_in
from sim.study.store.merging import merge
from sim.ui.desk.source import Files, scenario_of
from sim.ui.shelf import Shelf
from sim.ui.wire.asked import Shared, Source, State
from sim.ui.wire.limits import Limits
from sim.ui.wire.link import packed, unpacked
from tests.fuzz.reader import Reader
from tests.studies import SCENARIO, design_of, points_of, study

_ABOUT = search.About("tune", "tuning", "tuning.json", "scenario_sha256", "0" * 64, "scenario {}")


@cache
def _study() -> dict[str, bytes]:
    """The files of a small study, one as a journal and one finished."""
    folder = Path(tempfile.mkdtemp())
    try:
        points = points_of(5, 6, seeds=(1,))
        with opened(folder / "open", design_of(points)) as store:
            runs = study(folder / "whole", points)
            del runs
            journal = (folder / "whole" / "runs.parquet").read_bytes()
            design = (folder / "whole" / "study.json").read_bytes()
            before = json.loads(store.design.text())
        from sim.study.store.parquet import runs_of

        kept = runs_of(folder / "whole" / "runs.parquet", None)
        lines = b"".join(map(line_of, kept))
        return {
            "runs.parquet": journal,
            "study.json": design,
            "journal.jsonl": lines,
            "open.json": json.dumps(before).encode(),
        }
    finally:
        shutil.rmtree(folder)


def _links() -> Sequence[bytes]:
    states = [State(source=Source(kind="name", value="mmc"), moved={"pools.servers.autoscaler.replicas": 9})]
    states.append(State(source=Source(kind="text", value=json.dumps(SCENARIO)), pool="main"))
    return [packed(Shared(state=state, pinned=states[0])).encode() for state in states]


def _shared() -> Sequence[bytes]:
    """What links hold, unpacked."""
    return [unpacked(link.decode(), Limits()).model_dump_json().encode() for link in _links()]


def _link(path: Path) -> object:
    return unpacked(path.read_bytes().decode("utf-8", "replace"), Limits())


def _link_opened(path: Path) -> object:
    """A link, packed here, and the scenario that it is about with its sliders moved: as a page opens it."""
    import base64

    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    raw = squeeze.compress(path.read_bytes()) + squeeze.flush()
    shared = unpacked(base64.urlsafe_b64encode(raw).decode(), Limits())
    sets = [f"{key}={value}" for key, value in shared.state.moved.items()]
    return scenario_of(shared.state.source, Files(None, (), path.parent), sets)


def _signed(path: Path) -> None:
    """Make the file's own checksum right, where there can be one."""
    try:
        found = json.loads(path.read_bytes())
        found.pop("sha256", None)
        text = json.dumps({**found, "sha256": hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()})
    except (ValueError, AttributeError, RecursionError, TypeError):
        return
    path.write_text(text)


def _beside(path: Path, *names: str) -> None:
    """The other files of the study, and no more."""
    for name in ("study.json", "runs.parquet", "journal.jsonl"):
        if name != path.name:
            (path.parent / name).unlink(missing_ok=True)
    for name in names:
        (path.parent / name).write_bytes(
            _study()[name if name != "study.json" or "runs.parquet" in names else "open.json"]
        )


def _told(folder: Path) -> object:
    found = from_folder(folder, ())
    with of_folder(folder), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        show(found)
        return json_text(document_of(found))


def _design(path: Path) -> object:
    _signed(path)
    _beside(path, "journal.jsonl")
    read_design(path)
    return _told(path.parent)


def _journal(path: Path) -> object:
    """Lines of runs, each signed here."""
    _beside(path, "study.json")
    lines = [line for line in path.read_bytes().split(b"\n") if line]
    path.write_bytes(b"".join(b'{"crc32":"%08x","run":' % zlib.crc32(line) + line + b"}\n" for line in lines))
    runs_in(path)
    return _told(path.parent)


def _journal_raw(path: Path) -> object:
    return [run.document() for run in runs_in(path)]


def _parquet(path: Path) -> object:
    """A finished study whose table has the right checksum."""
    _beside(path)
    plain = json.loads(_study()["study.json"])
    plain["runs_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / "study.json").write_text(json.dumps(plain))
    _signed(path.parent / "study.json")
    return _told(path.parent)


def _merged(path: Path) -> object:
    _signed(path)
    _beside(path, "journal.jsonl")
    out = path.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    return merge([path.parent], out)


def _searched(path: Path) -> object:
    """The folder of a tuning that is gone on with."""
    (path.parent / search.JOURNAL).write_bytes(_study()["journal.jsonl"])
    with search.kept_in(path.parent, _ABOUT, load(SCENARIO)) as kept:
        return len(kept.known)


def _search_file() -> Sequence[bytes]:
    return [json.dumps(_ABOUT.plain(load(SCENARIO))).encode()]


def _runs() -> Sequence[bytes]:
    from sim.study.store.journal import _HEAD_LENGTH

    return [b"\n".join(line[_HEAD_LENGTH:-1] for line in _study()["journal.jsonl"].splitlines())]


def _of(name: str) -> Callable[[], Sequence[bytes]]:
    return lambda: [_study()[name]]


@cache
def _plans() -> Sequence[bytes]:
    """A plan.json with all that a later plan looks at."""
    pool = {"replicas": 3, "need": 3, "gpu": "l4", "gpus_per_replica": 1, "gpus": 3, "max_num_seqs": None}
    months = {
        "usd_expected": 1.0,
        "usd_p90": 2.0,
        "orders": [{"region": "", "option": "1y", "gpu": "l4", "holds_from": "2026-01", "gpus": 3}],
    }
    plan = {
        "format": FORMAT,
        "schema_version": 1,
        "version": "0",
        "seed": 1,
        "feasible": True,
        "usd_per_hour": 3.0,
        "pools": {"main": pool},
        "certificates": [{"attained": 0.99}],
        "over_time": months,
        "scenario": SCENARIO,
    }
    return [json.dumps({**plan, "over_time": over}).encode() for over in (None, months)]


def _plan(path: Path) -> object:
    return list(numbers_of(read_before(path).document))


_NONE = b'<script type="application/json" id="report-beside">null</script>'


def _around(data: bytes) -> bytes:
    """A report as far as it is read again."""
    return b'<html><script type="application/json" id="report">' + data + b"</script>" + _NONE


def _reports() -> Sequence[bytes]:
    return [_around(data) for data in _report_data()]


def _report(path: Path) -> object:
    from sim.cli.report import _pictures
    from sim.cli.shared.files import write_folder

    found = Report(path)
    found.with_beside(found)
    write_folder(path.parent / "pictures", _pictures(found, ("svg",)))
    return found


@cache
def _report_data() -> Sequence[bytes]:
    """What the report of a run holds of itself."""
    found = embedded(page_of(simulate(load(SCENARIO))))
    few = {name: found["plots"][name] for name in list(found["plots"])[:3]}
    about = {name: found["figures"][name] for name in few}
    return [json.dumps({**found, "plots": few, "figures": about}).encode()]


def _report_of_data(path: Path) -> object:
    """A report whose data are the input."""
    path.write_bytes(_around(path.read_bytes()))
    return _report(path)


def _shelf(path: Path) -> object:
    """The folder of a run: what the page lists, and the scenario that it opens or an export runs again."""
    (path.parent / "manifest.json").write_bytes(path.read_bytes()[:100])
    shelf = Shelf(path.parent.parent, 20)
    shelf.all()
    return [load(file) for file in shelf.scenarios().values() if file == path]


def _scenarios() -> Sequence[bytes]:
    return [load(SCENARIO).to_yaml().encode()]


READERS = (
    Reader("share link", _link, _links, "bytes", 26),
    Reader("share link, opened", _link_opened, _shared, "json", 0.5),
    Reader("study.json", _design, _of("open.json"), "json", 0.4, "study.json"),
    Reader("study.json, merged", _merged, _of("open.json"), "json", 0.1, "study.json"),
    Reader("journal", _journal, _runs, "json", 0.4, "journal.jsonl", longest=20_000),
    Reader("journal, unsigned", _journal_raw, _of("journal.jsonl"), "json", 6, "journal.jsonl", longest=20_000),
    Reader("runs.parquet", _parquet, _of("runs.parquet"), "bytes", 0.08, "runs.parquet", longest=200_000),
    Reader("folder of a search", _searched, _search_file, "json", 0.1, "tuning.json"),
    Reader("plan.json", _plan, _plans, "json", 3, "plan.json"),
    Reader("report.html", _report, _reports, "bytes", 0.01, "report.html", longest=60_000),
    Reader("report.html, its data", _report_of_data, _report_data, "json", 0.05, "report.html", longest=60_000),
    Reader("stored run", _shelf, _scenarios, "yaml", 0.1, "scenario.yaml", anywhere=True),
)
